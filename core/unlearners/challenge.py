"""Three methods of the NeurIPS 2023 unlearning challenge that damage the convolution kernels and
then fine-tune on the retain set; the fourth is in `challenge_fcs.py`.

Sources: the challenge's report (Triantafillou et al. 2024, arXiv 2406.09073); names after the
benchmark of Cadet et al. 2024, arXiv 2410.01276.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.models.registry import build_model
from core.unlearners.base import Step, UnlearningData, parameter
from core.unlearners.common.descent import (
    batches,
    cross_entropy,
    descend,
    in_phases,
    steps_for,
    stream,
)
from core.unlearners.common.saliency import add_gradients, smallest
from core.unlearners.fine_tune import FineTune, retain_batch, retain_rate

PAPER = (
    "NeurIPS 2023 unlearning challenge: Triantafillou et al. 2024, arXiv 2406.09073; "
    "Cadet et al. 2024, arXiv 2410.01276"
)


def kernels(model: nn.Module) -> list[Tensor]:
    """The weights of all convolutions, each (out, in, height, width)."""
    return [module.weight for module in model.modules() if isinstance(module, nn.Conv2d)]


@torch.no_grad()
def transpose(kernels: list[Tensor]) -> None:
    """Swaps height and width of every kernel; twice is the identity."""
    for kernel in kernels:
        kernel.copy_(kernel.transpose(2, 3).clone())


def _passes(default: float) -> float:
    found: float = parameter(
        default,
        "Passes",
        "How often each image to keep is seen afterwards.",
        0.01,
        50,
        log=True,
        presets={"digits": 8.0},
    )
    return found


@dataclass(frozen=True)
class ConvolutionTranspose(FineTune):
    """W[o, i, h, w] <- W[o, i, w, h] in every convolution, then fine-tuning on R.

    A network of such kernels and symmetric pooling then sees each image mirrored along its
    diagonal: what it knew of shapes is still there, what it knew of single images is off.
    """

    name = "ct"
    label = "CT (transposed kernels)"
    sentence = (
        "Mirrors every filter of the network along its diagonal, which throws it off, then trains "
        "it on the images to keep until it has found its feet; what it knew well may suffer too."
    )
    paper = PAPER

    epochs: float = _passes(0.6)
    learning_rate: float = retain_rate(0.16)
    batch_size: int = retain_batch(128)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        transpose(kernels(model))
        yield from super().run(model, data, generator)


@dataclass(frozen=True)
class MaskedSmallGradients(FineTune):
    """Re-initialises the share of all kernel weights with the smallest |grad (CE(R) - CE(F))|, then
    fine-tunes on R.

    The gradient is that of the original network in evaluation mode: over all of F, and over as many
    batches of R. New weights are those of a network fresh from `build_model`.
    """

    name = "msg"
    label = "MSG (re-initialise idle weights)"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Replaces the filter weights that matter least for telling the two groups of images apart "
        "by new random ones, then trains on the images to keep to repair the damage."
    )
    paper = PAPER

    epochs: float = _passes(0.45)
    learning_rate: float = retain_rate(0.16)
    batch_size: int = retain_batch(128)
    share: float = parameter(
        0.3, "Share drawn anew", "How many of the filter weights start over.", 0, 1
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        gradient: dict[Tensor, Tensor] = {w: torch.zeros_like(w) for w in model.parameters()}
        looks = data.forget.steps(self.batch_size)
        total = steps_for(data.retain, self.epochs, self.batch_size)

        def differences() -> Iterator[Tensor]:
            retain = batches(data.retain, "gradient on retain", self.batch_size, generator, model)
            forget = batches(data.forget, "gradient on forget", self.batch_size, generator, model)
            for (x, y), (forget_x, forget_y) in zip(retain, forget, strict=True):
                difference = cross_entropy(model, x, y) / looks
                share = len(forget_y) / len(data.forget)
                yield difference - cross_entropy(model, forget_x, forget_y) * share

        def tune() -> Iterator[Step]:
            drawn = stream(generator, "new weights")
            fresh = kernels(build_model(data.architecture, data.classes, drawn))
            old = kernels(model)
            masks = smallest([gradient[kernel].abs() for kernel in old], self.share)
            with torch.no_grad():
                for kernel, new, mask in zip(old, fresh, masks, strict=True):
                    kernel.copy_(torch.where(mask, new.to(kernel.device), kernel))
            yield from FineTune.run(self, model, data, generator)

        finding = add_gradients(
            model, differences(), looks, list(gradient.values()), "finding idle weights"
        )
        yield from in_phases((looks, finding), (total, tune()))


@dataclass(frozen=True)
class ConfuseFineTune(FineTune):
    """W <- W + noise * std(W) * N(0, 1) in every convolution, then fine-tuning on R with the
    class-weighted cross-entropy sum_i w_i l_i / sum_i w_i, w_i = 1 / the images of i's class in R.

    std(W) is that of the kernel itself, so that one amount fits layers of any scale.
    """

    name = "cfw"
    label = "CFW (noise on the kernels)"
    sentence = (
        "Shakes every filter of the network with random noise, then trains it on the images to "
        "keep, the rarer classes counting more; too much noise costs accuracy for good."
    )
    paper = PAPER

    epochs: float = _passes(0.6)
    learning_rate: float = retain_rate(0.16)
    batch_size: int = retain_batch(128)
    noise: float = parameter(0.6, "Noise", "Its size relative to the weights of each layer.", 0, 10)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        drawn = stream(generator, "noise")
        with torch.no_grad():
            for kernel in kernels(model):
                noise = torch.randn(kernel.shape, generator=drawn).to(kernel.device)
                kernel.add_(noise * kernel.std(), alpha=self.noise)
        counts = data.retain.labels[data.retain.indices].bincount(minlength=data.classes)
        balance = 1 / counts.clamp(min=1)

        def weighted(images: Tensor, labels: Tensor) -> Tensor:
            with training_precision(images.device):
                logits = model(images)
            return F.cross_entropy(logits.float(), labels, balance.to(images.device))

        model.train()
        retain = batches(data.retain, "retain", self.batch_size, generator, model)
        losses = (weighted(x, y) for x, y in retain)
        total = steps_for(data.retain, self.epochs, self.batch_size)
        yield from descend(model, losses, total, self.learning_rate, self.momentum)
