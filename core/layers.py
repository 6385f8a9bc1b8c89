"""What a network makes of images at each of its depths, in one pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.evaluation import LARGEST_HALF, logits_of
from core.models.classifier import Classifier, Depth

Layers = dict[str, NDArray[np.float32]]
"""By the name of a depth, from the image on: (n, d)."""


def layers_of(
    model: Classifier, images: Tensor, after_batch: Callable[[], None] | None = None
) -> Layers:
    """What the network makes of each image at every depth, in the order given: of a feature map its
    mean over all places, what the head reads and the answer as they are; rounded to float16, as
    files have them, so that what is read from them is the same before and after.

    images: uint8 (n, 3, 32, 32). after_batch: see `core.evaluation.logits_of`.
    """
    depths = model.depths()
    seen: dict[str, Tensor] = {}
    hooks = [
        depth.read.register_forward_pre_hook(_keeper(seen, depth.name))
        for depth in depths
        if depth.read is not None
    ]

    def read(batch: Tensor) -> Tensor:
        seen[depths[-1].name] = model(batch)
        return torch.cat([seen[depth.name].float() for depth in depths], dim=1)

    try:
        whole = logits_of(model, images, after_batch=after_batch, read=read)
    finally:
        for hook in hooks:
            hook.remove()
    widths = [seen[depth.name].shape[1] for depth in depths]
    parts = torch.split(whole.clamp(-LARGEST_HALF, LARGEST_HALF).half().float(), widths, dim=1)
    return {depth.name: part.numpy() for depth, part in zip(depths, parts, strict=True)}


def _keeper(seen: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """A hook that keeps what a module is given, without its places."""

    def keep(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen[name] = given[0].mean((2, 3)) if given[0].ndim == 4 else given[0]

    return keep


def weights_of(depth: Depth) -> list[NDArray[np.float32]]:
    """The parameters that lead to a depth, in a fixed order."""
    weights = [weight for part in depth.parts for weight in part.parameters()]
    return [weight.detach().float().cpu().numpy() for weight in weights]
