"""A plan is queued and becomes the run on screen."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from core.runs.plan import Plan
from ui.services import jobs
from ui.state import owner
from ui.state.session import session
from ui.widgets.errors import say


def start(plan: Plan) -> None:
    """Queues a plan and makes it this session's run; says why where that cannot be."""
    try:
        job = jobs.submit(plan, session.owner, owner.address())
    except LabError as error:
        say(error)
        return
    session.run = job.id
    session.jobs = [*session.jobs, job.id]
    st.rerun()
