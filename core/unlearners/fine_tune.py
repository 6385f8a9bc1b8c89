"""Fine-tuning on the retain set, plainly or anchored to the original weights.

Plain: the course report's method and the NeurIPS 2023 unlearning challenge's baseline: theta
follows CE(R), and what only the forget images taught fades. Anchored: the course report's own
proposal, CE(R) + (lambda / 2) ||theta - theta0||^2.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch

from core.models.classifier import Classifier
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import batches, cross_entropy, descend, steps_for


def retain_rate(default: float) -> float:
    """The learning rate of a method that descends on the images to keep."""
    rate: float = parameter(
        default,
        "Learning rate",
        "How far each step moves: larger forgets more and costs accuracy.",
        1e-5,
        1.0,
        log=True,
        presets={"class": 0.15, "digits": 0.2},
    )
    return rate


def retain_batch(default: int) -> int:
    """The batch size of such a method."""
    size: int = parameter(
        default,
        "Batch size",
        "Images a step.",
        8,
        1024,
        log=True,
        presets={"class": 128, "digits": 32},
    )
    return size


@dataclass(frozen=True)
class FineTune(Unlearner):
    """theta <- theta - eta grad CE(R): SGD with Nesterov momentum, eta along a cosine to 0."""

    name = "fine_tune"
    label = "Fine-tune"
    group = "retrain-like"
    needs = frozenset({"retain"})
    sentence = (
        "Goes on training on the images to keep and lets the others fade: "
        "what is not rehearsed is forgotten."
    )
    paper = "Course report, CS 726; NeurIPS 2023 unlearning challenge, starting kit"

    epochs: float = parameter(
        0.7,
        "Passes",
        "How often each image to keep is seen again.",
        0.01,
        50,
        log=True,
        presets={"class": 1.0, "digits": 8.0},
    )
    learning_rate: float = retain_rate(0.07)
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = retain_batch(64)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        model.train()
        retain = batches(data.retain, "retain", self.batch_size, generator, model)
        losses = (cross_entropy(model, x, y) for x, y in retain)
        total = steps_for(data.retain, self.epochs, self.batch_size)
        yield from descend(model, losses, total, self.learning_rate, self.momentum)


@dataclass(frozen=True)
class AnchoredFineTune(FineTune):
    """Fine-tuning with the penalty as a proximal step after each step of SGD:
    theta <- (theta + s lambda theta0) / (1 + s lambda), which cannot diverge.

    s is eta / (1 - momentum), the length to which SGD's momentum multiplies a steady gradient: with
    eta alone it would settle at the minimum for an anchor (1 - momentum) times as strong.

    theta is every trained parameter, BatchNorm's scales too; BatchNorm's running statistics are
    measured, not trained, and follow the retain images freely.
    """

    name = "anchored_fine_tune"
    label = "Anchored fine-tune"
    sentence = (
        "Fine-tunes on the images to keep, tied to the original weights by a spring, "
        "so that it strays less."
    )
    paper = "Course report, CS 726, section 6; the proximal step: Parikh & Boyd 2014"

    anchor: float = parameter(
        0.001,
        "Anchor strength",
        "How strongly the weights are pulled back to where they were.",
        0,
        1e6,
        log=True,
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        weights = list(model.parameters())
        originals = [weight.detach().clone() for weight in weights]

        @torch.no_grad()
        def pull(rate: float) -> None:
            strength = rate / (1 - self.momentum) * self.anchor
            for weight, original in zip(weights, originals, strict=True):
                weight.add_(original, alpha=strength).div_(1 + strength)

        model.train()
        retain = batches(data.retain, "retain", self.batch_size, generator, model)
        losses = (cross_entropy(model, x, y) for x, y in retain)
        total = steps_for(data.retain, self.epochs, self.batch_size)
        yield from descend(model, losses, total, self.learning_rate, self.momentum, pull)
