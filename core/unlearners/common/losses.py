"""The terms that equations are made of, each from one forward pass in training precision."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.precision import training_precision


def logits(model: Classifier, images: Tensor) -> Tensor:
    """float32 (n, classes), computed in training precision."""
    with training_precision(images.device):
        outputs: Tensor = model(images)
    return outputs.float()


def cross_entropy(model: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of a batch. labels: int64 (n,), or probabilities (n, classes)."""
    return F.cross_entropy(logits(model, images), labels)


def divergence(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(teacher || student) of the softmax at a temperature, for each image, (n,), from logits
    (n, classes). Times temperature^2, which keeps the gradient's size (Hinton et al. 2015)."""
    p, q = ((scores / temperature).log_softmax(1) for scores in (teacher, student))
    return temperature**2 * F.kl_div(q, p, log_target=True, reduction="none").sum(1)
