"""The queue of this process and its jobs: to start one, follow it, stop it, save it again.

Whatever imports SQLAlchemy is imported inside the function that needs it: the front page opens the
store only once its result is drawn. The queue lives once a process, in Streamlit's resource cache.
"""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import LabError
from core.runs.plan import Plan
from core.runs.summary import RunSummary
from ui import links
from ui.services import long_choices, shipped

if TYPE_CHECKING:
    from core.runs.job import Job
    from core.runs.queue import JobQueue

log = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def queue() -> JobQueue:
    """The queue of this process, with its store. Raises LabError; the next call tries again."""
    from core.runs.queue import JobQueue
    from core.runs.store.store import Store

    return JobQueue(Store(shipped=shipped.runs_folder()))


def lost() -> list[RunSummary]:
    """The runs that a crash had cut short when this process started; the screens take out of it."""
    return queue().recovered


def submit(plan: Plan, owner: str) -> Job:
    """Puts a plan into the queue, and keeps a long choice for its links. Raises LabError."""
    job = queue().submit(plan, owner)
    if links.is_long(plan.request):
        try:
            long_choices.keep(plan.request)
        except LabError as error:  # no reason not to run it: the run has its own request
            log.warning("%s", error)
    return job


def job(id: str) -> Job:
    """The job of a run, also of an earlier process. Raises LabError."""
    return queue().get(id)


def watch(id: str) -> None:
    """Says that somebody looks at this job, so that it goes on."""
    queue().watch(id)


def queue_position(id: str) -> int | None:
    """0 while it runs, 1 for the next, None where this process has no such job under way."""
    return queue().queue_position(id)


def cancel(id: str, owner: str) -> None:
    """Stops a job; raises LabError for anybody but its owner."""
    queue().cancel(id, owner)


def save_again(id: str) -> None:
    """Tries once more to save a run that could not be saved. Raises LabError."""
    queue().save_again(id)


def owned(job: Job, owner: str) -> bool:
    """Whether this token may stop the job."""
    from core.runs.job import hashed

    return hmac.compare_digest(job.owner, hashed(owner))
