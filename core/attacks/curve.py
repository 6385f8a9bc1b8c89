"""How well a score tells members from others, over all thresholds: numpy only.

A score is one number an image; a high one speaks for membership. What is not a number speaks
against it.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from core.metrics.measures import Measure, Z, of_images, wilson

Floats = NDArray[np.float64]

SMALLEST = 10
"""Images on a side: fewer say nothing about how much their mean strays."""


def auc(members: Floats, others: Floats) -> Measure | None:
    """How often a member scores higher than another image, of all pairs, ties counted half: the
    area under the ROC curve. .5 is no difference, 1 means that each is given away. The interval is
    DeLong's (1988). None where a side has fewer than `SMALLEST` images."""
    if min(len(members), len(others)) < SMALLEST:
        return None
    members, others = _ordered(members), _ordered(others)
    of_members = share_below(members, np.sort(others))
    of_others = 1 - share_below(others, np.sort(members))
    # Both have the AUC as their mean, and each image strays by its own part of them.
    half = float(of_members.mean()) / 2
    each = tuple((part - half).astype(np.float32) for part in (of_members, of_others))
    found = of_images(*each)
    # Where (nearly) all pairs are told apart no part strays: Wilson's interval is the floor.
    floor = wilson(found.value * found.n, found.n) if found.value in (0.0, 1.0) else found
    return dataclasses.replace(
        found, low=min(found.low, floor.low), high=max(found.high, floor.high)
    )


def balanced_accuracy(members: Floats, others: Floats) -> Measure | None:
    """The accuracy of the best threshold, where both sides weigh the same. The threshold for each
    half of the images is chosen on the other half, or noise would look like an attack. None where a
    side has fewer than twice `SMALLEST` images."""
    if min(len(members), len(others)) < 2 * SMALLEST:
        return None
    members, others = _ordered(members), _ordered(others)
    draw = np.random.default_rng(0)
    halves = [draw.permutation(len(side)) % 2 == 0 for side in (members, others)]
    called = [np.zeros(len(side)) for side in (members, others)]
    for first in (True, False):
        chosen_on = [half == first for half in halves]
        threshold = _best_threshold(members[chosen_on[0]], others[chosen_on[1]])
        for side, scores, chosen in zip(called, (members, others), chosen_on, strict=True):
            side[~chosen] = scores[~chosen] >= threshold
    return of_images(*(part.astype(np.float32) / 2 for part in (called[0], 1 - called[1])))


def tpr_at(fpr: float, members: Floats, others: Floats) -> Measure | None:
    """Of the members, the share that is found by the threshold that wrongly accuses at most `fpr`
    of the others (Carlini et al. 2022, arXiv 2112.03570); `fpr` of them where nothing leaks.

    The interval is Wilson's for the members, at thresholds for 1.96 standard deviations fewer and
    more of the others. None where fewer than ten others lie above the threshold.
    """
    accused = fpr * len(others)
    if accused < SMALLEST or len(members) < SMALLEST:
        return None
    members, others = _ordered(members), np.sort(_ordered(others))[::-1]

    def found(above: float) -> Measure:
        threshold = others[min(max(0, math.floor(above)), len(others) - 1)]
        return wilson(int((members > threshold).sum()), len(members))

    stray = Z * math.sqrt(accused * (1 - fpr))
    middle = found(accused)
    return dataclasses.replace(
        middle, low=found(accused - stray).low, high=found(accused + stray).high
    )


def _ordered(scores: Floats) -> Floats:
    """Scores that can be compared."""
    return np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def share_below(values: Floats, ordered: Floats) -> Floats:
    """Of `ordered`, which is sorted, the share below each value; what equals it counts half."""
    below = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    return (below + up_to) / (2.0 * len(ordered))


def _best_threshold(members: Floats, others: Floats) -> float:
    """From which score on an image is best called a member: half-way between two scores."""
    scores = np.unique(np.concatenate([members, others]))
    between = scores[:-1] + np.nan_to_num(np.diff(scores), nan=0.0, posinf=1e300) / 2
    candidates = np.concatenate([[-np.inf], between, [np.inf]])
    found = 1 - np.searchsorted(np.sort(members), candidates, side="left") / len(members)
    spared = np.searchsorted(np.sort(others), candidates, side="left") / len(others)
    return float(candidates[np.argmax(found + spared)])
