"""Fine-tuning on the retain set, plainly or anchored to the original weights.

Plain: the course report's method and the NeurIPS 2023 unlearning challenge's baseline: theta
follows CE(R), and what only the forget images taught fades. Anchored: the course report's own
proposal, CE(R) + (lambda / 2) ||theta - theta0||^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import UnlearningData, parameter
from core.unlearners.common.descent import AfterStep, Descent
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import weights_of
from core.unlearners.common.parameters import (
    FORGETS_MORE,
    KEPT_AGAIN,
    batch,
    passes,
    rate,
    sgd_momentum,
)


@dataclass(frozen=True)
class FineTune(Descent):
    """theta <- theta - eta grad CE(R): SGD with Nesterov momentum, eta along a cosine to 0."""

    name = "fine_tune"
    label = "Fine-tune"
    group = "retrain-like"
    needs = frozenset({"retain"})
    over = "retain"
    sentence = (
        "Goes on training on the images to keep and lets the others fade: "
        "what is not rehearsed is forgotten."
    )
    paper = "Course report, CS 726; NeurIPS 2023 unlearning challenge, starting kit"

    epochs: float = passes(0.7, KEPT_AGAIN)
    learning_rate: float = rate(0.07, FORGETS_MORE)
    momentum: float = sgd_momentum()
    batch_size: int = batch(64)

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        model.train()
        for x, y in draw.batches(data.retain, "retain", self.batch_size):
            yield cross_entropy(model, x, y)


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

    def after_step(self, model: Classifier, data: UnlearningData) -> AfterStep:
        originals = weights_of(model)

        @torch.no_grad()
        def pull(rate: float) -> None:
            strength = rate / (1 - self.momentum) * self.anchor
            for weight, original in zip(model.parameters(), originals, strict=True):
                weight.add_(original, alpha=strength).div_(1 + strength)

        return pull
