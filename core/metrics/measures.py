"""What was measured of one model: numbers with their intervals, and the losses behind them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float32]


Correct = NDArray[np.bool_]


@dataclass(frozen=True)
class Measure:
    """A number with its 95 % interval and the number of images behind it. Fractions, 0 to 1."""

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what is not a number becomes None."""
        fields = dataclasses.asdict(self)
        return {**fields, "value": None if math.isnan(self.value) else self.value}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        value = fields["value"]
        return cls(**{**fields, "value": math.nan if value is None else value})


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
    """Every number for one model and one split, with the per-image losses they came from.

    A set without images has the value nan and n = 0 (null in JSON). mia, mia_class_matched: None
    where one side has fewer than 10 images, too few to attack. overlap: of the forget and the test
    losses, see `overlap` below.
    """

    forget_accuracy: Measure
    retain_accuracy: Measure
    test_accuracy: Measure
    retained_test_accuracy: Measure
    class_matched_test_accuracy: Measure
    mia: AttackMeasure | None
    mia_class_matched: AttackMeasure | None
    overlap: float
    forget_losses: Losses = field(repr=False)
    test_losses: Losses = field(repr=False)
    class_matched_losses: Losses = field(repr=False)
    forget_correct: Correct | None = field(default=None, repr=False)
    retain_correct: Correct | None = field(default=None, repr=False)
    retained_test_correct: Correct | None = field(default=None, repr=False)

    METRICS = (
        "forget_accuracy",
        "retain_accuracy",
        "test_accuracy",
        "retained_test_accuracy",
        "class_matched_test_accuracy",
        "mia",
        "mia_class_matched",
    )
    LOSSES = ("forget_losses", "test_losses", "class_matched_losses")
    CORRECT = ("forget_correct", "retain_correct", "retained_test_correct")

    def metrics(self) -> dict[str, Any]:
        """The numbers without the arrays, JSON-ready: a dict (or None) a measure, the overlap."""
        numbers: dict[str, Any] = {}
        for name in self.METRICS:
            measure: Measure | None = getattr(self, name)
            numbers[name] = None if measure is None else measure.to_dict()
        return {**numbers, "overlap": self.overlap}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is known image by image, by field name: losses, and which are labelled correctly."""
        every = {name: getattr(self, name) for name in (*self.LOSSES, *self.CORRECT)}
        return {name: values for name, values in every.items() if values is not None}

    @classmethod
    def build(cls, metrics: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Evaluation:
        """The inverse of `metrics` and `arrays`. Raises KeyError where losses are missing."""
        fields: dict[str, Any] = {"overlap": metrics["overlap"]}
        for name in cls.METRICS:
            kind = AttackMeasure if name.startswith("mia") else Measure
            fields[name] = None if metrics[name] is None else kind.from_dict(metrics[name])
        fields.update({name: np.asarray(arrays[name]) for name in cls.LOSSES})
        fields.update({name: np.asarray(arrays[name]) for name in cls.CORRECT if name in arrays})
        return cls(**fields)
