"""The record of a run, and what its live view shows meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.data.splits import Indices
from core.errors import BadRequest
from core.metrics.measures import Evaluation, Losses
from core.runs.plan import Plan

Status = Literal["running", "finished", "partial", "failed", "interrupted"]


MODELS = ("before", "after", "retrained")


@dataclass(frozen=True)
class Probe:
    """A quick look on the way: subsamples of the forget and the test images.

    Losses: float32 (n,), cross-entropy in nats. matched: whether the test images are of the forget
    set's classes, as the fair question about classes has it. mia: simple MIA on these samples, 0 to
    1; None below 10 images a side. test_accuracy: on `useful` test images of classes that are
    retained, 0 to 1. class_right, class_seen: int64 (classes,), how many of these images of each
    class are labelled correctly, and how many there are. forget_margins, test_margins: float32
    (n,), by how much the own class leads. photo_losses, photo_predictions: float32 and int64 (m,),
    of the same few photos of the forget set at each look (`core.runs.live.photos_of`). What came
    later is None in records from before.
    """

    forget_losses: Losses = field(repr=False)
    test_losses: Losses = field(repr=False)
    forget_accuracy: float
    test_accuracy: float
    mia: float | None
    matched: bool = False
    useful: int = 0
    forget_margins: Losses | None = field(default=None, repr=False)
    test_margins: Losses | None = field(default=None, repr=False)
    photo_losses: Losses | None = field(default=None, repr=False)
    photo_predictions: NDArray[np.int64] | None = field(default=None, repr=False)
    class_right: Indices | None = field(default=None, repr=False)
    class_seen: Indices | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Snapshot:
    """What the live view shows at one moment.

    seconds: spent unlearning so far, measuring not counted. remaining: estimated seconds left, None
    before the third step. training_loss: of the method's last batch, None before it has one.
    probe: of fixed subsamples, set at checkpoints only. rolling: of a small sample, another at each
    look, taken at this moment or None.
    """

    step: int
    total_steps: int
    phase: str
    seconds: float
    measuring_seconds: float
    remaining: float | None
    training_loss: float | None = None
    probe: Probe | None = field(default=None, repr=False)
    rolling: Probe | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RunFacts:
    """What a run and its summary both say.

    seconds: {"unlearning", "measuring"}. data: {"dataset", "fingerprint", "source", "forget",
    "retain", "test", "forget_digest", "class_names"}. versions: of Python and the libraries, the
    machine and its thread count.
    """

    id: str
    plan: Plan
    status: Status
    created: str
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    versions: Mapping[str, Any]
    data: Mapping[str, Any]
    weights_sha256: str = ""
    reference: str = ""
    error: str = ""
    steps_done: int = 0
    total_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class Run(RunFacts):
    """A run, finished or not, with all that is needed to judge and to repeat it.

    before, after, retrained: None where not measured (a failed run; no retrained reference).
    replay: the snapshots that carry a probe.
    """

    before: Evaluation | None = None
    after: Evaluation | None = None
    retrained: Evaluation | None = None
    replay: tuple[Snapshot, ...] = ()

    @classmethod
    def begun(cls, id: str, plan: Plan) -> Run:
        """One of which nothing but its plan is known yet."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(id, plan, "running", now, dict(plan.settings), {}, {}, {})

    def check_images(self, fingerprint: str) -> None:
        """Raises BadRequest where the images of this fingerprint are others than the run's."""
        if self.data.get("fingerprint") not in (None, fingerprint):
            raise BadRequest(
                "The images on this machine are not those that this run was made with."
            )
