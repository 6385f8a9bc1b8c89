"""One forget set deleted in turn and at once: what the three models that come of it do, and how far
each of the two lies from the ideal."""

from __future__ import annotations

from typing import Any

from core.data.splits import Split
from core.evaluation import Passes, measure
from core.metrics.average_gap import COUNTED, TERMS, Gap, gap
from core.metrics.differences import difference
from core.metrics.evidence import Evidence
from core.metrics.measures import Evaluation
from core.metrics.registry import METRICS
from core.models.classifier import Classifier
from core.robustness.sequence import deletions, in_turn, pieces
from core.runs.offered_data import offering
from core.runs.robust import BATCH, Show, counting
from core.runs.task import Task

WANTED = [METRICS[name] for name in dict.fromkeys((*TERMS[False], *TERMS[True], *COUNTED))]
"""What an average gap is made of."""


def in_turn_and_at_once(task: Task, count: int, show: Show) -> dict[str, Any]:
    """Deletes the forget set in so many pieces, one after another, and at once. JSON-ready: a row
    for each number that the average gap is made of, with "in_turn", "at_once", "retrained" and
    "difference" (between the first two, image by image); and the average gaps, 0 to 1: to the ideal
    ("in_turn", "at_once") and between the two. Raises LabError."""
    dataset, parts, plan = task.dataset, task.parts, task.plan
    splits = deletions(dataset, pieces(parts, count, plan.seed))
    offer = offering(dataset, task.base, task.method.needs)
    turned = task.base.load(task.device)
    for step in in_turn(task.method, turned, splits, offer, plan.seed):
        show(step.phase, step.done, step.total)
    whole, steps = task.start()
    for step in steps:
        show("all at once", step.done, step.total)
    found = {"in_turn": _measured(turned, task, show), "at_once": _measured(whole, task, show)}
    if task.ideal:
        found["retrained"] = measure(task.ideal.evidence(dataset, parts, inside=False), WANTED)
    return {"deletions": count, **_rows(found, parts), "gap": _gaps(found, parts.by_class)}


def _measured(model: Classifier, task: Task, show: Show) -> Evaluation:
    dataset = task.dataset
    sides = dataset.train_labels, dataset.test_labels
    total = sum(-(-len(labels) // BATCH) for labels in sides)
    passes, counted = Passes(model.eval(), dataset, task.parts), counting("measuring", total, show)
    passes.see("test", after_batch=counted)
    passes.see("train", after_batch=counted)
    labels = dataset.train_labels.numpy(), dataset.test_labels.numpy()
    return measure(Evidence(passes.train, passes.test, *labels, task.parts), WANTED)


def _rows(found: dict[str, Evaluation], parts: Split) -> dict[str, Any]:
    rows = {}
    for name in TERMS[parts.by_class]:
        values = {way: of[name] for way, of in found.items()}
        turned, whole = values["in_turn"], values["at_once"]
        apart = difference(turned, whole)[0] if turned and whole else None
        rows[name] = {
            way: value and value.to_dict() for way, value in {**values, "difference": apart}.items()
        }
    return rows


def _gaps(found: dict[str, Evaluation], by_class: bool) -> dict[str, Any]:
    ideal = found.get("retrained")
    gaps = {way: gap(found[way], ideal, by_class) for way in ("in_turn", "at_once")}
    gaps["between"] = gap(found["in_turn"], found["at_once"], by_class)
    return {name: value and _as_share(value) for name, value in gaps.items()}


def _as_share(value: Gap) -> dict[str, float]:
    """Points as a fraction, like every other number here."""
    return {name: points / 100 for name, points in value._asdict().items()}
