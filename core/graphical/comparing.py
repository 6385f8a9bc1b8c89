"""What differs between two models: the edges of trees, and the hidden state of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from core.data.splits import Indices
from core.graphical.hidden import HiddenModel
from core.graphical.model import Rows
from core.graphical.trees import Edges


@dataclass(frozen=True, eq=False)
class TreePair:
    """The tree of a class, or of all ("")."""

    of: str
    before: Edges
    after: Edges

    @property
    def lost(self) -> set[tuple[int, int]]:
        """The edges that are gone."""
        return _set_of(self.before) - _set_of(self.after)

    @property
    def new(self) -> set[tuple[int, int]]:
        """The edges that were not there."""
        return _set_of(self.after) - _set_of(self.before)

    @property
    def changed(self) -> bool:
        return bool(self.lost or self.new)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready. lost, new: how many edges."""
        counts = {"lost": len(self.lost), "new": len(self.new)}
        return {
            "class": self.of,
            **counts,
            "before": self.before.tolist(),
            "after": self.after.tolist(),
        }


def _set_of(edges: Edges) -> set[tuple[int, int]]:
    return {(int(i), int(j)) for i, j in edges}


def moved(first: HiddenModel, second: HiddenModel, rows: Rows) -> int:
    """How many of these images have another likeliest hidden state at some step, where states are
    called alike: each state of the second by the one of the first that it most overlaps with."""
    ours, its = first.states(rows), second.states(rows)
    changed = np.zeros(len(rows), bool)
    for c in np.unique(rows.labels):
        mine = rows.labels == c
        changed[mine] = _renamed(ours[mine], its[mine], first.STATES)
    return int(changed.sum())


def _renamed(first: Indices, second: Indices, states: int) -> NDArray[np.bool_]:
    overlap = np.zeros((states, states), np.int64)
    np.add.at(overlap, (second.ravel(), first.ravel()), 1)
    _, named = linear_sum_assignment(-overlap)
    return np.asarray((named[second] != first).any(1))
