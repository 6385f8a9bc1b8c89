"""The optimisers of a training and of the methods that descend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.models.recipe import Recipe
from core.training.muon import Muon


def make_optimiser(
    model: Classifier, learning_rate: float, momentum: float = 0.9, weight_decay: float = 0.0
) -> torch.optim.SGD:
    """SGD with Nesterov momentum; weight decay on matrices and kernels only, not on biases and
    BatchNorm's scales."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    return sgd(trainable, learning_rate, momentum, weight_decay)


def sgd(
    parameters: Sequence[nn.Parameter], learning_rate: float, momentum: float, weight_decay: float
) -> torch.optim.SGD:
    """The same for some weights, at least one."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        groups,
        lr=learning_rate,
        momentum=momentum,
        nesterov=momentum > 0,
        # Fused SGD on the CPU gives wrong weights where strides differ; see design.md.
        fused=parameters[0].is_cuda,
    )


def optimisers_of(
    model: Classifier, recipe: Recipe, frozen: Tensor | None
) -> list[torch.optim.Optimizer]:
    """Optimisers of all weights; each group has its `peak` rate. frozen: a weight that stays."""
    optimisers: list[torch.optim.Optimizer] = []
    rest = [weight for weight in model.parameters() if weight is not frozen]
    if recipe.optimiser == "muon":
        kernels = [weight for weight in rest if weight.ndim == 4]
        rest = [weight for weight in rest if weight.ndim != 4]
        optimisers.append(Muon(kernels, recipe.kernel_rate, recipe.kernel_momentum))
    optimisers.append(sgd(rest, recipe.learning_rate, recipe.momentum, recipe.weight_decay))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers
