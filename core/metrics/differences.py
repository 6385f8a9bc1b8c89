"""The difference of one number between two models, paired image by image where it can be."""

from __future__ import annotations

import math

import numpy as np

from core.metrics.measures import Measure, Z, variance_of_mean


def difference(first: Measure, second: Measure) -> tuple[Measure, bool]:
    """first - second with its 95 % interval, and whether it is of the same images.

    Image by image where both are known so: of accuracies with two images added on which the models
    half disagree (Agresti and Min 2005), for a dozen images on which they agree prove little; of an
    AUC as DeLong, DeLong and Clarke-Pearson (1988) have it. Otherwise from the two
    intervals (Newcombe 1998, method 10).
    """
    n = min(first.n, second.n)
    value = first.value - second.value
    if first.each and [len(a) for a in first.each] == [len(b) for b in second.each]:
        if first.each[0].dtype == np.bool_:
            return difference_of_shares(first, second), True
        apart = [a.astype(np.float64) - b for a, b in zip(first.each, second.each, strict=True)]
        half = Z * math.sqrt(sum(variance_of_mean(part) for part in apart))
        return Measure(value, max(-1.0, value - half), min(1.0, value + half), n), True
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Measure(value, value - below, value + above, n), False


def difference_of_shares(first: Measure, second: Measure) -> Measure:
    """The same of two accuracies on the same images, or of means of several such accuracies
    (`core.metrics.measures.averaged`): both with `each`, from 0 to 1 an image."""
    apart = first.each[0].astype(np.float64) - second.each[0]
    value, n = first.value - second.value, len(apart) + 2
    half = Z * math.sqrt((apart**2).sum() + 1 - apart.sum() ** 2 / n) / n
    return Measure(value, max(-1.0, value - half), min(1.0, value + half), len(apart))
