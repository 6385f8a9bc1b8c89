"""Sufficient statistics: sums over images, in integers, so that what was added can be taken away.

Integer addition is exact and has no order. A model that is a function of such sums alone forgets
exactly: sums less the rows to forget are, to the last bit, the sums of the others (Cao & Yang, IEEE
S&P 2015, "Towards making systems forget with machine unlearning").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import BadRequest

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Statistics:
    """tables: int64 arrays by name. signed: the tables that may be negative; the others count
    something, and are never below 0."""

    tables: Mapping[str, Counts]
    signed: frozenset[str] = frozenset()

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(
            {name: table + other.tables[name] for name, table in self.tables.items()}, self.signed
        )

    def __sub__(self, other: Statistics) -> Statistics:
        """Raises BadRequest where that takes away more than was counted."""
        tables = {name: table - other.tables[name] for name, table in self.tables.items()}
        if any((table < 0).any() for name, table in tables.items() if name not in self.signed):
            raise BadRequest(
                "These rows cannot be taken away: they were never counted, or not any more."
            )
        return Statistics(tables, self.signed)

    def same(self, other: Statistics) -> bool:
        """Whether every number is equal."""
        return all(np.array_equal(self.tables[name], other.tables[name]) for name in self.tables)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return sum(table.size for table in self.tables.values())

    def changed(self, other: Statistics) -> int:
        """How many of them differ in `other`."""
        pairs = ((table, other.tables[name]) for name, table in self.tables.items())
        return sum(int(np.count_nonzero(mine != its)) for mine, its in pairs)


def upper(symmetric: NDArray[np.int64]) -> Counts:
    """(..., d (d + 1) / 2): a symmetric matrix with each of its numbers once."""
    first, second = np.triu_indices(symmetric.shape[-1])
    found: Counts = symmetric[..., first, second]
    return found


def symmetric(upper: Counts) -> Counts:
    """(..., d, d): the inverse of `upper`."""
    d = (math.isqrt(8 * upper.shape[-1] + 1) - 1) // 2
    first, second = np.triu_indices(d)
    found = np.zeros((*upper.shape[:-1], d, d), np.int64)
    found[..., first, second] = found[..., second, first] = upper
    return found
