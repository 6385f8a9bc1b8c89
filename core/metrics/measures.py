"""What was measured of one model: numbers with their intervals, and the losses behind them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float32]


Correct = NDArray[np.bool_]


@dataclass(frozen=True)
class Measure:
    """A number with its 95 % interval and the number of images behind it. Fractions, 0 to 1.

    low, high: not numbers where no interval is known.
    """

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what is not a number becomes None."""
        fields = dataclasses.asdict(self)
        unknown = [key for key, x in fields.items() if isinstance(x, float) and math.isnan(x)]
        return {**fields, **dict.fromkeys(unknown)}

    @staticmethod
    def from_dict(fields: Mapping[str, Any] | float) -> Measure:
        """The inverse of `to_dict`; also of a number alone, as older records have it."""
        if not isinstance(fields, Mapping):
            return Measure(float(fields), math.nan, math.nan, 0)
        known: dict[str, Any] = {k: math.nan if x is None else x for k, x in fields.items()}
        return AttackMeasure(**known) if "direction" in known else Measure(**known)


def wilson(hits: float, n: int) -> Measure:
    """`hits` of `n` as a fraction, with Wilson's 95 % interval (Wilson 1927).

    With n = 0 the value is not a number, and the interval is all of 0 to 1.
    """
    if not n:
        return Measure(math.nan, 0.0, 1.0, 0)
    z2 = 1.959963984540054**2
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
    """Every number for one model and one split, and what they are made of, image by image.

    measures: by the name of the metric; `evaluation["mia"]` is None for one that is not there. A
    set without images has the value nan and n = 0 (null in JSON). None: could not be measured, as
    where an attack has fewer than 10 images on a side.
    """

    measures: Mapping[str, Measure | None]
    forget_losses: Losses = field(repr=False)
    test_losses: Losses = field(repr=False)
    class_matched_losses: Losses = field(repr=False)
    forget_correct: Correct | None = field(default=None, repr=False)
    retain_correct: Correct | None = field(default=None, repr=False)
    retained_test_correct: Correct | None = field(default=None, repr=False)

    LOSSES = ("forget_losses", "test_losses", "class_matched_losses")
    CORRECT = ("forget_correct", "retain_correct", "retained_test_correct")

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
        """What is known image by image, by field name: losses, and which are labelled correctly."""
        fields = {name: getattr(self, name) for name in (*self.LOSSES, *self.CORRECT)}
        return {name: values for name, values in fields.items() if values is not None}

    @classmethod
    def build(cls, metrics: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Evaluation:
        """The inverse of `metrics` and `arrays`. Raises KeyError where losses are missing."""
        measures = {
            name: None if fields is None else Measure.from_dict(fields)
            for name, fields in metrics.items()
        }
        known = {name: np.asarray(arrays[name]) for name in cls.LOSSES}
        known |= {name: np.asarray(arrays[name]) for name in cls.CORRECT if name in arrays}
        return cls(measures, **known)
