"""Fine-tuning on the retain set, plainly or anchored to the original weights.

Plain: the course report's method and the NeurIPS 2023 unlearning challenge's baseline: theta
follows CE(R), and what only the forget images taught fades. Anchored: the course report's own
proposal, CE(R) + (lambda / 2) ||theta - theta0||^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import UnlearningData, parameter
from core.unlearners.common.descent import AfterStep, Descent, proximal
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.parameters import batch, sgd_momentum, tuning_passes, tuning_rate


@dataclass(frozen=True)
class FineTune(Descent):
    """theta <- theta - eta grad CE(R): SGD with Nesterov momentum, eta along a cosine to 0."""

    name, label, group = "fine_tune", "Fine-tune", "retrain-like"
    needs = frozenset({"retain"})
    over = "retain"
    sentence = (
        "Goes on training on the images to keep and lets the others fade: "
        "what is not rehearsed is forgotten."
    )
    paper = "Course report, CS 726; NeurIPS 2023 unlearning challenge, starting kit"

    epochs: float = tuning_passes(0.7)
    learning_rate: float = tuning_rate(0.07)
    momentum: float = sgd_momentum()
    batch_size: int = batch(64)

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        model.train()
        for x, y in draw.batches(data.retain, "retain", self.batch_size):
            yield cross_entropy(model, x, y)


@dataclass(frozen=True)
class AnchoredFineTune(FineTune):
    """Fine-tuning with the penalty as a proximal step after each step of SGD:
    theta <- (theta + s lambda theta0) / (1 + s lambda), s as in `proximal`.

    theta is every trained parameter, BatchNorm's scales too; BatchNorm's running statistics are
    measured, not trained, and follow the retain images freely.
    """

    name, label = "anchored_fine_tune", "Anchored fine-tune"
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
        def pull(weight: Tensor, original: Tensor, s: float, done: int) -> None:
            weight.add_(original, alpha=s * self.anchor).div_(1 + s * self.anchor)

        return proximal(model, self.momentum, pull)
