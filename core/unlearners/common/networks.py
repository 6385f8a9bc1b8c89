"""Parts and states of a network: teachers, frozen BatchNorm, frozen blocks, weights kept aside."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier


def device_of(model: Classifier) -> torch.device:
    """Where its weights are."""
    return next(model.parameters()).device


def frozen_copy(model: Classifier) -> Classifier:
    """A teacher: a copy in evaluation mode whose weights take no gradient."""
    return copy.deepcopy(model).eval().requires_grad_(False)


def weights_of(model: Classifier) -> list[Tensor]:
    """A copy of every trained parameter, in the order of `model.parameters()`."""
    return [weight.detach().clone() for weight in model.parameters()]


def freeze_batchnorm(model: Classifier) -> None:
    """BatchNorm uses its running statistics and leaves them alone, until `model.train()`."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def kernels(model: nn.Module) -> list[Tensor]:
    """The weights of all convolutions, each (out, in, height, width)."""
    return [module.weight for module in model.modules() if isinstance(module, nn.Conv2d)]


@contextmanager
def training_last(model: Classifier, blocks: int) -> Iterator[None]:
    """The model in training mode, except for all but its last `blocks` blocks: these take no
    gradient and compute as in evaluation. Afterwards all weights take gradients again."""
    frozen = model.stages()[:-blocks]
    parameters = [weight for stage in frozen for weight in stage.parameters()]
    model.train()
    try:
        for stage in frozen:
            stage.eval()
        for weight in parameters:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in parameters:
            weight.requires_grad_(True)
