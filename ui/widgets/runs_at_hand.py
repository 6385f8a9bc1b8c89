"""This session's runs under way, shown above every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import LabError
from ui.services import jobs
from ui.state import address
from ui.state.session import session
from ui.widgets.frame import UNLEARN
from ui.wording import numbers

if TYPE_CHECKING:
    from core.runs.job import Job


def keep_watch(*shown: str | None) -> None:
    """Above the page: this session's runs go on, and the way to them. shown: not these."""
    if any(job.id not in shown for job in _own_jobs()):
        st.fragment(_watch_view, run_every=2.0)(shown)


def _own_jobs() -> list[Job]:
    """The runs under way that this session has started or looked at."""
    found = []
    for id in dict.fromkeys([*session.jobs, *session.together, session.run]):
        try:
            job = jobs.job(id, session.owner) if id else None
        except LabError:
            continue
        if job is not None and job.alive:
            found.append(job)
    return found


def _watch_view(shown: Sequence[str | None]) -> None:
    others = [job for job in _own_jobs() if job.id not in shown]
    if not others:
        st.success("Your other run has ended.", icon=":material/flag:")
    for job in others:
        jobs.watch(job.id)
        latest = job.latest
        if job.state == "waiting":
            st.info(f"Your run is waiting, {numbers.place(jobs.queue_position(job.id) or 1)}.")
        elif latest is not None and latest.total_steps:
            share = min(1.0, latest.step / latest.total_steps)
            st.progress(share, f"Your run: step {latest.step:,} of {latest.total_steps:,}")
        else:
            st.info("Your run is starting.")
        # A link, which the browser follows: a click on a button can be lost while a page draws.
        address.link(UNLEARN, "Go to it", run=job.id)
