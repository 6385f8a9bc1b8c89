"""Differences between two models, paired image by image where they can be, and the area under an
attack's curve; numpy only."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.metrics.measures import Correct, Losses, Measure

Z = 1.959963984540054
"""Of a 95 % interval."""


def paired_difference(first: Correct, second: Correct) -> Measure:
    """The mean of first - second over the same images, with its normal 95 % interval (Wald's for
    paired proportions): no width where the two agree on each image. first, second: bool (n,)."""
    differences = first.astype(np.float64) - second
    middle = float(differences.mean())
    half = Z * float(differences.std()) / math.sqrt(len(differences))
    return Measure(middle, middle - half, middle + half, len(differences))


def unpaired_difference(first: Measure, second: Measure) -> Measure:
    """first - second with an interval from those of the two (Newcombe 1998, method 10)."""
    middle = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Measure(middle, middle - below, middle + above, min(first.n, second.n))


def auc_parts(
    forget: Losses, unseen: Losses
) -> tuple[float, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """How often a forgotten image has the lower loss of a pair, ties counted half: .5 is no
    difference, 1 means that each is given away. Also each image's own part in it: (forget,) and
    (unseen,), whose means are both that number."""
    # Ranks see the order alone, so losses that are no numbers or infinite only have to be large.
    forget_losses, unseen_losses = (
        np.nan_to_num(x.astype(np.float64), nan=np.inf, posinf=np.inf) for x in (forget, unseen)
    )
    of_forget = 1 - _share_below(forget_losses, np.sort(unseen_losses))
    of_unseen = _share_below(unseen_losses, np.sort(forget_losses))
    return float(of_forget.mean()), (of_forget, of_unseen)


def _share_below(values: NDArray[np.float64], ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `ordered`, the share below each value; what equals it counts half."""
    below = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    return (below + up_to) / (2.0 * len(ordered))


def variance_of_mean(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) / len(values)
