"""UNSIR: noise that the model would never take for the class, taught to it as the class.

Tarun et al., IEEE TNNLS 2023. The forget images themselves are never read.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from core.data.images import Images
from core.models.classifier import Classifier
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import (
    batches,
    cross_entropy,
    descend,
    in_phases,
    steps_for,
    stream,
)

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

    name = "unsir"
    label = "UNSIR"
    group = "retrain-like"
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
        presets={"digits": 1.0},
    )
    impair_rate: float = parameter(
        0.02, "Impair learning rate", "How hard the noise hits.", 1e-5, 1.0, log=True
    )
    repair_rate: float = parameter(
        0.01, "Repair learning rate", "How far each repairing step moves.", 1e-5, 1.0, log=True
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(
        128,
        "Batch size",
        "Images to keep a step, and noise images in all.",
        4,
        1024,
        log=True,
        presets={"digits": 32},
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        original = copy.deepcopy(model).eval().requires_grad_(False)
        part = self._part(data.retain, stream(generator, "part of the retain set"))
        device = next(model.parameters()).device
        classes = torch.tensor(data.forgotten_classes, device=device)
        labels = classes.repeat(-(-self.batch_size // len(classes)))
        shape = (len(labels), *part.images.shape[1:])
        noise = torch.randn(shape, generator=stream(generator, "noise")).to(device).requires_grad_()

        def penalised() -> Iterator[Tensor]:
            while True:
                size = noise.square().flatten(1).sum(1).mean()
                yield self.noise_penalty * size - cross_entropy(
                    original, pixels(original, noise), labels
                )

        def impairing() -> Iterator[Tensor]:
            model.train()
            picks = stream(generator, "order of the noise")
            for x, y in batches(part, "impair", self.batch_size, generator, model):
                count = round(NOISE_SHARE * len(x)) or 1
                chosen = torch.randperm(len(noise), generator=picks)[:count].to(device)
                seen = pixels(original, noise.detach()[chosen])
                both = torch.cat([x.float(), seen]), torch.cat([y, labels[chosen]])
                yield cross_entropy(model, *both)

        def repairing() -> Iterator[Tensor]:
            model.train()
            for x, y in batches(part, "repair", self.batch_size, generator, model):
                yield cross_entropy(model, x, y)

        adam = torch.optim.Adam([noise], fused=False)
        total = steps_for(part, 1, self.batch_size)
        yield from in_phases(
            (
                self.noise_steps,
                descend(
                    original,
                    penalised(),
                    self.noise_steps,
                    self.noise_rate,
                    optimiser=adam,
                    phase="making noise",
                ),
            ),
            (
                total,
                descend(
                    model, impairing(), total, self.impair_rate, self.momentum, phase="impairing"
                ),
            ),
            (
                total,
                descend(
                    model, repairing(), total, self.repair_rate, self.momentum, phase="repairing"
                ),
            ),
        )

    def _part(self, retain: Images, generator: torch.Generator) -> Images:
        """A random share of these images, drawn once; at least one."""
        count = max(1, round(self.share * len(retain)))
        chosen = torch.randperm(len(retain), generator=generator)[:count]
        return Images(retain.images, retain.labels, retain.indices[chosen])


def pixels(model: Classifier, normalised: Tensor) -> Tensor:
    """The float pixels in the units of an image (0 black, 255 white, others allowed) that the model
    normalises to this."""
    return normalised * cast(Tensor, model.std) + cast(Tensor, model.mean)
