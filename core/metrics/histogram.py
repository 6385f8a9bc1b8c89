"""Histograms of losses, and how far two overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.metrics.measures import Losses

BINS = np.geomspace(1e-5, 30.0, 41)
"""The 40 bins, in nats, of every loss histogram and overlap: the same for all models and runs, so
that any two can be compared. Logarithmic, because a network that has memorised its images gives
them losses of 1e-5 to 1e-2, and unseen images 1e-4 to 10: on a linear axis the first bin holds most
of both, and hides just the difference that an attack uses."""


def density(losses: Losses) -> NDArray[np.float64]:
    """The share of the losses in each of `BINS` (40,), summing to 1; all zero where there are none.

    Losses beyond either end count in the bin at that end, NaN in the last.
    """
    inside = np.clip(np.nan_to_num(losses.astype(np.float64), nan=BINS[-1]), BINS[0], BINS[-1])
    counts, _ = np.histogram(inside, bins=BINS)
    return counts / max(1, len(losses))


def overlap(first: Losses, second: Losses) -> float:
    """The overlap coefficient of two histograms: 1 is the same shape, 0 nothing in common."""
    return float(np.minimum(density(first), density(second)).sum())
