"""What a model leaves behind on fixed images: all that an attack or a metric may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.data.splits import Indices, Split
from core.metrics.measures import Correct, Losses

Logits = NDArray[np.float32]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Outcome:
    """What a model makes of a set of images, one entry an image.

    losses: float32 (N,), cross-entropy in nats; may be infinite or not a number where a model has
    diverged. predictions: int64 (N,), the class with the largest logit. logits: float32 (N,
    classes); None where an older version kept only the other two.
    """

    losses: Losses = field(repr=False)
    predictions: Indices = field(repr=False)
    logits: Logits | None = field(default=None, repr=False)

    @classmethod
    def blank(cls, images: int, classes: int | None) -> Outcome:
        """Outcomes of images that are not measured yet, to be filled with `put`: losses and logits
        are NaN, predictions -1. classes: None for outcomes without logits."""
        logits = None if classes is None else np.full((images, classes), np.nan, np.float32)
        return cls(np.full(images, np.nan, np.float32), np.full(images, -1, np.int64), logits)

    def put(self, indices: Indices, outcome: Outcome) -> None:
        """Writes the outcomes of the images at these indices."""
        self.losses[indices], self.predictions[indices] = outcome.losses, outcome.predictions
        if self.logits is not None and outcome.logits is not None:
            self.logits[indices] = outcome.logits

    def at(self, indices: Indices | slice) -> Outcome:
        """The outcomes of the images at these indices."""
        logits = None if self.logits is None else self.logits[indices]
        return Outcome(self.losses[indices], self.predictions[indices], logits)


@dataclass(frozen=True)
class Seen:
    """Some images as an attacker sees them: their labels, and what a model makes of them.

    reference: what a model that never saw them makes of them (of training images each one's own);
    None where there is no such model.
    """

    outcome: Outcome
    labels: Indices = field(repr=False)
    reference: Outcome | None = None

    @property
    def losses(self) -> Losses:
        return self.outcome.losses

    @property
    def logits(self) -> Logits:
        """float32 (n, classes), for an attack that needs "logits"."""
        assert self.outcome.logits is not None
        return self.outcome.logits

    @property
    def by_reference(self) -> Seen:
        """The same images as the reference sees them, for an attack that needs "references"."""
        assert self.reference is not None
        return Seen(self.reference, self.labels)


@dataclass(frozen=True)
class Sample:
    """A fixed sample of one set of images: labels int64 (n,), penultimate features float32 (n, d),
    and some of the images mirrored, None where nobody asked.

    model: int64 (n,), in which of several networks each image was looked at; None where there is
    one. Features of two networks are not comparable.
    """

    labels: Indices = field(repr=False)
    features: NDArray[np.float32] = field(repr=False)
    mirrored: Seen | None = field(default=None, repr=False)
    model: Indices | None = field(default=None, repr=False)

    def of(self, model: int | None) -> NDArray[np.bool_]:
        """bool (n,): the rows of one of several networks; all where there is one."""
        if self.model is None:
            return np.ones(len(self.labels), bool)
        return np.asarray(self.model == model)


Samples = Mapping[str, Sample]
"""By set: "forget" and "retain" of the training images, "test" of those that suit the request,
"test_retained" of the classes that are kept."""


@dataclass(frozen=True)
class Evidence:
    """What a model makes of every training and every test image, and the split it is judged by.

    train_labels, test_labels: int64 (N,), in the order of the outcomes. samples: None where nobody
    looked inside. references: of every training and every test image, what a model makes of it that
    never saw it. ideal: the evidence of the ideal that this model is compared with.
    """

    train: Outcome
    test: Outcome
    train_labels: Indices = field(repr=False)
    test_labels: Indices = field(repr=False)
    split: Split
    samples: Samples | None = field(default=None, repr=False)
    references: tuple[Outcome, Outcome] | None = field(default=None, repr=False)
    ideal: Evidence | None = field(default=None, repr=False)
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What several metrics are read from, made by the first of them."""
        if name not in self._made:
            self._made[name] = make()
        made: Made = self._made[name]
        return made

    @cached_property
    def provides(self) -> frozenset[str]:
        """What a metric may need of it: "outcomes" and "retained" (of the images to keep) always;
        "logits", "features" and "mirrored" (of the samples), "references" and "ideal" where
        known."""
        known = {
            "outcomes": True,
            "retained": True,
            "logits": self.train.logits is not None and self.test.logits is not None,
            "features": self.samples is not None,
            "mirrored": self.samples is not None
            and all(self.samples[name].mirrored is not None for name in ("forget", "test")),
            "references": self.references is not None,
            "ideal": self.ideal is not None,
        }
        return frozenset(name for name, there in known.items() if there)

    @cached_property
    def right(self) -> Correct:
        """bool (N,): which training images are labelled correctly."""
        return np.asarray(self.train.predictions == self.train_labels)

    @cached_property
    def test_right(self) -> Correct:
        """bool (N,): which test images are labelled correctly."""
        return np.asarray(self.test.predictions == self.test_labels)

    @cached_property
    def forget(self) -> Seen:
        """The images to forget."""
        indices = self.split.forget
        reference = self.references[0].at(indices) if self.references else None
        return Seen(self.train.at(indices), self.train_labels[indices], reference)

    def unseen(self, class_matched: bool = False) -> Seen:
        """The test images, or those of the classes of the forget set."""
        return self._tested(self.split.test_class_matched if class_matched else self.split.test)

    @cached_property
    def fair_unseen(self) -> Seen:
        """The test images that the forget set is compared with."""
        return self._tested(self.split.test_fair)

    @cached_property
    def kept_unseen(self) -> Seen:
        """The test images of the classes that are kept: what a model's confidence is known by."""
        return self._tested(self.split.test_retained)

    def _tested(self, indices: Indices) -> Seen:
        reference = self.references[1].at(indices) if self.references else None
        return Seen(self.test.at(indices), self.test_labels[indices], reference)

    def sample(self, name: str) -> Sample:
        """A set of the samples, for a metric that needs "features"."""
        assert self.samples is not None
        return self.samples[name]

    @property
    def networks(self) -> list[int | None]:
        """In which networks the images were looked at: [None] where that is one."""
        model = self.sample("forget").model
        return [None] if model is None else [int(fold) for fold in np.unique(model)]
