"""Images as a worse camera, lens or connection would give them: distribution shift, made here.

Six of the corruptions of CIFAR-10-C at its five strengths (Hendrycks & Dietterich, ICLR 2019, arXiv
1903.12261; the numbers are those of its make_cifar_c.py, and so are the operations, but that pixels
are rounded to whole levels where CIFAR-10-C cuts them off). Strength 0 changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from core.errors import BadRequest, short
from core.evaluation import per_image
from core.metrics.measures import Measure, averaged, share_of
from core.unlearners.common.pixels import WHITE

STRONGEST = 5
BATCH = 64

Change = Callable[[Tensor, float, torch.Generator], Tensor]
"""Pixels float32 (n, 3, s, s) in [0, 1], a severity and a source of chance, to pixels that may
leave that range."""
Grid = Mapping[str, tuple[Measure, ...]]
"""By corruption, the accuracy at strengths 0 to `STRONGEST`."""


@dataclass(frozen=True)
class Corruption:
    """severities: what `change` is given at strengths 1 to `STRONGEST`, the mildest first."""

    label: str
    severities: tuple[float, float, float, float, float]
    change: Change


def _noise(pixels: Tensor, deviation: float, draw: torch.Generator) -> Tensor:
    return pixels + deviation * torch.randn(pixels.shape, generator=draw)


def _blur(pixels: Tensor, sigma: float, draw: torch.Generator) -> Tensor:
    """A Gaussian cut off at four sigma, beyond the border its pixels again (as scikit-image's)."""
    side, reach = pixels.shape[-1], int(4 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    sources = (torch.arange(side)[:, None] + offsets).clamp(0, side - 1)
    rows = torch.zeros(side, side)
    rows.scatter_add_(1, sources, (weights / weights.sum()).expand(side, -1))
    return rows @ pixels @ rows.T


def _contrast(pixels: Tensor, share: float, draw: torch.Generator) -> Tensor:
    mean = pixels.mean((2, 3), keepdim=True)
    return mean + share * (pixels - mean)


def _brightness(pixels: Tensor, more: float, draw: torch.Generator) -> Tensor:
    """Raises the value of HSV, the largest of red, green and blue, and leaves hue and saturation;
    black becomes grey."""
    value = pixels.amax(1, keepdim=True)
    brighter = (value + more).clamp(max=1)
    return torch.where(value > 0, pixels * (brighter / value), brighter)


def _pixelation(pixels: Tensor, share: float, draw: torch.Generator) -> Tensor:
    """Each pixel becomes the mean of its cell, of `share` times as many cells a side as there are
    pixels: a box filter down and up again."""
    side = pixels.shape[-1]
    cells = ((torch.arange(side) + 0.5) * int(share * side) / side).long()
    rows = (cells[:, None] == cells).float()
    rows /= rows.sum(1, keepdim=True)
    return rows @ pixels @ rows.T


def _jpeg(pixels: Tensor, quality: float, draw: torch.Generator) -> Tensor:
    found = []
    for levels in (WHITE * pixels).round().byte().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "JPEG", quality=int(quality))
        found.append(np.asarray(Image.open(file)))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2) / WHITE


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption("Gaussian noise", (0.04, 0.06, 0.08, 0.09, 0.10), _noise),
    "gaussian_blur": Corruption("Gaussian blur", (0.4, 0.6, 0.7, 0.8, 1.0), _blur),
    "contrast": Corruption("less contrast", (0.75, 0.5, 0.4, 0.3, 0.15), _contrast),
    "brightness": Corruption("more brightness", (0.05, 0.1, 0.15, 0.2, 0.3), _brightness),
    "pixelation": Corruption("pixelation", (0.95, 0.9, 0.85, 0.75, 0.65), _pixelation),
    "jpeg": Corruption("JPEG compression", (80, 65, 58, 50, 40), _jpeg),
}
"""By name. The severities are: a standard deviation and a sigma (in pixels), the share of the
contrast that is left, what is added to the value, the share of cells a side, JPEG's quality."""


def corrupted(images: Tensor, name: str, strength: int, seed: int = 0) -> Tensor:
    """A corrupted copy of uint8 images (n, 3, s, s). strength: 0, which changes nothing, to
    `STRONGEST`. seed: of the noise, which is the same at every strength but for its size; nothing
    else draws. Raises BadRequest for a corruption or a strength that there is not."""
    if name not in CORRUPTIONS:
        raise BadRequest(
            f"There is no corruption {short(name)}.", f"There are {', '.join(CORRUPTIONS)}."
        )
    if strength not in range(STRONGEST + 1):
        raise BadRequest(f"A corruption has strengths 0 to {STRONGEST}, not {strength}.")
    if strength == 0 or not len(images):
        return images.clone()
    corruption, draw = CORRUPTIONS[name], torch.Generator().manual_seed(seed)
    changed = corruption.change(images.float() / WHITE, corruption.severities[strength - 1], draw)
    return (WHITE * changed.clamp(0, 1)).round().to(torch.uint8)


def corruption_accuracies(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    names: Collection[str] = tuple(CORRUPTIONS),
    seed: int = 0,
    after_batch: Callable[[], None] | None = None,
) -> Grid:
    """How many of these images a model labels correctly under each corruption, at strengths 0 to
    `STRONGEST`. Several models given the same images and seed meet the same pixels, and are
    compared image by image.

    images: uint8 (n, 3, s, s), on the CPU. labels: int64 (n,). after_batch: as for `per_image`.
    Raises BadRequest.
    """

    def accuracy(of: Tensor) -> Measure:
        predictions = per_image(model, of, labels, BATCH, after_batch=after_batch).predictions
        return share_of(predictions == labels.numpy())

    clean = accuracy(images)
    strengths = range(1, STRONGEST + 1)
    return {
        name: (clean, *(accuracy(corrupted(images, name, k, seed)) for k in strengths))
        for name in names
    }


def mean_corruption_accuracy(grid: Grid) -> Measure:
    """The mean over all corruptions and strengths but 0; 1 less the mean corruption error of the
    paper, unnormalised as it is usual for CIFAR-10-C."""
    return averaged([measure for measures in grid.values() for measure in measures[1:]])
