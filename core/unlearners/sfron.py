"""SFRon: forgetting through a saliency mask, in between steps of fine-tuning on the retain set."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.curvature.importance import BATCH, importance
from core.data.images import Images
from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import (
    batches,
    cross_entropy,
    descend,
    freeze_batchnorm,
    in_phases,
    stream,
)
from core.unlearners.common.saliency import hold


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

    name = "sfron"
    label = "SFRon (salient ascent)"
    group = "retrain-like"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Rehearses the images to keep and now and then steps away from those to forget, moving "
        "only the weights that matter more for the latter; too large steps away ruin the model."
    )
    paper = "Huang et al., NeurIPS 2024, arXiv 2409.19732"

    steps: int = parameter(
        180, "Steps", "How many, of either kind.", 10, 10000, log=True, presets={"digits": 200}
    )
    every: int = parameter(5, "Ascent every", "One step in so many is one of forgetting.", 1, 100)
    learning_rate: float = parameter(
        0.1, "Learning rate", "How far each step of rehearsing moves.", 1e-5, 1.0, log=True
    )
    forget_rate: float = parameter(
        0.01, "Forgetting rate", "How far each step of forgetting moves.", 1e-6, 1.0, log=True
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
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(
        128, "Batch size", "Images a step.", 8, 1024, log=True, presets={"digits": 32}
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        weights = list(model.parameters())
        retain_importance: list[Tensor] = []
        forget_importance: list[Tensor] = []

        def measure(part: Images, draw: str, found: list[Tensor]) -> tuple[int, Iterator[Step]]:
            some = torch.randperm(len(part), generator=stream(generator, draw))[: self.samples]
            sample = dataclasses.replace(part, indices=part.indices[some])
            total = sample.steps(BATCH)

            def measuring() -> Iterator[Step]:
                for done, means in enumerate(importance(model, sample, "squared_gradient"), 1):
                    found[:] = [means[name] for name, _ in model.named_parameters()]
                    yield Step(done, total, phase="finding salient weights")

            return total, measuring()

        def unlearn() -> Iterator[Step]:
            free = [
                of_forget >= self.threshold * of_retain
                for of_forget, of_retain in zip(forget_importance, retain_importance, strict=True)
            ]
            before: list[Tensor] = []

            def keeping() -> Iterator[Tensor]:
                for images, labels in batches(
                    data.retain, "retain", self.batch_size, generator, model
                ):
                    model.train()
                    yield cross_entropy(model, images, labels)

            def forgetting() -> Iterator[Tensor]:
                for images, labels in batches(
                    data.forget, "forget", self.batch_size, generator, model
                ):
                    before[:] = [weight.detach().clone() for weight in weights]
                    model.train()
                    freeze_batchnorm(model)
                    with training_precision(images.device):
                        logits = model(images)
                    losses = F.cross_entropy(logits.float(), labels, reduction="none")
                    yield weighted_ascent(losses, self.power)

            ascents = self.steps // self.every
            keep = descend(
                model, keeping(), self.steps - ascents, self.learning_rate, self.momentum
            )
            forget = descend(
                model,
                forgetting(),
                ascents,
                self.forget_rate,
                momentum=0,
                after_step=lambda _: hold(weights, before, free),
            )
            for done in range(1, self.steps + 1):
                step = next(forget if done % self.every == 0 else keep)
                yield Step(done, self.steps, step.loss)

        yield from in_phases(
            measure(data.retain, "sample of retain", retain_importance),
            measure(data.forget, "sample of forget", forget_importance),
            (self.steps, unlearn()),
        )
