"""FCS (forget, contrast, strengthen) of the NeurIPS 2023 unlearning challenge.

Sources: the challenge's report (Triantafillou et al. 2024, arXiv 2406.09073); the name is that of
the benchmark of Cadet et al. 2024, arXiv 2410.01276.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import Phase, in_phases, sgd_phase
from core.unlearners.common.draw import Draw, steps_for
from core.unlearners.common.losses import cross_entropy, logits
from core.unlearners.common.networks import device_of, freeze_batchnorm
from core.unlearners.common.parameters import OF_EACH_KIND, batch, rate, rehearsed, sgd_momentum


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

    name, label, group = "fcs", "FCS (forget, contrast, strengthen)", "retrain-like"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Makes the network undecided about the images to forget, drives them away from what it "
        "knows of the others, and rehearses those; the first step alone can do much damage."
    )
    paper = (
        "NeurIPS 2023 unlearning challenge: Triantafillou et al. 2024, arXiv 2406.09073; "
        "Cadet et al. 2024, arXiv 2410.01276"
    )

    rounds: int = parameter(
        2, "Rounds", "How often it drives the images to forget away and rehearses the rest.", 1, 20
    )
    rehearsal: float = rehearsed(0.12, "in each round")
    forget_rate: float = rate(
        1e-4,
        "How far each step moves that makes the network undecided.",
        low=1e-6,
        label="Forgetting rate",
    )
    contrast_rate: float = rate(
        3e-6,
        "How far each step moves that drives the images to forget away; the pull is strong.",
        low=1e-8,
        label="Contrast rate",
    )
    learning_rate: float = rate(
        0.1, "How far each step of rehearsing moves.", label="Rehearsal rate"
    )
    temperature: float = parameter(
        1.15, "Temperature", "Higher looks less at the nearest images alone.", 0.1, 100, log=True
    )
    momentum: float = sgd_momentum()
    batch_size: int = batch(help=OF_EACH_KIND)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw = Draw(generator, device_of(model))
        forget = draw.batches(data.forget, "forget", self.batch_size)
        contrast_retain = draw.batches(data.retain, "contrast", self.batch_size)
        retain = draw.batches(data.retain, "retain", self.batch_size)

        def undecided() -> Iterator[Tensor]:
            freeze_batchnorm(model.train())
            for x, _ in forget:
                yield from_uniform(logits(model, x))

        def contrasted() -> Iterator[Tensor]:
            freeze_batchnorm(model.train())
            for x, _ in forget:
                with torch.no_grad():
                    retain_logits = logits(model, next(contrast_retain)[0])
                yield contrast(logits(model, x), retain_logits, self.temperature)

        def rehearsing() -> Iterator[Tensor]:
            model.train()
            for x, y in retain:
                yield cross_entropy(model, x, y)

        def phase(name: str, losses: Iterator[Tensor], total: int, rate: float) -> Phase:
            return sgd_phase(name, model, losses, total, rate, self.momentum)

        forget_steps = data.forget.steps(self.batch_size)
        retain_steps = steps_for(data.retain, self.rehearsal, self.batch_size)
        phases = [phase("forgetting", undecided(), forget_steps, self.forget_rate)]
        for _ in range(self.rounds):
            phases += [
                phase("contrasting", contrasted(), forget_steps, self.contrast_rate),
                phase("strengthening", rehearsing(), retain_steps, self.learning_rate),
            ]
        yield from in_phases(*phases)
