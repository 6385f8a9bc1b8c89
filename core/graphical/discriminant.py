"""A Gaussian discriminant on a network's features: a last layer made of sums, which forgets exactly
(Hayes & Kanan, CVPR Workshops 2020, "Lifelong machine learning with deep streaming linear
discriminant analysis", fit it so, one image after the other)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import LabError
from core.graphical.model import CountedModel, Floats, Rows, class_prior
from core.graphical.statistics import Statistics, symmetric, upper

STEPS = 2**12
"""Features are rounded to 1 / STEPS, so that their sums are sums of whole numbers."""
EXACT = 2**53
"""Whole numbers below this are exact in float64, sums and products of matrices too."""
RIDGE = 0.01
"""Of the mean variance, added to every feature's."""


class GaussianDiscriminant(CountedModel):
    """p(x, c) = p(c) N(x; m_c, V), one covariance V for all classes: linear in x.

    Tables: images (C,), and of the rounded features sums (C, d) and products (d (d + 1) / 2).
    """

    name, label = "discriminant", "Gaussian discriminant on a network's features"
    sentence = "A last layer made of sums over images, on features that a network learned before."

    @classmethod
    def count(cls, rows: Rows, classes: int) -> Statistics:
        """Raises LabError for features too large to be summed exactly."""
        x = np.rint(rows.x.astype(np.float64) * STEPS)
        if len(x) and not len(x) * np.abs(x).max() ** 2 < EXACT:
            raise LabError("These features are too large, or too many, to be summed exactly.")
        one_hot = np.eye(classes)[rows.labels]
        return Statistics(
            {
                "images": np.bincount(rows.labels, minlength=classes),
                "sums": (one_hot.T @ x).astype(np.int64),
                "products": upper((x.T @ x).astype(np.int64)),
            },
            signed=frozenset({"sums", "products"}),
        )

    @cached_property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        n, (_, sums, products) = self.images, self.statistics.tables.values()
        mean = sums / np.maximum(n, 1)[:, None] / STEPS
        scatter = symmetric(products) / STEPS**2
        for count, m in zip(n, mean, strict=True):  # not a product of matrices: one order of sums
            scatter -= count * m[:, None] * m
        covariance = scatter / max(n.sum(), 1)
        ridge = RIDGE * covariance.diagonal().mean() or 1.0
        weights = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), mean.T).T
        bias = class_prior(n) - 0.5 * (weights * mean).sum(1)
        return {"weights": weights, "bias": bias}

    def scores(self, x: NDArray[Any]) -> Floats:
        """Up to what is the same for every class."""
        weights, bias = self.parameters.values()
        found: Floats = x.astype(np.float64) @ weights.T + bias
        return found

    def inside(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """The features: no deletion changes them."""
        return x.astype(np.float32)
