"""SalUn, saliency unlearning: random labels, but only the weights that matter most for the forget
set may move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from core.models.classifier import Classifier
from core.training.optimisers import make_optimiser
from core.unlearners.base import Steps, UnlearningData, parameter
from core.unlearners.common.descent import Phase, descend, in_phases
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import device_of, weights_of
from core.unlearners.common.parameters import rehearsed
from core.unlearners.common.saliency import adding_gradients, hold, smallest
from core.unlearners.random_labels import RandomLabels


@dataclass(frozen=True)
class SalUn(RandomLabels):
    """theta <- theta0 + m * (theta' - theta0) after every step, theta' the step of random labels
    and m = 1 for the share of weights with the largest |grad CE(F)| at theta0, else 0.

    The gradient is the mean over F, in evaluation mode; the largest are chosen among all trained
    parameters together. Masking the update rather than the gradient keeps momentum and weight decay
    from moving a masked-out weight. BatchNorm's running statistics are measured, not trained, and
    follow the retain images.
    """

    name, label = "salun", "SalUn (salient weights)"
    sentence = (
        "Finds the weights that matter most for the images to forget and teaches made-up labels "
        "to those alone; an image that was taught a wrong answer can still stand out."
    )
    paper = "Fan et al., ICLR 2024, arXiv 2310.12508"

    rehearsal: float = rehearsed(0.15, "after each pass")
    share: float = parameter(
        0.5, "Share of weights", "How many of the weights may move, 1 for all of them.", 0.001, 1
    )
    weight_decay: float = parameter(
        5e-4, "Weight decay", "How strongly the weights that may move shrink to 0.", 0, 0.1
    )

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw, batches = Draw(generator, device_of(model)), data.forget.steps(self.batch_size)
        saliency = [torch.zeros_like(weight) for weight in model.parameters()]
        forget_losses = (
            cross_entropy(model, x, y) * (len(y) / len(data.forget))
            for x, y in draw.batches(data.forget, "saliency", self.batch_size)
        )

        def relabelling() -> Iterator[float]:
            originals = weights_of(model)
            fixed = smallest([gradient.abs() for gradient in saliency], 1 - self.share)
            free = [~mask for mask in fixed]
            yield from descend(
                self.optimiser(model),
                self.losses(model, data, draw),
                self.steps(data),
                lambda _: hold(list(model.parameters()), originals, free),
            )

        yield from in_phases(
            adding_gradients("finding salient weights", model, forget_losses, batches, saliency),
            Phase("unlearning", self.steps(data), relabelling()),
        )

    def optimiser(self, model: Classifier) -> torch.optim.Optimizer:
        return make_optimiser(model, self.learning_rate, self.momentum, self.weight_decay)
