"""What a classifier is: uint8 images (N, 3, 32, 32) in, logits (N, classes) out.

Normalisation is its own first step, so no caller can get it wrong. The single networks have
`features` (N, d), a linear `head` over them, and `stages`, their parts from input to output, and
`depths`, the places at which one can look inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

# Per channel, of the CIFAR-10 training pixels in [0, 1]; as in the challenge's starting kit.
MEAN = (0.4914, 0.4822, 0.4465)


STD = (0.2023, 0.1994, 0.2010)


@dataclass(frozen=True)
class Depth:
    """A place inside a network. parts: the parameters that lead there from the place before it.
    read: whose input is what the network makes of an image there; None for the answer itself."""

    name: str
    parts: tuple[nn.Module, ...]
    read: nn.Module | None


class Classifier(nn.Module):
    """Normalises uint8 images, then features, then a linear head."""

    head: nn.Linear
    INITIALISED_ON = 0
    """So many training images the weights start from; 0 where they are all drawn at random."""

    def __init__(self) -> None:
        super().__init__()
        # Not in the state dict: constants of the architecture, not something that was learned.
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) to zero mean and unit variance, channels last."""
        pixels = (images.float() - cast(Tensor, self.mean)) / cast(Tensor, self.std)
        return pixels.contiguous(memory_format=torch.channels_last)

    def initialise(self, images: Tensor) -> None:
        """Sets what starts from images: uint8 (N, 3, 32, 32), `INITIALISED_ON` of them at most."""

    def initialised(self) -> Tensor | None:
        """What `initialise` sets, which a recipe may leave as it is."""
        return None

    def features(self, images: Tensor) -> Tensor:
        """uint8 images (N, 3, 32, 32) to what the head sees, (N, d)."""
        raise NotImplementedError

    def stages(self) -> list[nn.Module]:
        """The parts with parameters, from input to output, the head last."""
        raise NotImplementedError

    def depths(self) -> list[Depth]:
        """Where one can look inside, from the image on: the last but one is "features", which the
        head reads, the last is "answer", the logits. Raises NotImplementedError for several
        networks in one, which have no inside in common."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (N, 3, 32, 32) to logits (N, classes)."""
        logits: Tensor = self.head(self.features(images))
        return logits
