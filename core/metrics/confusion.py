"""What images of each class are called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.data.splits import Indices


def confusion(labels: Indices, predictions: Indices, classes: int) -> NDArray[np.int64]:
    """int64 (classes, classes): how many images of each class (row) get each answer (column).

    labels: int64 (n,), 0 to classes - 1. predictions: likewise; an image that none is known of has
    -1 and is left out.
    """
    asked = predictions >= 0
    cells = labels[asked] * classes + predictions[asked]
    counts: NDArray[np.int64] = np.bincount(cells, minlength=classes**2).astype(np.int64)
    return counts.reshape(classes, classes)


def of_each_class(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rows of `confusion` as shares, 0 to 1; not numbers for a class without images."""
    totals = counts.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.full(counts.shape, np.nan)
    np.divide(counts, totals, out=shares, where=totals > 0)
    return shares
