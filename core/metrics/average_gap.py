"""How far a model lies from the one retrained without the forget set, and how sure that is.

The average gap of the published tables is the mean absolute difference in four numbers (`TERMS`).
It sees outputs only: a network whose answer is muted and whose features are as they were may come
as near as one that forgot.

Its interval is from a bootstrap over images. With d the four differences that were measured and D
those of endlessly many images, the gap is off by at most mean |d - D|, whatever their signs. So the
interval is the gap plus and minus the 95 % quantile of mean |d* - d|, d* the differences on images
drawn anew, and it begins at 0. (The quantiles of the redrawn gap itself would not do: absolute
values of noise only add, so that they never reach down to a gap near 0.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.attacks.attack import ROUNDS
from core.attacks.simple_mia import hits
from core.errors import BadRequest
from core.metrics.accuracies import FORGET, RETAIN, RETAINED_TEST
from core.metrics.evidence import Evidence
from core.metrics.measures import Evaluation, Measure
from core.metrics.metric import OUTCOMES, Metric

Floats = NDArray[np.float64]


Shares = tuple[Floats, ...]
"""What each image adds to the four numbers: one array (images, 4) for each set of images, such that
a number is the sum, over the sets, of the mean of its column."""


TERMS = {
    False: ("forget_accuracy", "retain_accuracy", "test_accuracy", "mia"),
    True: ("forget_accuracy", "retain_accuracy", "retained_test_accuracy", "mia_class_matched"),
}
"""The four numbers, by whether whole classes are forgotten. All are fractions, 0 to 1."""


COUNTED = ("forget_accuracy", "retain_accuracy", "retained_test_accuracy")
"""The accuracies whose images are drawn anew: all that the gap is made of but the attack."""


REPLICATES = 2000


class Gap(NamedTuple):
    """An average gap in points, 0 to 100, and its 95 % interval. Less is nearer."""

    value: float
    low: float
    high: float


def gap(after: Evaluation | None, retrained: Evaluation | None, by_class: bool) -> Gap | None:
    """Of two models measured on the same images; None where a model or an attack is missing."""
    if after is None or retrained is None:
        return None
    try:
        return paired(shares(after, by_class), shares(retrained, by_class))
    except BadRequest:
        return None


def shares(model: Evaluation, by_class: bool) -> Shares:
    """What each image adds to the four numbers of a model. by_class: whether whole classes are
    forgotten, or part of each; else some images of every class must be kept. Raises BadRequest
    where there are too few images for the attack (ten a side)."""
    unseen = model.class_matched_losses if by_class else model.test_losses
    rounds = ROUNDS if by_class else 1
    spied = hits(model.forget_losses, unseen, subsamples=rounds)
    if spied is None:
        raise BadRequest("There are too few images for the attack, and so for a gap.")
    if any((found := model[name]) is None or not found.n for name in COUNTED):
        raise BadRequest("There are too few images for a gap.")
    forgotten, retained, test = (
        np.asarray(found.each[0], np.float64)
        for name in COUNTED
        if (found := model[name]) is not None
    )
    forget = _columns(len(forgotten), {0: forgotten, 3: spied[0] / 2})
    retain = _columns(len(retained), {1: retained})
    if by_class:  # other test images: those of the classes it keeps
        kept = _columns(len(test), {2: test})
        return forget, retain, kept, _columns(len(unseen), {3: spied[1] / 2})
    return forget, retain, _columns(len(unseen), {2: test, 3: spied[1] / 2})


def paired(after: Shares, retrained: Shares, seed: int = 0) -> Gap:
    """The gap of two models that were measured on the same images: an image that is drawn, is drawn
    for both."""
    draw = np.random.default_rng(seed)
    differences = np.zeros(4)
    strayed = np.zeros((REPLICATES, 4))
    for one, other in zip(after, retrained, strict=True):
        kinds, counts = np.unique(one - other, axis=0, return_counts=True)
        n = counts.sum()
        mean = counts @ kinds / n
        # Images that differ alike are drawn together: the same bootstrap, without a row an image.
        strayed += draw.multinomial(n, counts / n, REPLICATES) @ kinds / n - mean
        differences += mean
    return _gap(differences, strayed)


def unpaired(
    after: Sequence[float], retrained: Sequence[float], counts: Sequence[float], seed: int = 0
) -> Gap:
    """The gap where only the numbers were kept: each is drawn from a binomial of its own.

    after, retrained: the four numbers. counts: how many images are behind each (see
    `attack_count` for the attack). Wider than `paired`, since an image that is hard for one model
    and for the other looks like two accidents.
    """
    draw = np.random.default_rng(seed)
    strayed = np.zeros((REPLICATES, 4))
    for sign, numbers in ((1, after), (-1, retrained)):
        for column, (share, count) in enumerate(zip(numbers, counts, strict=True)):
            n = max(1, round(count))
            # Half a hit and half a miss more: 0 of n is no certainty.
            chance = (share * n + 0.5) / (n + 1)
            strayed[:, column] += sign * (draw.binomial(n, chance, REPLICATES) / n - chance)
    return _gap(np.subtract(after, retrained), strayed)


def attack_count(of: Shares) -> float:
    """How many independent guesses would stray as much as the attack's accuracy on this model. Its
    random tests meet an image several times or not at all, so that it is not the images' number."""
    columns = [found[:, 3] for found in of]
    value = sum(float(column.mean()) for column in columns)
    variance = sum(float(column.var()) / len(column) for column in columns)
    return value * (1 - value) / variance if variance else float(sum(map(len, columns)))


def mean_gap(gaps: Sequence[Gap]) -> Gap:
    """Of several seeds on the same images: more seeds do not make the images more."""
    return Gap(*(float(np.mean(column)) for column in zip(*gaps, strict=True)))


def nearer(one: Gap, other: Gap) -> bool:
    """Whether the first gap is surely the smaller: the 95 % interval of their difference, made from
    both intervals as if they were independent (MOVER, Zou and Donner 2008), does not hold 0."""
    return other.value - one.value > math.hypot(one.high - one.value, other.value - other.low)


def _columns(images: int, columns: Mapping[int, Any]) -> Floats:
    found = np.zeros((images, 4))
    for column, values in columns.items():
        found[:, column] = values
    return found


def _gap(differences: Any, strayed: Floats) -> Gap:
    value = 100 * float(np.abs(differences).mean())
    width = 100 * float(np.quantile(np.abs(strayed).mean(axis=1), 0.95))
    return Gap(value, max(0.0, value - width), value + width)


def _measure(evidence: Evidence) -> Measure | None:
    if evidence.ideal is None:
        return None
    try:
        found = paired(_shares(evidence), _shares(evidence.ideal))
    except BadRequest:
        return None
    n = min(len(evidence.forget.labels), len(evidence.fair_unseen.labels))
    return Measure(found.value / 100, found.low / 100, found.high / 100, n)


def _shares(evidence: Evidence) -> Shares:
    def made() -> Shares:
        terms = {
            metric.name: metric.measure(evidence) for metric in (FORGET, RETAIN, RETAINED_TEST)
        }
        model = Evaluation(
            terms,
            forget_losses=evidence.forget.losses,
            test_losses=evidence.unseen().losses,
            class_matched_losses=evidence.unseen(class_matched=True).losses,
        )
        return shares(model, evidence.split.by_class)

    return evidence.once("average gap", made)


AVERAGE = Metric(
    "average_gap",
    "average gap",
    "The mean distance to the retrained network in four numbers: the accuracy on forgotten, kept "
    "and new images and the simple attack's. It sees outputs only: a masked answer pleases it.",
    _measure,
    OUTCOMES | {"ideal", "retained"},
    slow=True,
)
