"""What the three models of a plan withstand. Nothing is kept in the store: the unlearned model is
made again from the plan, which gives the same weights, or is what a finished run left.

A measure is a row: of each model its number with the interval, and the difference between the
unlearned and the retrained one, image by image. All is JSON-ready, as fractions.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.checkpoints.unlearned import network_left
from core.curvature.products import finish
from core.data.images import Images
from core.data.names import BACKDOOR
from core.data.poisoned import TARGET
from core.data.splits import drawn
from core.evaluation import per_image
from core.metrics.differences import difference_of_shares
from core.metrics.measures import Measure, share_of
from core.models.classifier import Classifier
from core.robustness import adversarial, corruptions
from core.robustness.adversarial import ATTACKS, adversarial_accuracy
from core.robustness.corruptions import corruption_accuracies, mean_corruption_accuracy
from core.robustness.poison import backdoor_success, regained
from core.robustness.relearning import Lesson, relearning
from core.runs.run import Run
from core.runs.task import Task

BATCH = 64
Show = Callable[[str, int, int], None]
"""Told after each batch what is done, how many batches of it, and of how many; what it raises ends
the work."""
Row = dict[str, Any]
"""By the model's name (`Models.each`) and "difference" the measures, None of what is not there."""


@dataclass(frozen=True)
class Models:
    """retrained: None where there is none, where the ideal is put together from several networks,
    and where only its answers are kept. seconds: that unlearning took."""

    before: Classifier
    after: Classifier
    retrained: Classifier | None
    seconds: float

    @property
    def each(self) -> dict[str, Classifier]:
        """Those that are there, by name."""
        found = {"before": self.before, "after": self.after, "retrained": self.retrained}
        return {name: model for name, model in found.items() if model is not None}


def models_of(task: Task, show: Show) -> Models:
    """Unlearns. Raises LabError."""
    after, steps = task.start()
    clock = time.perf_counter()
    for step in steps:
        show(step.phase, step.done, step.total)
    seconds = round(time.perf_counter() - clock, 3)
    return Models(task.base.load(task.device), after.eval(), _retrained(task), seconds)


def models_left(task: Task, run: Run) -> Models:
    """Those of a finished run: nothing is unlearned again. task: of the run's plan. Raises
    BadRequest where the images are others than the run's, CheckpointMissing where the network that
    it left is not kept."""
    run.check_images(task.dataset.fingerprint)
    left = network_left(run.id)
    seconds = float(run.seconds.get("unlearning", 0.0))
    after = left.load(task.device).eval()
    return Models(task.base.load(task.device), after, _retrained(task), seconds)


def _retrained(task: Task) -> Classifier | None:
    if task.ideal is None or task.ideal.kind != "retrained":
        return None
    kept = task.ideal.models[0]
    return kept.load(task.device) if kept.manifest.get("keep") != "logits" else None


def row(found: Mapping[str, Measure]) -> Row:
    """Of shares of the same images, see `Row`."""
    after, retrained = found["after"], found.get("retrained")
    apart = difference_of_shares(after, retrained) if retrained else None
    measures = {name: found.get(name) for name in ("before", "after", "retrained")}
    return {
        name: measure and measure.to_dict()
        for name, measure in (measures | {"difference": apart}).items()
    }


def under_corruption(
    task: Task, models: Models, images: int, seed: int, show: Show
) -> dict[str, Any]:
    """The accuracy as it is and by corruption, there a row for each of the strengths 1 to 5, and
    the mean of these. images: at most so many test images of the retained classes, always the same.
    """
    shown, labels = _tested(task, images)
    batches = -(-len(labels) // corruptions.BATCH)
    variants = 1 + len(corruptions.CORRUPTIONS) * corruptions.STRONGEST
    counted = counting("corruptions", len(models.each) * variants * batches, show)
    grids = {
        name: corruption_accuracies(model, shown, labels, seed=seed, after_batch=counted)
        for name, model in models.each.items()
    }
    rows = {
        kind: [
            row({name: grid[kind][strength] for name, grid in grids.items()})
            for strength in range(corruptions.STRONGEST + 1)
        ]
        for kind in corruptions.CORRUPTIONS
    }
    clean = next(iter(rows.values()))[0]
    mean = row({name: mean_corruption_accuracy(grid) for name, grid in grids.items()})
    by_kind = {kind: each[1:] for kind, each in rows.items()}
    return {"images": len(labels), "clean": clean, "mean": mean, **by_kind}


def under_attack(
    task: Task, models: Models, images: int, eps: float, seed: int, show: Show
) -> dict[str, Any]:
    """The accuracy as it is and under each attack, a row each. images: as for `under_corruption`.
    eps: 0 to 1."""
    shown, labels = _tested(task, images)
    batches = -(-len(labels) // adversarial.BATCH)
    counted = counting("attacks", len(models.each) * len(ATTACKS) * batches, show)
    clean = {name: _right(model, shown, labels) for name, model in models.each.items()}
    attacked: dict[str, Row] = {
        attack: row(
            {
                name: adversarial_accuracy(
                    model, shown, labels, eps, attack, seed=seed, after_batch=counted
                )
                for name, model in models.each.items()
            }
        )
        for attack in ATTACKS
    }
    return {"images": len(labels), "eps": eps, "clean": row(clean), **attacked}


def by_relearning(task: Task, models: Models, lesson: Lesson, show: Show) -> dict[str, Any]:
    """How fast what was forgotten comes back: of both lessons the mean accuracies on forgotten
    images along the way, a row, and the curves; see `core.robustness.relearning`."""
    dataset, parts = task.dataset, task.parts
    retain, forget = (
        Images(dataset.train_images, dataset.train_labels, torch.from_numpy(indices))
        for indices in (parts.retain, parts.forget)
    )
    work = relearning(models.after, models.retrained, retain, forget, lesson)
    found = finish(work, lambda counts: show("relearning", *counts))
    means = {
        name: row(
            {"after": result.after.mean}
            | ({"retrained": result.ideal.mean} if result.ideal else {})
        )
        for name, result in found.items()
    }
    curves = {name: result.to_dict() for name, result in found.items()}
    return {"lesson": dataclasses.asdict(lesson), **means, "curves": curves}


def without_the_bad(task: Task, models: Models, show: Show) -> dict[str, Any]:
    """What the removal of bad training data brings back: the accuracy on test images and, where
    there is a backdoor, how often it opens, a row each; and the share of the lost accuracy that
    came back, None where it is not sure that any was lost or nobody was retrained."""
    images, labels = task.dataset.test_images, task.dataset.test_labels
    backdoor = task.dataset.name == BACKDOOR
    shown = [len(labels), int((labels != TARGET).sum()) if backdoor else 0]
    batches = sum(-(-count // BATCH) for count in shown)
    counted = counting("test images", len(models.each) * batches, show)
    right = {name: _right(model, images, labels, counted) for name, model in models.each.items()}
    back = None
    if "retrained" in right:
        back = regained(right["retrained"], right["before"], right["after"])
    found = {"test_accuracy": row(right), "regained": back and back.to_dict()}
    if backdoor:
        opened = {
            name: backdoor_success(model, images, labels, after_batch=counted)
            for name, model in models.each.items()
        }
        found["backdoor_success"] = row(opened)
    return found


def _right(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    after_batch: Callable[[], None] | None = None,
) -> Measure:
    predictions = per_image(model, images, labels, BATCH, after_batch=after_batch).predictions
    return share_of(predictions == labels.numpy())


def _tested(task: Task, images: int) -> tuple[Tensor, Tensor]:
    """Test images of the retained classes, and their labels."""
    chosen = torch.from_numpy(drawn(task.parts.test_retained, images))
    return task.dataset.test_images[chosen], task.dataset.test_labels[chosen]


def counting(what: str, total: int, show: Show) -> Callable[[], None]:
    """What to call after each of so many batches."""
    done = itertools.count(1)
    return lambda: show(what, next(done), total)
