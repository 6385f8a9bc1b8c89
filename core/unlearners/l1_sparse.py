"""l1-sparse: fine-tuning on the retain set under a penalty on the size of all weights.

CE(R) + gamma_t ||theta||_1, gamma_t falling linearly from gamma to 0 (Jia et al. 2023): a network
of fewer weights remembers less of single images.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import UnlearningData, parameter
from core.unlearners.common.descent import AfterStep, proximal
from core.unlearners.common.parameters import batch, tuning_passes, tuning_rate
from core.unlearners.fine_tune import FineTune


def linear_decay(done: int, total: int) -> float:
    """The share of the penalty that is left in step `done` of `total`, counted from 0."""
    return 1 - done / total


@dataclass(frozen=True)
class L1Sparse(FineTune):
    """Fine-tuning with the penalty as a proximal step after each step of SGD, soft thresholding:
    theta <- sign(theta) max(|theta| - s gamma_t, 0), which sets weights to exactly 0; adding the
    penalty's subgradient to the loss, as is usual, only makes them tremble around it.

    s, as in `proximal`, makes it settle at the minimum of CE(R) + gamma ||theta||_1 whatever the
    momentum. theta is every trained parameter, biases and BatchNorm's scales too.
    """

    name, label = "l1_sparse", "l1-sparse"
    sentence = (
        "Fine-tunes on the images to keep while it shrinks all weights towards zero, so that the "
        "network has less room to remember single images; too much of it costs accuracy."
    )
    paper = "Jia et al., NeurIPS 2023, arXiv 2304.04934"

    epochs: float = tuning_passes(0.6)
    learning_rate: float = tuning_rate(0.16)
    batch_size: int = batch()
    gamma: float = parameter(
        5e-5,
        "Sparsity",
        "How strongly all weights are pulled to zero at the start; the pull fades until the end.",
        0,
        1,
        log=True,
    )

    def after_step(self, model: Classifier, data: UnlearningData) -> AfterStep:
        def shrink(weight: Tensor, original: Tensor, s: float, done: int) -> None:
            threshold = s * self.gamma * linear_decay(done, self.steps(data))
            weight.sub_(weight.clamp(-threshold, threshold))

        return proximal(model, self.momentum, shrink)
