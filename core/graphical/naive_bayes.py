"""Naive Bayes: given the class, every pixel goes by itself. Gaussian, and one table a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.digits import GREYS
from core.graphical.model import Floats, PixelModel, Rows, by_class, class_prior
from core.graphical.statistics import Counts, Statistics

IMAGINED = np.array([0, GREYS - 1])
"""The prior of a Gaussian: two imagined images, one all paper and one all ink."""


def gaussian(n: NDArray[Any], sums: NDArray[Any], squares: NDArray[Any]) -> tuple[Floats, Floats]:
    """Mean and variance of numbers and of the two imagined ones. n, sums, squares: how many
    numbers, their sum and the sum of their squares; of integers, a quotient of exact integers."""
    n = n + len(IMAGINED)
    sums = sums + IMAGINED.sum()
    squares = squares + (IMAGINED**2).sum()
    return sums / n, (n * squares - sums**2) / n**2


def log_normal(x: NDArray[Any], mean: Floats, variance: Floats) -> Floats:
    """log N(x; mean, variance), summed over the last axis."""
    found: Floats = -0.5 * ((x - mean) ** 2 / variance + np.log(2 * np.pi * variance)).sum(-1)
    return found


class GaussianNaiveBayes(PixelModel):
    """p(x, c) = p(c) prod_j N(x_j; m_cj, v_cj). Tables: images (C,), sums (C, 64) and squares
    (C, 64) of the pixels, which are whole numbers from 0 to 16."""

    name, label = "naive_bayes", "Naive Bayes"
    sentence = "Keeps, for each digit and pixel, how many images, their sum and sum of squares."

    @classmethod
    def count(cls, rows: Rows, classes: int) -> Statistics:
        x = rows.x.astype(np.int64)
        return Statistics(
            {
                "images": np.bincount(rows.labels, minlength=classes),
                "sums": by_class(rows, x, classes),
                "squares": by_class(rows, x * x, classes),
            }
        )

    @property
    def ink(self) -> Counts:
        return self.statistics.tables["sums"]

    @property
    def average(self) -> Floats:
        found: Floats = self.parameters["mean"] / (GREYS - 1)
        return found

    @cached_property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        tables = self.statistics.tables
        mean, variance = gaussian(self.images[:, None], tables["sums"], tables["squares"])
        return {"prior": class_prior(self.images), "mean": mean, "variance": variance}

    def scores(self, x: NDArray[Any]) -> Floats:
        prior, mean, variance = self.parameters.values()
        of_class = [log_normal(x, m, v) for m, v in zip(mean, variance, strict=True)]
        found: Floats = np.stack(of_class, axis=1) + prior
        return found


class CategoricalNaiveBayes(PixelModel):
    """p(x, c) = p(c) prod_j p(x_j | c), a Dirichlet with one imagined image for each of the 17
    greys. Tables: images (C,), greys (C, 64, 17)."""

    name, label = "categorical_bayes", "Naive Bayes with tables"
    sentence = "Counts, for each digit and pixel, how often it had each of 17 shades of grey."

    @classmethod
    def count(cls, rows: Rows, classes: int) -> Statistics:
        one_hot = rows.x[:, :, None] == np.arange(GREYS)
        return Statistics(
            {
                "images": np.bincount(rows.labels, minlength=classes),
                "greys": by_class(rows, one_hot, classes),
            }
        )

    @property
    def ink(self) -> Counts:
        found: Counts = (self.statistics.tables["greys"] * np.arange(GREYS)).sum(2)
        return found

    @property
    def average(self) -> Floats:
        chance = np.exp(self.parameters["greys"])
        found: Floats = (chance * np.arange(GREYS)).sum(2) / (GREYS - 1)
        return found

    @cached_property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        greys: Counts = self.statistics.tables["greys"]
        chance = (greys + 1) / (self.images[:, None, None] + GREYS)
        return {"prior": class_prior(self.images), "greys": np.log(chance)}

    def scores(self, x: NDArray[Any]) -> Floats:
        prior, greys = self.parameters.values()
        pixels = np.arange(x.shape[1])
        found: Floats = np.stack([table[pixels, x].sum(1) for table in greys], axis=1) + prior
        return found
