"""What a model leaves behind on fixed images: all that an attack or a metric may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.data.splits import Indices, Split
from core.metrics.measures import Correct, Losses

Logits = NDArray[np.float32]
Features = Mapping[str, NDArray[np.float32]]
"""Of a fixed sample of images, float32 (n, d) each: "forget" and "retain" of the training images,
"test" of the classes that suit the request."""


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
    def blank(cls, images: int, like: Outcome) -> Outcome:
        """Outcomes of images that are not measured yet, to be filled with `put`: losses are NaN,
        predictions -1. like: an outcome of the same model."""
        logits = None
        if like.logits is not None:
            logits = np.full((images, like.logits.shape[1]), np.nan, np.float32)
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
    """Some images as an attacker sees them: their labels, and what a model makes of them."""

    outcome: Outcome
    labels: Indices = field(repr=False)

    @property
    def losses(self) -> Losses:
        return self.outcome.losses

    @property
    def logits(self) -> Logits:
        """float32 (n, classes), for an attack that needs "logits"."""
        assert self.outcome.logits is not None
        return self.outcome.logits


@dataclass(frozen=True)
class Evidence:
    """What a model makes of every training and every test image, and the split it is judged by.

    train_labels, test_labels: int64 (N,), in the order of the outcomes. features: None where none
    were measured.
    """

    train: Outcome
    test: Outcome
    train_labels: Indices = field(repr=False)
    test_labels: Indices = field(repr=False)
    split: Split
    features: Features | None = field(default=None, repr=False)

    @cached_property
    def provides(self) -> frozenset[str]:
        """What a metric may need of it: "outcomes" always, "logits" and "features" where known."""
        logits = self.train.logits is not None and self.test.logits is not None
        also = (["logits"] if logits else []) + (["features"] if self.features is not None else [])
        return frozenset({"outcomes", *also})

    @cached_property
    def right(self) -> Correct:
        """bool (N,): which training images are labelled correctly."""
        return np.asarray(self.train.predictions == self.train_labels)

    @cached_property
    def test_right(self) -> Correct:
        """bool (N,): which test images are labelled correctly."""
        return np.asarray(self.test.predictions == self.test_labels)

    @property
    def forget(self) -> Seen:
        """The images to forget."""
        indices = self.split.forget
        return Seen(self.train.at(indices), self.train_labels[indices])

    def unseen(self, class_matched: bool = False) -> Seen:
        """The test images, or those of the classes of the forget set."""
        indices = self.split.test_class_matched if class_matched else self.split.test
        return Seen(self.test.at(indices), self.test_labels[indices])
