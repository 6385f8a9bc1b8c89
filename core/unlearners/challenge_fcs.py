"""FCS (forget, contrast, strengthen) of the NeurIPS 2023 unlearning challenge.

Sources: the challenge's report (Triantafillou et al. 2024, arXiv 2406.09073); the name is that of
the benchmark of Cadet et al. 2024, arXiv 2410.01276.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.challenge import PAPER
from core.unlearners.common.descent import (
    batches,
    cross_entropy,
    descend,
    freeze_batchnorm,
    in_phases,
    steps_for,
)


def from_uniform(logits: Tensor) -> Tensor:
    """Mean KL(uniform || softmax) of logits (n, K); 0 where the network is undecided."""
    uniform = torch.full_like(logits, 1 / logits.shape[1])
    return F.kl_div(logits.log_softmax(1), uniform, reduction="batchmean")


def contrast(forget: Tensor, retain: Tensor, temperature: float) -> Tensor:
    """Mean over i, j of -log (exp(f_i . r_j / t) / sum_k exp(f_i . r_k / t)).

    forget: logits (m, K); retain: logits (n, K). At its least, log n, where each f_i is as near to
    every retain image as to any other; above it f_i sides with some of them, those of its class.
    """
    return -(forget @ retain.T / temperature).log_softmax(1).mean()


@dataclass(frozen=True)
class ForgetContrastStrengthen(Unlearner):
    """One pass of KL(uniform || p(F)); then rounds of one pass of `contrast`(F, R), the logits of R
    held fixed, and some of CE(R). Each phase has its own cosine from its rate to 0.

    BatchNorm's running statistics stay while F is read, and follow R else.
    """

    name = "fcs"
    label = "FCS (forget, contrast, strengthen)"
    group = "retrain-like"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Makes the network undecided about the images to forget, drives them away from what it "
        "knows of the others, and rehearses those; the first step alone can do much damage."
    )
    paper = PAPER

    rounds: int = parameter(
        2, "Rounds", "How often it drives the images to forget away and rehearses the rest.", 1, 20
    )
    rehearsal: float = parameter(
        0.12,
        "Rehearsal",
        "How much of the images to keep is seen in each round, 1 for all of them.",
        0.01,
        5,
        log=True,
        presets={"digits": 1.0},
    )
    forget_rate: float = parameter(
        1e-4,
        "Forgetting rate",
        "How far each step moves that makes the network undecided.",
        1e-6,
        1.0,
        log=True,
    )
    contrast_rate: float = parameter(
        3e-6,
        "Contrast rate",
        "How far each step moves that drives the images to forget away; the pull is strong.",
        1e-8,
        1.0,
        log=True,
    )
    learning_rate: float = parameter(
        0.1, "Rehearsal rate", "How far each step of rehearsing moves.", 1e-5, 1.0, log=True
    )
    temperature: float = parameter(
        1.15, "Temperature", "Higher looks less at the nearest images alone.", 0.1, 100, log=True
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(
        128, "Batch size", "Images of each kind a step.", 8, 1024, log=True, presets={"digits": 32}
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        forget = batches(data.forget, "forget", self.batch_size, generator, model)
        beside = batches(data.retain, "contrast", self.batch_size, generator, model)
        retain = batches(data.retain, "retain", self.batch_size, generator, model)

        def logits(images: Tensor) -> Tensor:
            with training_precision(images.device):
                found: Tensor = model(images)
            return found.float()

        def undecided() -> Iterator[Tensor]:
            model.train()
            freeze_batchnorm(model)
            for images, _ in forget:
                yield from_uniform(logits(images))

        def contrasted() -> Iterator[Tensor]:
            model.train()
            freeze_batchnorm(model)
            for images, _ in forget:
                with torch.no_grad():
                    others = logits(next(beside)[0])
                yield contrast(logits(images), others, self.temperature)

        def rehearsed() -> Iterator[Tensor]:
            model.train()
            for images, labels in retain:
                yield cross_entropy(model, images, labels)

        forgetting = data.forget.steps(self.batch_size)
        rehearsing = steps_for(data.retain, self.rehearsal, self.batch_size)

        def phase(
            losses: Iterator[Tensor], steps: int, rate: float, name: str
        ) -> tuple[int, Iterator[Step]]:
            return steps, descend(model, losses, steps, rate, self.momentum, phase=name)

        phases = [phase(undecided(), forgetting, self.forget_rate, "forgetting")]
        for _ in range(self.rounds):
            phases.append(phase(contrasted(), forgetting, self.contrast_rate, "contrasting"))
            phases.append(phase(rehearsed(), rehearsing, self.learning_rate, "strengthening"))
        yield from in_phases(*phases)
