"""Random shifts and mirroring of a batch, and smaller copies of it, on tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(
    images: Tensor, crop: int, generator: torch.Generator, mirrored: Tensor | None = None
) -> Tensor:
    """Random shift by up to `crop` pixels (reflected at the border) and random mirroring.

    images: uint8 (n, 3, s, s), n >= 1; the result has the same shape. mirrored: bool (n,), which of
    them to mirror, in place of chance. Draws on the CPU, so that a seed gives the same images on
    every device.
    """
    n, _, size, _ = images.shape
    top, left = torch.randint(2 * crop + 1, (2, n, 1), generator=generator)
    if mirrored is None:
        mirrored = torch.rand(n, generator=generator) < 0.5
    mirrored = mirrored[:, None]
    rows = torch.arange(size) + top - crop
    columns = torch.arange(size) + left - crop
    columns = torch.where(mirrored, columns.flip(1), columns)
    # Reflection without a padded copy: -1 is pixel 1, size is pixel size - 2.
    rows, columns = (
        torch.where(index < size, index.abs(), 2 * (size - 1) - index).to(images.device)
        for index in (rows, columns)
    )
    batch_index = torch.arange(n, device=images.device)
    channels_last = images.permute(0, 2, 3, 1)
    picked = channels_last[batch_index[:, None, None], rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def smaller(images: Tensor, side: int) -> Tensor:
    """Images (n, 3, s, s) as float (n, 3, side, side), each pixel a mean of those it covers: two
    matrix products, so that every device gives the same."""
    each_row = torch.eye(images.shape[-1])[None, None]
    size = (side, images.shape[-1])
    weights = F.interpolate(each_row, size, mode="bilinear", antialias=True)[0, 0].to(images.device)
    return weights @ images.float() @ weights.T
