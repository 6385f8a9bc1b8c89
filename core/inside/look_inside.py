"""The look inside: the network before, the one that a run left, and the ideal, depth by depth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from core.checkpoints.outcomes import evidence_of
from core.data.splits import fold_of_each
from core.errors import CheckpointMissing
from core.inside.found import MODELS, PAIRS, SIDES, Inside, Numbers, write_inside
from core.inside.looks import Looks, kept_look, kept_rows, look, look_of_folds, passes
from core.inside.photos import Shown, photos
from core.inside.subject import Subject
from core.layers import weights_of
from core.metrics.confusion import confusion
from core.metrics.differences import difference
from core.metrics.evidence import Evidence, Outcome, Sample
from core.metrics.measures import Measure
from core.metrics.movement import relative_movement
from core.metrics.representation import FEWEST, cka, excess_of_forgotten
from core.models.precision import best_device

Seen = Callable[[str, float], None]
"""Called as it goes on: which model is looked into ("before", "after", "retrained"; then "reading",
while the numbers are made), and the share of all that is done, 0 to 1."""
KEPT_TO_FORGOTTEN = 9
"""Images to keep for each forgotten one that a read-out learns from where whole classes are
forgotten, as in `core.metrics.representation`: a class of ten."""


def look_inside(subject: Subject, seen: Seen = lambda model, share: None) -> Inside:
    """Looks into all three, and keeps what was found. Raises LabError; CheckpointMissing where the
    network that the run left is not kept."""
    if subject.left is None or subject.answers is None:
        raise CheckpointMissing("The network that this run left is not kept here.")
    looks, moved = _looks(subject, seen)
    before = evidence_of(subject.base, None, subject.dataset, subject.parts, inside=False)
    answers = {"before": before, "after": _answered(before, subject.answers)}
    if subject.ideal:
        ideal = subject.ideal.evidence(subject.dataset, subject.parts, inside=False)
        answers["retrained"] = ideal
    seen("reading", 1.0)
    known = {model: _known(looks[model], answers[model], subject) for model in looks}
    shown = Shown(subject.images, len(subject.dataset.train_labels))
    measures = [[known.get(model, {}).get(d) for d in looks["before"]] for model in MODELS]
    inside = Inside(
        depths=np.array(list(looks["before"])),
        whole=subject.images.whole,
        judged=max((m.n for row in measures for m in row if m), default=0),
        networks=_networks(subject),
        excess=np.array([[_numbers(m) for m in row] for row in measures]),
        right=np.array([[_right(m) for m in row] for row in measures]),
        away=np.array([[_away(a, b) for a, b in zip(row, measures[2], strict=True)]
                       for row in measures[:2]]),
        alike=_alike(looks, subject),
        moved=moved,
        confusions=np.stack([_confusions(answers.get(model), subject) for model in MODELS]),
        **photos(shown, looks, known, subject.images.whole),
    )  # fmt: skip
    write_inside(subject.name, inside)
    return inside


def _looks(subject: Subject, seen: Seen) -> tuple[dict[str, Looks], Numbers]:
    """What is seen inside each model, the one before and the ideal once for all runs of this forget
    set; and how far the weights have moved."""
    dataset, images = subject.dataset, subject.images
    assert subject.left is not None
    each = passes(images)
    total = 2 * each + (passes(images, _networks(subject)) if subject.ideal_is_kept else 0)
    done = 0

    def after_batch(model: str) -> Callable[[], None]:
        def count() -> None:
            nonlocal done
            done += 64
            seen(model, min(0.99, done / total))

        return count

    about = f"{dataset.fingerprint[:16]}-{images.digest}"
    seen("after", 0.0)
    device = best_device()
    left, base = subject.left.load(device), subject.base.load(device)
    looks = {"after": look(left, dataset, images, after_batch("after"))}
    moved = [
        relative_movement(weights_of(a), weights_of(b))
        for a, b in zip(base.depths(), left.depths(), strict=True)
    ]
    looks["before"] = kept_look(
        f"layers-{subject.base.sha256[:16]}-{about}",
        lambda: look(base, dataset, images, after_batch("before")),
    )
    if subject.ideal_is_kept and subject.ideal:
        models = subject.ideal.models
        count = after_batch("retrained")
        looks["retrained"] = kept_look(
            f"layers-{subject.ideal.name[:22]}-{about}",
            lambda: (
                look_of_folds(models, dataset, images, count)
                if images.folds
                else look(models[0].load(device), dataset, images, count)
            ),
        )
    return looks, np.array(moved)


def _networks(subject: Subject) -> int:
    if not subject.ideal_is_kept:
        return 0
    return len(subject.images.folds) or 1


def _answered(before: Evidence, answers: tuple[Outcome, Outcome]) -> Evidence:
    return dataclasses.replace(before, train=answers[0], test=answers[1])


def _known(looks: Looks, evidence: Evidence, subject: Subject) -> dict[str, Measure | None]:
    """By depth, what a fresh read-out knows of the forgotten beyond what it is compared with."""
    known = max(1, len(subject.images.retain) // KEPT_TO_FORGOTTEN)
    return {
        depth: excess_of_forgotten(dataclasses.replace(evidence, samples=samples), known, 1)
        for depth, samples in looks.items()
    }


def _numbers(measure: Measure | None) -> tuple[float, float, float]:
    return (measure.value, measure.low, measure.high) if measure else (math.nan,) * 3


def _right(measure: Measure | None) -> tuple[float, float]:
    if measure is None:
        return math.nan, math.nan
    return float(measure.each[0].mean()), float(-measure.each[1].mean())


def _away(measure: Measure | None, ideal: Measure | None) -> tuple[float, float, float]:
    return _numbers(difference(measure, ideal)[0] if measure and ideal else None)


def _alike(looks: Mapping[str, Looks], subject: Subject) -> Numbers:
    """See `Inside.alike`. Of an ideal of several networks the mean over them."""
    images = subject.images
    own = fold_of_each(len(subject.dataset.train_labels))
    found = np.full((len(PAIRS), 2, len(looks["before"])), np.nan)
    for i, (first, second) in enumerate(PAIRS):
        if second not in looks:
            continue
        for j, name in enumerate(("forget", "retain")):
            for k, depth in enumerate(looks["before"]):
                ours, theirs = looks[first][depth][name], looks[second][depth][name]
                values = []
                for fold in [None] if theirs.model is None else images.folds:
                    rows = np.flatnonzero(theirs.of(fold))
                    if fold is not None and name == "retain":
                        rows = kept_rows(images, own, fold)
                    if theirs.model is None:
                        rows = np.arange(len(theirs.labels))
                    if len(rows) >= FEWEST:
                        one, other = _finite(ours)[rows], _finite(theirs)[theirs.of(fold)]
                        values.append(cka(one, other))
                if values:
                    found[i, j, k] = float(np.mean(values))
    return found


def _finite(sample: Sample) -> NDArray[np.float32]:
    return np.nan_to_num(sample.features.astype(np.float32), posinf=1e4, neginf=-1e4)


def _confusions(evidence: Evidence | None, subject: Subject) -> NDArray[np.int64]:
    """Of the images to forget, then of all test images; zeros where no answers are known."""
    classes = len(subject.dataset.class_names)
    if evidence is None:
        return np.zeros((len(SIDES), classes, classes), np.int64)
    forget = subject.parts.forget
    return np.stack(
        [
            confusion(evidence.train_labels[forget], evidence.train.predictions[forget], classes),
            confusion(evidence.test_labels, evidence.test.predictions, classes),
        ]
    )
