"""What a probabilistic classifier is: log p(row, class), and all the numbers that it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from core.attacks.probabilities import log_probabilities
from core.data.splits import Indices
from core.graphical.statistics import Counts, Statistics

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Images as a model reads them: x (n, d), integer pixels 0 to 16 or features; labels int64
    (n,)."""

    x: NDArray[Any]
    labels: Indices

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, indices: Indices) -> Rows:
        """Some of them."""
        return Rows(self.x[indices], self.labels[indices])

    def with_rows(self, other: Rows) -> Rows:
        """These, then others."""
        return Rows(np.concatenate([self.x, other.x]), np.concatenate([self.labels, other.labels]))


class Model(ABC):
    """name: the key in the registry and on the shell. label, sentence: for a visitor.

    Models are never changed: to forget makes another one.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    sentence: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, rows: Rows, classes: int, seed: int = 0) -> Self:
        """Learns from these rows. seed: of the start, where one is drawn."""

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        """All the numbers that it answers by, by name."""

    @abstractmethod
    def scores(self, x: NDArray[Any]) -> Floats:
        """log p(x, class), float64 (n, classes); of a discriminative model log p(class | x)."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """How many there are."""

    def inside(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """What it computes before it answers, float32 (n, d): the posteriors' logarithms where
        nothing comes before them."""
        found: NDArray[np.float32] = log_probabilities(self.scores(x)).astype(np.float32)
        return found

    def same(self, other: Model) -> bool:
        """Whether both are made of the same numbers, bit for bit: then nothing can tell them
        apart."""
        mine, its = self.parameters, other.parameters
        return mine.keys() == its.keys() and all(
            mine[name].shape == its[name].shape and mine[name].tobytes() == its[name].tobytes()
            for name in mine
        )


@dataclass(frozen=True, eq=False)
class CountedModel(Model):
    """A model that is a function of integer sums, and so forgets exactly."""

    statistics: Statistics

    @classmethod
    @abstractmethod
    def count(cls, rows: Rows, classes: int) -> Statistics:
        """The sums over these rows."""

    @classmethod
    def fit(cls, rows: Rows, classes: int, seed: int = 0) -> Self:
        return cls(cls.count(rows, classes))

    @property
    def images(self) -> Counts:
        """int64 (classes,): how many images of each class were counted."""
        return self.statistics.tables["images"]

    @property
    def classes(self) -> int:
        return len(self.images)

    def without(self, rows: Rows) -> Self:
        """The model of all rows but these. Raises BadRequest where they were never counted."""
        return type(self)(self.statistics - self.count(rows, self.classes))


class PixelModel(CountedModel):
    """A model of the pixels themselves, which can be drawn."""

    @property
    @abstractmethod
    def ink(self) -> Counts:
        """int64 (classes, 64): the ink that was counted at each pixel in all images of a class."""

    @property
    @abstractmethod
    def average(self) -> Floats:
        """(classes, 64): the ink that it expects there, 0 to 1; of a class without images, the
        prior's."""


def by_class(rows: Rows, values: NDArray[Any], classes: int) -> Counts:
    """int64 (classes, ...): the sum of `values` (n, ...) over the rows of each class."""
    return np.stack([values[rows.labels == c].sum(0, dtype=np.int64) for c in range(classes)])


def class_prior(images: Counts) -> Floats:
    """log p(class) with one imagined image of each class (Dirichlet smoothing)."""
    found: Floats = np.log((images + 1) / (images.sum() + len(images)))
    return found
