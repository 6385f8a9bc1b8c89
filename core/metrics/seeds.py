"""Several runs of the same plan, but for the seed, as one: the means of their numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from core.metrics.measures import Evaluation, Measure


def mean_of(measures: Sequence[Measure]) -> Measure:
    """Of one number in several runs, on the same images. Its interval is the mean of theirs: more
    seeds do not make the images more."""
    each = [measure.each for measure in measures]
    same = len({tuple(len(part) for part in parts) for parts in each}) == 1
    together = (
        tuple(
            np.mean([np.asarray(part, np.float64) for part in parts], axis=0).astype(np.float32)
            for parts in zip(*each, strict=True)
        )
        if same
        else ()
    )
    value, low, high = (
        float(np.mean([getattr(measure, name) for measure in measures]))
        for name in ("value", "low", "high")
    )
    return Measure(value, low, high, min(measure.n for measure in measures), each=together)


def mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The numbers that all of them have. The losses are those of the first."""
    if len(evaluations) == 1:
        return evaluations[0]
    means = {}
    for name in evaluations[0].measures:
        measures = [found for e in evaluations if (found := e[name]) is not None]
        means[name] = mean_of(measures) if len(measures) == len(evaluations) else None
    return dataclasses.replace(evaluations[0], measures=means)
