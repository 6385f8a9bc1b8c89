"""How far weights have moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def relative_movement(
    before: Sequence[NDArray[np.float32]], after: Sequence[NDArray[np.float32]]
) -> float:
    """The length of the way from one set of weights to another, as a share of the length of the
    first: |after - before| / |before|, over all arrays together. 0 for the same weights; not a
    number where the first are all 0 and the second are not."""
    way = sum(
        float(np.sum(np.square(b.astype(np.float64) - a)))
        for a, b in zip(before, after, strict=True)
    )
    start = sum(float(np.sum(np.square(a.astype(np.float64)))) for a in before)
    if not way:
        return 0.0
    return math.sqrt(way / start) if start else math.nan
