"""Plans are queued, and the first becomes the run on screen."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import LabError
from core.runs.plan import Plan
from ui.services import jobs
from ui.state import owner
from ui.state.session import session
from ui.widgets.errors import say


def start(plan: Plan) -> None:
    """Queues a plan and makes it this session's run; says why where that cannot be."""
    start_all([plan])


def start_all(plans: Sequence[Plan]) -> None:
    """Queues plans, all or none; several stay together until the last has ended."""
    try:
        queued = jobs.submit_all(plans, session.owner, owner.address())
    except LabError as error:
        say(error)
        return
    ids = [job.id for job in queued]
    session.run = ids[0]
    session.jobs = [*session.jobs, *ids]
    session.together = ids if len(ids) > 1 else []
    st.rerun()
