"""How a network's answer depends on the pixels: what adversarial searches are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.common.losses import logits

WHITE = 255
"""Pixel levels from 0 to 1, the unit in which perturbations are stated."""


def pixel_gradient(model: Classifier, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of each image, d CE(f(x), y) / d x and the logits.

    images: (n, 3, s, s), uint8 or float, in [0, 255]. Returns float32 (n, 3, s, s) and (n, K). The
    model must be in evaluation mode, so that no image depends on the others; its weights get no
    gradient.
    """
    pixels = images.float().clone().requires_grad_()
    outputs = logits(model, pixels)
    loss = F.cross_entropy(outputs, labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels)
    return gradient, outputs.detach()
