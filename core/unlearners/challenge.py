"""Three methods of the NeurIPS 2023 unlearning challenge that damage the convolution kernels and
then fine-tune on the retain set; the fourth is in `challenge_fcs.py`.

Sources: the challenge's report (Triantafillou et al. 2024, arXiv 2406.09073); names after the
benchmark of Cadet et al. 2024, arXiv 2410.01276.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners.base import Steps, UnlearningData, parameter
from core.unlearners.common.descent import Phase, in_phases
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import cross_entropy, logits
from core.unlearners.common.networks import device_of, kernels
from core.unlearners.common.parameters import KEPT_AFTERWARDS, batch, passes, tuning_rate
from core.unlearners.common.saliency import adding_gradients, smallest
from core.unlearners.fine_tune import FineTune

PAPER = (
    "NeurIPS 2023 unlearning challenge: Triantafillou et al. 2024, arXiv 2406.09073; "
    "Cadet et al. 2024, arXiv 2410.01276"
)


@torch.no_grad()
def transpose(kernels: list[Tensor]) -> None:
    """Swaps height and width of every kernel; twice is the identity."""
    for kernel in kernels:
        kernel.copy_(kernel.transpose(2, 3).clone())


@dataclass(frozen=True)
class ConvolutionTranspose(FineTune):
    """W[o, i, h, w] <- W[o, i, w, h] in every convolution, then fine-tuning on R.

    A network of such kernels and symmetric pooling then sees each image mirrored along its
    diagonal: what it knew of shapes is still there, what it knew of single images is off.
    """

    name, label = "ct", "CT (transposed kernels)"
    sentence = (
        "Mirrors every filter of the network along its diagonal, which throws it off, then trains "
        "it on the images to keep until it has found its feet; what it knew well may suffer too."
    )
    paper = PAPER

    epochs: float = passes(0.6, KEPT_AFTERWARDS)
    learning_rate: float = tuning_rate(0.16)
    batch_size: int = batch()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        transpose(kernels(model))
        yield from super().run(model, data, generator)


@dataclass(frozen=True)
class MaskedSmallGradients(FineTune):
    """Re-initialises the share of all kernel weights with the smallest |grad (CE(R) - CE(F))|, then
    fine-tunes on R.

    The gradient is that of the original network in evaluation mode: over all of F, and over as many
    batches of R. New weights are those of a network fresh from `build_model`.
    """

    name, label = "msg", "MSG (re-initialise idle weights)"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Replaces the filter weights that matter least for telling the two groups of images apart "
        "by new random ones, then trains on the images to keep to repair the damage."
    )
    paper = PAPER

    epochs: float = passes(0.45, KEPT_AFTERWARDS)
    learning_rate: float = tuning_rate(0.16)
    batch_size: int = batch()
    share: float = parameter(
        0.3, "Share drawn anew", "How many of the filter weights start over.", 0, 1
    )

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw, batches = Draw(generator, device_of(model)), data.forget.steps(self.batch_size)
        weights: list[Tensor] = list(model.parameters())
        gradients = [torch.zeros_like(weight) for weight in weights]

        def differences() -> Iterator[Tensor]:
            retain = draw.batches(data.retain, "gradient on retain", self.batch_size)
            forget = draw.batches(data.forget, "gradient on forget", self.batch_size)
            for (x, y), (forget_x, forget_y) in zip(retain, forget, strict=True):
                difference = cross_entropy(model, x, y) / batches
                share = len(forget_y) / len(data.forget)
                yield difference - cross_entropy(model, forget_x, forget_y) * share

        def tune() -> Iterator[float]:
            fresh = build_model(data.architecture, data.classes, draw.stream("new weights"))
            by_weight = dict(zip(weights, gradients, strict=True))
            masks = smallest([by_weight[kernel].abs() for kernel in kernels(model)], self.share)
            with torch.no_grad():
                for kernel, new, mask in zip(kernels(model), kernels(fresh), masks, strict=True):
                    kernel.copy_(torch.where(mask, new.to(kernel.device), kernel))
            yield from self.descent(model, data, draw)

        yield from in_phases(
            adding_gradients("finding idle weights", model, differences(), batches, gradients),
            Phase("unlearning", self.steps(data), tune()),
        )


@dataclass(frozen=True)
class ConfuseFineTune(FineTune):
    """W <- W + noise * std(W) * N(0, 1) in every convolution, then fine-tuning on R with the
    class-weighted cross-entropy sum_i w_i l_i / sum_i w_i, w_i = 1 / the images of i's class in R.

    std(W) is that of the kernel itself, so that one amount fits layers of any scale.
    """

    name, label = "cfw", "CFW (noise on the kernels)"
    sentence = (
        "Shakes every filter of the network with random noise, then trains it on the images to "
        "keep, the rarer classes counting more; too much noise costs accuracy for good."
    )
    paper = PAPER

    epochs: float = passes(0.6, KEPT_AFTERWARDS)
    learning_rate: float = tuning_rate(0.16)
    batch_size: int = batch()
    noise: float = parameter(0.6, "Noise", "Its size relative to the weights of each layer.", 0, 10)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        noise_generator = Draw(generator, device_of(model)).stream("noise")
        with torch.no_grad():
            for kernel in kernels(model):
                noise = torch.randn(kernel.shape, generator=noise_generator).to(kernel.device)
                kernel.add_(noise * kernel.std(), alpha=self.noise)
        yield from super().run(model, data, generator)

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        counts = data.retain.labels[data.retain.indices].bincount(minlength=data.classes)
        balance = (1 / counts.clamp(min=1)).to(draw.device)
        model.train()
        for x, y in draw.batches(data.retain, "retain", self.batch_size):
            yield F.cross_entropy(logits(model, x), y, balance)
