"""NoT: the first convolution changes its sign, then the network is fine-tuned on the retain set.

The later layers no longer fit what the first one gives them, and what they knew of single images is
lost; the weights are still good ones, so that a little training on R brings back the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from core.models.classifier import Classifier
from core.unlearners.base import Steps, UnlearningData
from core.unlearners.common.parameters import batch, tuning_passes, tuning_rate
from core.unlearners.fine_tune import FineTune


@torch.no_grad()
def negate_first_convolution(model: Classifier) -> None:
    """Its kernel and, where it has one, its bias times -1: its output is then the negative of what
    it was. Twice is the identity."""
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    for weight in first.parameters():
        weight.neg_()


@dataclass(frozen=True)
class NoT(FineTune):
    """theta_1 <- -theta_1, the first convolution's, then theta <- theta - eta grad CE(R)."""

    name, label = "not_negate", "NoT"
    sentence = (
        "Turns the sign of the first layer, which confuses the whole network, then repairs it on "
        "the images to keep; what is not rehearsed does not come back, and some accuracy is lost."
    )
    paper = "Khalil et al., CVPR 2025, arXiv 2503.05657"

    epochs: float = tuning_passes(0.6)
    learning_rate: float = tuning_rate(0.16)
    batch_size: int = batch()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        negate_first_convolution(model)
        yield from super().run(model, data, generator)
