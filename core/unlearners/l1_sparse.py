"""l1-sparse: fine-tuning on the retain set under a penalty on the size of all weights.

CE(R) + gamma_t ||theta||_1, gamma_t falling linearly from gamma to 0 (Jia et al. 2023): a network
of fewer weights remembers less of single images.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch

from core.models.classifier import Classifier
from core.unlearners.base import Step, UnlearningData, parameter
from core.unlearners.common.descent import batches, cross_entropy, descend, steps_for
from core.unlearners.fine_tune import FineTune, retain_batch, retain_rate


def linear_decay(done: int, total: int) -> float:
    """The share of the penalty that is left in step `done` of `total`, counted from 0."""
    return 1 - done / total


@dataclass(frozen=True)
class L1Sparse(FineTune):
    """Fine-tuning with the penalty as a proximal step after each step of SGD, soft thresholding:
    theta <- sign(theta) max(|theta| - s gamma_t, 0), which sets weights to exactly 0; adding the
    penalty's subgradient to the loss, as is usual, only makes them tremble around it.

    s is eta / (1 - momentum), the length to which SGD's momentum multiplies a steady gradient: so
    that it settles at the minimum of CE(R) + gamma ||theta||_1 whatever the momentum.

    theta is every trained parameter, biases and BatchNorm's scales too.
    """

    name = "l1_sparse"
    label = "l1-sparse"
    sentence = (
        "Fine-tunes on the images to keep while it shrinks all weights towards zero, so that the "
        "network has less room to remember single images; too much of it costs accuracy."
    )
    paper = "Jia et al., NeurIPS 2023, arXiv 2304.04934"

    epochs: float = parameter(
        0.6,
        "Passes",
        "How often each image to keep is seen again.",
        0.01,
        50,
        log=True,
        presets={"digits": 8.0},
    )
    learning_rate: float = retain_rate(0.16)
    batch_size: int = retain_batch(128)
    gamma: float = parameter(
        5e-5,
        "Sparsity",
        "How strongly all weights are pulled to zero at the start; the pull fades until the end.",
        0,
        1,
        log=True,
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        weights = list(model.parameters())
        total = steps_for(data.retain, self.epochs, self.batch_size)
        done = 0

        @torch.no_grad()
        def shrink(rate: float) -> None:
            nonlocal done
            threshold = rate / (1 - self.momentum) * self.gamma * linear_decay(done, total)
            for weight in weights:
                weight.sub_(weight.clamp(-threshold, threshold))
            done += 1

        model.train()
        retain = batches(data.retain, "retain", self.batch_size, generator, model)
        losses = (cross_entropy(model, x, y) for x, y in retain)
        yield from descend(model, losses, total, self.learning_rate, self.momentum, shrink)
