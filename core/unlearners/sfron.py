"""SFRon: forgetting through a saliency mask, in between steps of fine-tuning on the retain set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.training.optimisers import make_optimiser
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import Phase, descend, in_phases
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import cross_entropy, logits
from core.unlearners.common.networks import device_of, freeze_batchnorm, weights_of
from core.unlearners.common.parameters import batch, rate, sgd_momentum
from core.unlearners.common.saliency import hold, measuring_importance


def weighted_ascent(losses: Tensor, power: float) -> Tensor:
    """-mean e_i l_i, e_i = 1 / l_i^power held fixed. losses: float32 (n,), each >= 0.

    For power < 1 its gradient is that of -mean l_i^(1 - power) / (1 - power): an image pulls the
    less the more wrong it is already. Below float32's resolution a loss counts as that.
    """
    weights = losses.detach().clamp(min=torch.finfo(losses.dtype).eps) ** -power
    return -(weights * losses).mean()


@dataclass(frozen=True)
class SFRon(Unlearner):
    """Steps on CE(R); every k-th instead ascends mean_F e_i l_i, e_i = 1 / l_i^lambda, on the
    weights where I_F >= gamma I_R alone.

    I: the mean squared gradient of single images' losses at theta0, in evaluation mode, over
    `samples` images of each set. The mask acts on the whole update of an ascent. Ascents are plain
    gradient steps at a rate of their own, so that SGD's momentum is that of R alone; the rates fall
    along one cosine each. F never feeds BatchNorm's running statistics.
    """

    name, label, group = "sfron", "SFRon (salient ascent)", "retrain-like"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Rehearses the images to keep and now and then steps away from those to forget, moving "
        "only the weights that matter more for the latter; too large steps away ruin the model."
    )
    paper = "Huang et al., NeurIPS 2024, arXiv 2409.19732"

    steps: int = parameter(180, "Steps", "How many, of either kind.", 10, 10000, log=True)
    every: int = parameter(5, "Ascent every", "One step in so many is one of forgetting.", 1, 100)
    learning_rate: float = rate(0.1, "How far each step of rehearsing moves.")
    forget_rate: float = rate(
        0.01, "How far each step of forgetting moves.", low=1e-6, label="Forgetting rate"
    )
    power: float = parameter(
        0.5,
        "Balance of images",
        "0 forgets most what is wrong already; 1 treats what is still known as most urgent.",
        0,
        1,
    )
    threshold: float = parameter(
        1.0,
        "Mask threshold",
        "How much more a weight must matter for the images to forget; 0 moves every weight.",
        0,
        1000,
    )
    samples: int = parameter(
        1000,
        "Sample for the mask",
        "Images of each kind that say which weights matter.",
        32,
        10000,
        log=True,
    )
    momentum: float = sgd_momentum()
    batch_size: int = batch()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw = Draw(generator, device_of(model))
        retain_fisher: dict[str, Tensor] = {}
        forget_fisher: dict[str, Tensor] = {}
        retain_sample = draw.sample(data.retain, self.samples, "sample of retain")
        forget_sample = draw.sample(data.forget, self.samples, "sample of forget")
        phase = "finding salient weights"
        yield from in_phases(
            measuring_importance(phase, model, retain_sample, "squared_gradient", retain_fisher),
            measuring_importance(phase, model, forget_sample, "squared_gradient", forget_fisher),
            Phase(
                "unlearning",
                self.steps,
                self.unlearn(model, data, draw, retain_fisher, forget_fisher),
            ),
        )

    def unlearn(
        self,
        model: Classifier,
        data: UnlearningData,
        draw: Draw,
        retain_fisher: dict[str, Tensor],
        forget_fisher: dict[str, Tensor],
    ) -> Iterator[float]:
        """Ascents in between steps of fine-tuning, each kind along its own cosine."""
        free = [
            forget_fisher[name] >= self.threshold * retain_fisher[name]
            for name, _ in model.named_parameters()
        ]
        weights_before: list[Tensor] = []

        def keeping() -> Iterator[Tensor]:
            for x, y in draw.batches(data.retain, "retain", self.batch_size):
                model.train()
                yield cross_entropy(model, x, y)

        def forgetting() -> Iterator[Tensor]:
            for x, y in draw.batches(data.forget, "forget", self.batch_size):
                weights_before[:] = weights_of(model)
                freeze_batchnorm(model.train())
                losses = F.cross_entropy(logits(model, x), y, reduction="none")
                yield weighted_ascent(losses, self.power)

        def restore(_: float) -> None:
            hold(list(model.parameters()), weights_before, free)

        ascents = self.steps // self.every
        sgd = make_optimiser(model, self.learning_rate, self.momentum)
        plain = make_optimiser(model, self.forget_rate, momentum=0)
        retain_steps = descend(sgd, keeping(), self.steps - ascents)
        forget_steps = descend(plain, forgetting(), ascents, restore)
        for done in range(1, self.steps + 1):
            yield next(forget_steps if done % self.every == 0 else retain_steps)
