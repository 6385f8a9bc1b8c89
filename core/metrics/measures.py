"""What was measured of one model: numbers with their intervals, and the losses behind them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float32]


Correct = NDArray[np.bool_]


Each = tuple[NDArray[Any], ...]
"""What each image adds to a number, an array a set of images: the number is the sum of their means.
bool or float32; two models measured on the same images are compared by it image by image."""


Z = 1.959963984540054
"""Of a 95 % interval."""


@dataclass(frozen=True)
class Measure:
    """A number with its 95 % interval and the number of images behind it. Fractions, 0 to 1.

    low, high: not numbers where no interval is known. each: see `Each`; empty where the number is
    no such sum.
    """

    value: float
    low: float
    high: float
    n: int
    each: Each = field(default=(), repr=False, compare=False, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """The numbers, JSON-ready: what is not a number becomes None."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del fields["each"]
        unknown = [key for key, x in fields.items() if isinstance(x, float) and math.isnan(x)]
        return {**fields, **dict.fromkeys(unknown)}

    @staticmethod
    def from_dict(fields: Mapping[str, Any] | float) -> Measure:
        """The inverse of `to_dict`; also of a number alone, as older records have it."""
        if not isinstance(fields, Mapping):
            return Measure(float(fields), math.nan, math.nan, 0)
        known: dict[str, Any] = {k: math.nan if x is None else x for k, x in fields.items()}
        return AttackMeasure(**known) if "direction" in known else Measure(**known)


def of_images(*each: NDArray[Any], low: float = 0.0, high: float = 1.0) -> Measure:
    """The sum of the means, with a normal 95 % interval cut at `low` and `high`, the ends of the
    scale. each: see `Each`."""
    value = sum(float(part.mean(dtype=np.float64)) for part in each)
    half = Z * math.sqrt(sum(variance_of_mean(part) for part in each))
    n = min(len(part) for part in each)
    return Measure(value, max(low, value - half), min(high, value + half), n, each=each)


def variance_of_mean(values: NDArray[Any]) -> float:
    """Of so many independent values; infinite for fewer than two."""
    if len(values) < 2:
        return math.inf
    return float(values.var(ddof=1, dtype=np.float64)) / len(values)


def share_of(right: Correct) -> Measure:
    """How many are true, as a fraction, with Wilson's interval."""
    return dataclasses.replace(wilson(int(right.sum()), len(right)), each=(right,))


def averaged(measures: Sequence[Measure]) -> Measure:
    """The mean of several shares of the same images, with Wilson's interval over images: each
    counts once, however often it was measured, which makes it wider than it need be."""
    each = np.stack([measure.each[0] for measure in measures]).mean(axis=0, dtype=np.float64)
    found = wilson(float(each.sum()), len(each))
    return dataclasses.replace(found, each=(each.astype(np.float32),))


def wilson(hits: float, n: int) -> Measure:
    """`hits` of `n` as a fraction, with Wilson's 95 % interval (Wilson 1927).

    With n = 0 the value is not a number, and the interval is all of 0 to 1.
    """
    if not n:
        return Measure(math.nan, 0.0, 1.0, 0)
    z2 = Z**2
    share = hits / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At 0 and at n hits the bound is the value itself, but for rounding.
    return Measure(
        share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)), n
    )


@dataclass(frozen=True)
class AttackMeasure(Measure):
    """The accuracy of a membership inference attack; 0.5 is a coin flip.

    n: images on each side. direction: which side has the lower losses: "forget lower" (members
    betray themselves by being fitted well), "forget higher" (over-forgotten, also a give-away) or
    "none" (the interval holds 0.5).
    """

    direction: str


@dataclass(frozen=True)
class Evaluation:
    """Every number for one model and one split, and the losses behind the histograms.

    measures: by the name of the metric; `evaluation["mia"]` is None for one that is not there. A
    set without images has the value nan and n = 0 (null in JSON). None: could not be measured, as
    where an attack has fewer than 10 images on a side.
    """

    measures: Mapping[str, Measure | None]
    forget_losses: Losses = field(repr=False)
    test_losses: Losses = field(repr=False)
    class_matched_losses: Losses = field(repr=False)

    LOSSES = ("forget_losses", "test_losses", "class_matched_losses")

    def __getitem__(self, metric: str) -> Measure | None:
        return self.measures.get(metric)

    def value(self, metric: str) -> float:
        """A number alone; not a number where it is not known."""
        measure = self[metric]
        return math.nan if measure is None else measure.value

    def metrics(self) -> dict[str, Any]:
        """The numbers without the arrays, JSON-ready: a dict (or None) a measure."""
        return {name: measure and measure.to_dict() for name, measure in self.measures.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is known image by image: the losses by field name, and of each measure
        "METRIC.0", "METRIC.1" and so on, its `each`."""
        found = {name: getattr(self, name) for name in self.LOSSES}
        for name, measure in self.measures.items():
            for i, part in enumerate(measure.each if measure else ()):
                found[f"{name}.{i}"] = part
        return found

    @classmethod
    def build(cls, metrics: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Evaluation:
        """The inverse of `metrics` and `arrays`. Raises KeyError where losses are missing."""
        measures: dict[str, Measure | None] = {}
        for name, fields in metrics.items():
            if fields is None:
                measures[name] = None
                continue
            older = _OLDER.get(name, "")
            each = (arrays[older],) if older in arrays else _numbered(name, arrays)
            measures[name] = dataclasses.replace(Measure.from_dict(fields), each=each)
        return cls(measures, **{name: np.asarray(arrays[name]) for name in cls.LOSSES})


_OLDER = {
    "forget_accuracy": "forget_correct",
    "retain_accuracy": "retain_correct",
    "retained_test_accuracy": "retained_test_correct",
}
"""What the arrays of these metrics were called in runs before version 0.2."""


def _numbered(name: str, arrays: Mapping[str, NDArray[Any]]) -> Each:
    """NAME.0, NAME.1, ..."""
    found: list[NDArray[Any]] = []
    while (key := f"{name}.{len(found)}") in arrays:
        found.append(np.asarray(arrays[key]))
    return tuple(found)
