"""The queue of this process and its jobs: to start one, follow it, stop it, save it again.

Whatever imports SQLAlchemy is imported inside the function that needs it: the front page opens the
store only once its result is drawn. The queue lives once a process, in Streamlit's resource cache.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import LabError
from core.runs.plan import Plan
from core.runs.summary import RunSummary
from ui import connection, links, outside
from ui.services import hosting, long_choices, shipped

if TYPE_CHECKING:
    from core.runs.job import Job
    from core.runs.queue import JobQueue

log = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def queue() -> JobQueue:
    """The queue of this process, with its store. Raises LabError; the next call tries again."""
    hosting.check_server()
    from core.runs.queue import JobQueue
    from core.runs.store.store import Store

    limits = hosting.limits()
    return JobQueue(Store(connection.database(), shipped=shipped.runs_folder()), limits=limits)


def lost(owner: str) -> list[RunSummary]:
    """The runs that a crash had cut short when this process started, until they are dismissed;
    where strangers share the server, this visitor's own."""
    from core.runs.job import hashed

    found = queue().recovered
    return [run for run in found if run.owner == hashed(owner)] if outside.hosted() else [*found]


def dismiss(run: RunSummary) -> None:
    """Nothing more is said of a lost run."""
    queue().recovered.remove(run)


def submit(plan: Plan, owner: str, address: str = "") -> Job:
    """Queues one plan, as `submit_all` does."""
    return submit_all([plan], owner, address)[0]


def submit_all(plans: Sequence[Plan], owner: str, address: str = "") -> list[Job]:
    """Puts plans into the queue, all or none, and keeps a long choice for its links. address: where
    on the network the visitor is, "" where nobody knows. Raises LabError."""
    queued = queue().submit_all(plans, owner, address=address)
    for request in {id(plan.request): plan.request for plan in plans}.values():
        if links.is_long(request):
            try:
                long_choices.keep(request)
            except LabError as error:  # no reason not to run it: the run has its own request
                log.warning("%s", error)
    return queued


def under_way() -> list[Job]:
    """The jobs of all visitors, the one that runs first: for counting, never for showing."""
    return queue().under_way()


def check_seen(id: str, owner: str) -> None:
    """Raises RunMissing for another visitor's run that is not shared, where strangers share the
    server."""
    from core.runs.visitors import check_seen

    if outside.hosted():
        check_seen(queue(), id, owner)


def job(id: str, owner: str) -> Job:
    """The job of a run that this visitor may see, also of an earlier process. Raises LabError."""
    check_seen(id, owner)
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


def owned(id: str, owner: str) -> bool:
    """Whether this token may stop, share and delete a run."""
    from core.runs.visitors import owns

    return owns(queue(), id, owner)


def is_shared(id: str) -> bool:
    """Whether the link of a run was given away."""
    from core.runs.visitors import is_shared

    return is_shared(queue(), id)


def set_shared(id: str, owner: str, shared: bool) -> None:
    """Lets others see a run, or no longer. Raises LabError for anybody but its owner."""
    from core.runs.visitors import set_shared

    set_shared(queue(), id, owner, shared)


def delete(id: str, owner: str) -> None:
    """Deletes a run that has ended. Raises LabError for anybody but its owner."""
    from core.runs.visitors import delete

    delete(queue(), id, owner)
