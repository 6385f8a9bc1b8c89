"""What a network costs to run."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier


def multiply_adds(model: Classifier) -> int:
    """Multiply-adds of the convolutions and linear layers for one 32 x 32 image."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        weight = cast(Tensor, module.weight)
        total += output[0].numel() * weight[0].numel()

    hooks = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    was_training = model.training
    device = next(model.parameters()).device
    with torch.inference_mode():
        model.eval()(torch.zeros(1, 3, 32, 32, dtype=torch.uint8, device=device))
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return total
