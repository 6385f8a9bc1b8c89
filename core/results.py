"""What a run is made of, from the plan to the finished record; numpy and plain Python only, so that
the front page, the store and the charts read runs without importing torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from core.errors import BadRequest
from core.forget_sets import ForgetRequest

Losses = NDArray[np.float32]
Correct = NDArray[np.bool_]
Status = Literal["running", "finished", "partial", "failed", "interrupted"]
MODELS = ("before", "after", "retrained")
BINS = np.geomspace(1e-5, 30.0, 41)
"""The 40 bins, in nats, of every loss histogram and overlap: the same for all models and runs, so
that any two can be compared. Logarithmic, because a network that has memorised its images gives
them losses of 1e-5 to 1e-2, and unseen images 1e-4 to 10: on a linear axis the first bin holds most
of both, and hides just the difference that an attack uses."""


@dataclass(frozen=True)
class Plan:
    """All that is needed to start a run, or to start it again. A link carries one."""

    model: str
    dataset: str
    request: ForgetRequest
    method: str
    settings: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    seed: int = 0
    base: str = "base"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "request": self.request.to_dict(),
            "method": self.method,
            "settings": dict(self.settings),
            "seed": self.seed,
            "base": self.base,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`, also with a request that is one already; raises BadRequest on
        anything else."""
        try:
            request = fields["request"]
            if not isinstance(request, ForgetRequest):
                request = ForgetRequest.from_dict(request)
            plan = cls(**{**fields, "request": request})
            names = (plan.model, plan.dataset, plan.method, plan.base)
            if not all(isinstance(name, str) for name in names):
                raise TypeError("a name is not text")
            return dataclasses.replace(plan, settings=dict(plan.settings), seed=int(plan.seed))
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise BadRequest("This plan for a run cannot be read.") from error


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


@dataclass(frozen=True)
class Probe:
    """A quick look on the way: fixed subsamples of the forget and the test images.

    Losses: float32 (n,), cross-entropy in nats. matched: whether test_losses are of test images of
    the forget set's classes, as the fair question about classes has it. mia: simple MIA on these
    samples, 0 to 1; None below 10 images a side. test_accuracy: on test images of classes that are
    retained, 0 to 1.
    """

    forget_losses: Losses = field(repr=False)
    test_losses: Losses = field(repr=False)
    forget_accuracy: float
    test_accuracy: float
    mia: float | None
    matched: bool = False


@dataclass(frozen=True)
class Snapshot:
    """What the live view shows at one moment.

    seconds: spent unlearning so far, measuring not counted. remaining: estimated seconds left, None
    before the third step. training_loss: of the method's last batch, None before it has one.
    rolling_forget, rolling_test: losses of a small sample (32 images each) taken at this moment, or
    None. probe: set at checkpoints only.
    """

    step: int
    total_steps: int
    phase: str
    seconds: float
    measuring_seconds: float
    remaining: float | None
    training_loss: float | None = None
    rolling_forget: Losses | None = field(default=None, repr=False)
    rolling_test: Losses | None = field(default=None, repr=False)
    probe: Probe | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Run:
    """A run, finished or not, with all that is needed to judge and to repeat it.

    before, after, retrained: None where not measured (a failed run; no retrained reference).
    replay: the snapshots that carry a probe. seconds: {"unlearning", "measuring"}.
    data: {"dataset", "fingerprint", "source", "forget", "retain", "test", "forget_digest"}.
    versions: of Python and the libraries, the machine and its thread count.
    """

    id: str
    plan: Plan
    status: Status
    created: str
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    versions: Mapping[str, Any]
    data: Mapping[str, Any]
    before: Evaluation | None = None
    after: Evaluation | None = None
    retrained: Evaluation | None = None
    replay: tuple[Snapshot, ...] = ()
    weights_sha256: str = ""
    reference: str = ""
    error: str = ""
    steps_done: int = 0
    total_steps: int = 0


def density(losses: Losses) -> NDArray[np.float64]:
    """The share of the losses in each of `BINS` (40,), summing to 1; all zero where there are none.

    What lies beyond either end belongs into the bin at that end, what is no number into the last.
    """
    inside = np.clip(np.nan_to_num(losses.astype(np.float64), nan=BINS[-1]), BINS[0], BINS[-1])
    counts, _ = np.histogram(inside, bins=BINS)
    return counts / max(1, len(losses))


def overlap(first: Losses, second: Losses) -> float:
    """The overlap coefficient of two histograms: 1 is the same shape, 0 nothing in common."""
    return float(np.minimum(density(first), density(second)).sum())
