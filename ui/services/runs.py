"""The finished runs: those of the store, and those that ship."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import LabError, RunMissing, StoreCorrupt
from core.metrics.measures import Evaluation
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.summary import RunSummary
from ui import connection, outside
from ui.services import jobs, shipped

if TYPE_CHECKING:
    from core.runs.store.store import Store

log = logging.getLogger(__name__)
SHOWN = ("finished", "partial")


def store() -> Store:
    """Where the finished runs are."""
    return jobs.queue().store


def set_store_aside() -> None:
    """Starts a new database beside a damaged one; what it could not enter again is in its notes."""
    from core.runs.store.reset import reset_aside

    made = reset_aside(connection.database())
    made.close()
    jobs.queue.clear()
    jobs.queue().store.notes.extend(made.notes)


def load(id: str, owner: str) -> Run:
    """A run by id that this visitor may see, from the store or from what ships. Raises LabError."""
    jobs.check_seen(id, owner)
    return store().load(id)


def summaries(owner: str, limit: int | None = None, also: Iterable[str] = ()) -> list[RunSummary]:
    """Every run that this visitor may list and there is something to see of, the newest first, then
    those that ship: all, or where strangers share the server their own.

    limit: so many of the store's at most, but those in `also` in any case that they may see. Their
    plans' requests are brief.
    """
    mine = store().summaries(limit, statuses=SHOWN, owner=_listed(owner))
    theirs = shipped.summaries()
    known = {s.id for s in (*mine, *theirs)}
    for id in dict.fromkeys(also):
        with contextlib.suppress(RunMissing, StoreCorrupt):
            if id not in known:
                jobs.check_seen(id, owner)
                if (found := store().summary(id)).status in SHOWN:
                    mine.append(found)
    mine_ids = {s.id for s in mine}
    return mine + [s for s in theirs if s.id not in mine_ids]


def count(owner: str) -> int:
    """How many runs of the store this visitor may list."""
    return store().count(SHOWN, _listed(owner))


def _listed(owner: str) -> str | None:
    """Whose runs are listed, None for everybody's. Each page costs what one's own runs cost."""
    from core.runs.job import hashed

    return hashed(owner) if outside.hosted() else None


def references(plan: Plan, owner: str) -> tuple[Evaluation | None, Evaluation | None]:
    """Before and retrained for this data, model and forget set, as an earlier run measured them.

    Both do not depend on the method, so a live run can be shown against them before it has measured
    its own. (None, None) where no such run is at hand.
    """
    request = plan.request.brief().to_json()
    return _references(plan.model, plan.dataset, plan.base, request, owner)


@st.cache_resource(show_spinner=False, max_entries=16, ttl="2m")
def _references(
    model: str, dataset: str, base: str, request: str, owner: str
) -> tuple[Evaluation | None, Evaluation | None]:
    best: tuple[Evaluation | None, Evaluation | None] = (None, None)
    for summary in summaries(owner):
        same = summary.plan
        if (same.model, same.dataset, same.base) != (model, dataset, base):
            continue
        if same.request.brief().to_json() != request or not summary.metrics.get("before"):
            continue
        try:
            run = load(summary.id, owner)
        except LabError as error:
            log.warning("no reference from run %s: %s", summary.id, error)
            continue
        if run.retrained is not None:
            return run.before, run.retrained
        best = (run.before, None)
    return best
