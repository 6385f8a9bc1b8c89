"""How long a run will take, and what stands before it in the queue, as far as that was measured."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import LabError
from core.runs.plan import Plan
from core.runs.summary import RunSummary
from ui.services import ideals, images, jobs, methods, runs, shipped
from ui.services.methods import MODEL

if TYPE_CHECKING:
    from core.runs.job import Job

log = logging.getLogger(__name__)
CASES = {"random": "random:0.1", "class": "class:automobile"}
"""The measured case that stands for each kind of request."""
EARLIER = 100
"""Of the newest runs, from which it is read how long a method took here."""


def seconds(plan: Plan, owner: str) -> float | None:
    """Of the method alone: of an earlier run here, else on two cores as measured with the tuned
    settings, times the share of its passes that are set. None where nobody has measured it. owner:
    whose runs are looked at. Raises LabError; imports torch."""
    if plan.method == "retrain":
        return ideals.seconds_of_training(plan.model, plan.dataset)
    case = images.case(plan.dataset, plan.request)
    described = methods.descriptions().get(plan.method)
    tuned = methods.defaults(described, case).get("epochs") if described else None
    passes = float(plan.settings.get("epochs", tuned)) if tuned else 1.0
    for run in _earlier(owner):
        if run.shipped:  # made on another machine
            continue
        known, whole = run.seconds.get("unlearning"), run.plan.request.kind == "classes"
        if known and _alike(run.plan, plan) and whole == (plan.request.kind == "classes"):
            return known * passes / float(run.settings.get("epochs", tuned) or 1.0)
    if (plan.model, plan.dataset) != (MODEL, "cifar10"):
        return None
    try:
        rows = shipped.measured_methods()
    except LabError:
        return None
    found = [r for r in rows if (r["method"], r["case"]) == (plan.method, CASES[case])]
    if not found or described is None:
        return None
    return float(found[0]["seconds"]) * (passes / tuned if tuned else 1.0)


def whole(plan: Plan, owner: str) -> float | None:
    """The same with the check that follows, None where one of the two is not known."""
    forget = seconds(plan, owner)
    checks = [
        run.seconds["measuring"]
        for run in _earlier(owner)
        if (run.plan.model, run.plan.dataset) == (plan.model, plan.dataset)
        and "measuring" in run.seconds
    ]
    return None if forget is None or not checks else forget + checks[0]


def until_start(id: str, owner: str) -> float | None:
    """Seconds until a waiting job starts, None where that is not known."""
    total = 0.0
    for job in jobs.under_way():
        if job.id == id:
            return total
        try:
            left = _left(job, owner)
        except LabError:
            return None
        if left is None:
            return None
        total += left
    return None


def _left(job: Job, owner: str) -> float | None:
    """Seconds until a job ahead has ended."""
    known = whole(job.plan, owner)
    return None if known is None else max(0.0, known - sum(job.phases.values()))


def _alike(run: Plan, plan: Plan) -> bool:
    return (run.model, run.dataset, run.method) == (plan.model, plan.dataset, plan.method)


@st.cache_data(show_spinner=False, ttl="20s", max_entries=32)
def _earlier(owner: str) -> list[RunSummary]:
    """The newest finished runs that this visitor may list."""
    try:
        found = runs.summaries(owner, EARLIER)
    except LabError as error:
        log.warning("%s", error)
        return []
    return [run for run in found if run.status == "finished"]
