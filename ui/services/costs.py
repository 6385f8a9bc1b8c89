"""What the runs of one forget set cost and what they bought; each is judged once a process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.data.requests import ForgetRequest
from core.errors import LabError
from core.metrics.average_gap import Gap
from core.runs.by_class import OfClass, by_class
from core.runs.run import Run
from core.runs.summary import RunSummary
from ui import links
from ui.services import ideals, images, methods, runs, shipped
from ui.wording.cost import Bought, Cost, bought
from ui.wording.measured import CASES
from ui.wording.verdicts import headline

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """What is kept of a run: its distance, None where it is not known, and its verdict."""

    gap: Gap | None
    bought: Bought
    headline: str


def of_runs(summaries: Sequence[RunSummary]) -> tuple[list[Cost], list[LabError]]:
    """Those whose distance to the ideal is known; and why some could not be read. summaries: of
    runs that this visitor may see."""
    found: list[Cost] = []
    errors: list[LabError] = []
    again = retraining(summaries)
    for summary, name in zip(summaries, methods.names(summaries), strict=True):
        seconds = summary.seconds.get("unlearning")
        if summary.value("after", "average_gap") is None or seconds is None:
            continue
        try:
            judged = _judged(summary.id, summary.status)
        except LabError as error:
            errors.append(error)
            continue
        if judged.gap is None:
            continue
        found.append(
            Cost(
                summary.id,
                name,
                summary.plan.method,
                seconds,
                judged.gap,
                judged.bought,
                seconds / again if again else None,
                summary.id,
                judged.headline,
                summary.plan.method == "retrain",
            )
        )
    return found, errors


@st.cache_resource(show_spinner=False, max_entries=512)
def _judged(id: str, status: str) -> Judged:
    from core.runs.verdicts import verdict_of

    run = runs.store().load(id)
    measure = run.after["average_gap"] if run.after is not None else None
    points = None
    if measure is not None:
        points = Gap(*(100 * end for end in (measure.value, measure.low, measure.high)))
    return Judged(points, bought(verdict_of(run)), headline(run))


def retraining(summaries: Sequence[RunSummary]) -> float | None:
    """Seconds that retraining takes: of such a run among these, else as the makers measured it for
    these photos, else of training the network before on the machine that trained it; None where
    nobody knows."""
    done = [
        seconds
        for summary in summaries
        if summary.plan.method == "retrain" and summary.status == "finished"
        if (seconds := summary.seconds.get("unlearning"))
    ]
    if done:
        return done[0]
    if not summaries:
        return None
    plan = summaries[0].plan
    again = _row_of_retraining(plan.dataset, plan.request)
    return again["seconds"] if again else ideals.seconds_of_training(plan.model, plan.dataset)


def measured(dataset: str, request: ForgetRequest, but: Sequence[str]) -> list[Cost]:
    """The methods as the makers of the app measured them on this forget set, none where they did
    not. but: methods to leave out. Raises LabError for a damaged file."""
    labels = methods.labels()
    return [
        Cost(
            f"measured {row['method']}",
            labels[row["method"]],
            row["method"],
            float(row["seconds"]),
            Gap(float(row["gap"]), float(row["low"]), float(row["high"])),
            "no verdict",
            float(row["share"]),
            again=row["method"] == "retrain",
        )
        for row in _rows(dataset, request)
        if not row["control"] and row["method"] in labels and row["method"] not in but
    ]


def tied(dataset: str, request: ForgetRequest) -> float | None:
    """Up to how many points two retrainings lie apart, where that was measured."""
    again = _row_of_retraining(dataset, request)
    return again["high"] if again else None


def _row_of_retraining(dataset: str, request: ForgetRequest) -> dict[str, Any] | None:
    return next((r for r in _rows(dataset, request) if r["method"] == "retrain"), None)


def _rows(dataset: str, request: ForgetRequest) -> list[dict[str, Any]]:
    if dataset != "cifar10":
        return []
    case = next((name for name in CASES if links.forget_request(name) == request), None)
    try:
        return [row for row in shipped.measured_methods() if row["case"] == case]
    except LabError as error:  # the page of the methods says so
        log.warning("%s", error)
        return []


def classes(run: Run) -> list[OfClass]:
    """How often each class is recognised. Raises LabError where the images are not here, or are
    others."""
    return _classes(run.id, run)


@st.cache_resource(show_spinner=False, max_entries=64)
def _classes(id: str, _run: Run) -> list[OfClass]:
    data = images.dataset(_run.plan.dataset)
    labels = data.test_labels.numpy()
    return by_class(_run, labels, data.class_names, data.fingerprint)
