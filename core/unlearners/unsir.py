"""UNSIR: noise that the model would never take for the class, taught to it as the class.

Tarun et al., IEEE TNNLS 2023. The forget images themselves are never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import Phase, adam, descend, in_phases, sgd_phase
from core.unlearners.common.draw import Draw, share_of, steps_for
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import device_of, frozen_copy
from core.unlearners.common.parameters import batch, rate, sgd_momentum

NOISE_SHARE = 0.5
"""Noise images beside each retained one in a batch of the impair step: the paper has 20 copies of
256 beside 9 times 1,000."""


@dataclass(frozen=True)
class Unsir(Unlearner):
    """Noise: N* = argmin over N of -CE(f0(N), c) + lambda ||N||^2, averaged over a batch of N, with
    Adam from N(0, 1); c the class to forget, each in turn where there are several. N is what the
    network sees after normalisation, 0 the mean colour, and is not held to what an image can be.
    Impair: theta <- theta - eta grad CE(f(x), y) over (N*, c) and part of R.
    Repair: the same over that part of R alone.

    The steps on theta are SGD with Nesterov momentum. Noise and retained images share their batches
    and so BatchNorm's statistics, as in the paper: kept apart, noise so far from any image breaks
    the network beyond repair. The repair step brings the running statistics back.
    """

    name, label, group = "unsir", "UNSIR", "retrain-like"
    needs = frozenset({"retain"})
    suits = "classes"
    sentence = (
        "Invents noise that is as unlike the class as can be, teaches the model that this is the "
        "class, then repairs the rest. It never looks at the images to forget."
    )
    paper = "Tarun et al., IEEE TNNLS 2023, arXiv 2111.08947"

    noise_steps: int = parameter(
        40, "Noise steps", "How long the noise is worked on.", 2, 1000, log=True
    )
    noise_rate: float = parameter(
        0.1, "Noise learning rate", "How far each step changes the noise.", 1e-3, 1.0, log=True
    )
    noise_penalty: float = parameter(
        0.1, "Noise penalty", "How strongly the noise is kept small.", 1e-4, 10, log=True
    )
    share: float = parameter(
        0.2,
        "Share of the rest",
        "The part of the images to keep that is rehearsed, 1 for all.",
        0.001,
        1,
        log=True,
    )
    impair_rate: float = rate(0.02, "How hard the noise hits.", label="Impair learning rate")
    repair_rate: float = rate(
        0.01, "How far each repairing step moves.", label="Repair learning rate"
    )
    momentum: float = sgd_momentum()
    batch_size: int = batch(help="Images to keep a step, and noise images in all.", low=4)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw, original = Draw(generator, device_of(model)), frozen_copy(model)
        count = share_of(data.retain, self.share)
        part = draw.sample(data.retain, count, "part of the retain set")
        classes = torch.tensor(data.forgotten_classes, device=draw.device)
        labels = classes.repeat(-(-self.batch_size // len(classes)))
        shape = (len(labels), *part.images.shape[1:])
        noise = torch.randn(shape, generator=draw.stream("noise")).to(draw.device).requires_grad_()

        def penalised() -> Iterator[Tensor]:
            while True:
                size = noise.square().flatten(1).sum(1).mean()
                wrong = cross_entropy(original, pixels(original, noise), labels)
                yield self.noise_penalty * size - wrong

        def impairing() -> Iterator[Tensor]:
            model.train()
            picks = draw.stream("order of the noise")
            for x, y in draw.batches(part, "impair", self.batch_size):
                noise_count = round(NOISE_SHARE * len(x)) or 1
                chosen = torch.randperm(len(noise), generator=picks)[:noise_count].to(draw.device)
                noise_pixels = pixels(original, noise.detach()[chosen])
                mixed = torch.cat([x.float(), noise_pixels]), torch.cat([y, labels[chosen]])
                yield cross_entropy(model, *mixed)

        def repairing() -> Iterator[Tensor]:
            model.train()
            for x, y in draw.batches(part, "repair", self.batch_size):
                yield cross_entropy(model, x, y)

        total = steps_for(part, 1, self.batch_size)
        making = descend(adam([noise], self.noise_rate), penalised(), self.noise_steps)
        yield from in_phases(
            Phase("making noise", self.noise_steps, making),
            sgd_phase("impairing", model, impairing(), total, self.impair_rate, self.momentum),
            sgd_phase("repairing", model, repairing(), total, self.repair_rate, self.momentum),
        )


def pixels(model: Classifier, normalised: Tensor) -> Tensor:
    """The float pixels in the units of an image (0 black, 255 white, others allowed) that the model
    normalises to this."""
    return normalised * cast(Tensor, model.std) + cast(Tensor, model.mean)
