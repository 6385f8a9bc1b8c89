"""Catastrophic forgetting: what a network loses of what it was to keep, class by class, while it
unlearns, and whether it comes back (McCloskey & Cohen 1989; the drop from the best to now is the
forgetting measure of Chaudhry et al., ECCV 2018, arXiv 1801.10112, here from before to the worst).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.data.splits import Indices
from core.metrics.differences import difference
from core.metrics.measures import Measure, wilson

Look = tuple[Indices, Indices]
"""At one moment, by class, how many test images are labelled correctly, of how many."""


@dataclass(frozen=True)
class Dip:
    """The accuracy on one class over a run. label: the class. before, lowest, last: at the first
    look, at the worst one and at the last one. at: the number of the worst look, from 0."""

    label: int
    before: Measure
    lowest: Measure
    last: Measure
    at: int

    @property
    def drop(self) -> Measure:
        """before - lowest. Its interval is as if each look had images of its own; they are the same
        ones, which makes it wider than need be, and makes up for the worst of several looks being
        low by luck as well."""
        return difference(self.before, self.lowest)[0]

    @property
    def recovered(self) -> float | None:
        """The share of the drop that had come back at the end, 1 all of it; None where it is not
        sure that there was one."""
        if self.drop.low <= 0:
            return None
        return (self.last.value - self.lowest.value) / self.drop.value

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        measures = {"before": self.before, "lowest": self.lowest, "last": self.last}
        return {
            "label": self.label,
            "at": self.at,
            **{name: measure.to_dict() for name, measure in measures.items()},
            "drop": self.drop.to_dict(),
            "recovered": self.recovered,
        }


def dips(looks: Sequence[Look]) -> list[Dip]:
    """Of every class that has test images at each look, the deepest drop first; empty without
    looks."""
    if not looks:
        return []
    found = []
    for label in range(len(looks[0][0])):
        if not all(seen[label] for _, seen in looks):
            continue
        values = [wilson(int(right[label]), int(seen[label])) for right, seen in looks]
        at = min(range(len(values)), key=lambda i: values[i].value)
        found.append(Dip(label, values[0], values[at], values[-1], at))
    return sorted(found, key=lambda dip: -dip.drop.value)
