"""`compact`: a residual network that two CPU cores can train."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.classifier import Classifier, Depth


class Block(nn.Module):
    """conv, max-pool, then conv with a skip: halves the resolution before it spends arithmetic."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return x + F.relu(self.norm2(self.conv2(x)))


class Compact(Classifier):
    """A residual network of 1.5 million weights, 90 million multiply-adds an image.

    After the airbench networks of Keller Jordan (github.com/KellerJordan/cifar10-airbench): a 2 x 2
    stem that starts as a whitening of the image patches, then three blocks that pool first.
    """

    WIDTHS = (64, 192, 256)
    FEATURE_SCALE = 0.25  # keeps the first logits, sums of 256 maxima, near unit size

    def __init__(self, classes: int, narrower: int = 1) -> None:
        """narrower: what the widths are divided by."""
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 2)
        widths = (24, *(width // narrower for width in self.WIDTHS))
        self.blocks = nn.ModuleList(map(Block, widths, widths[1:]))
        self.head = nn.Linear(widths[-1], classes)

    INITIALISED_ON = 5_000

    @torch.no_grad()
    def initialise(self, images: Tensor) -> None:
        """Sets the stem to the eigenvectors of the 2 x 2 patches of these images, and their
        negatives, each scaled to unit variance. images: uint8 (N, 3, 32, 32)."""
        patches = self.normalise(images).unfold(2, 2, 1).unfold(3, 2, 1)
        flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
        filters = (vectors.T / (values[:, None] + 5e-4).sqrt()).reshape(12, 3, 2, 2)
        self.stem.weight.copy_(torch.cat([filters, -filters]))
        assert self.stem.bias is not None
        self.stem.bias.zero_()

    def initialised(self) -> Tensor:
        return self.stem.weight

    def features(self, images: Tensor) -> Tensor:
        x = F.relu(self.stem(self.normalise(images)))
        for block in self.blocks:
            x = block(x)
        return x.amax((2, 3)).float() * self.FEATURE_SCALE

    def stages(self) -> list[nn.Module]:
        return [self.stem, *self.blocks, self.head]

    def depths(self) -> list[Depth]:
        blocks = [cast(Block, block) for block in self.blocks]
        found = [Depth("stem", (self.stem,), blocks[0])]
        for number, (block, after) in enumerate(zip(blocks, [*blocks[1:], self.head], strict=True)):
            last = after is self.head
            found += [
                Depth(f"block {number + 1}a", (block.conv1, block.norm1), block.conv2),
                Depth(
                    "features" if last else f"block {number + 1}b",
                    (block.conv2, block.norm2),
                    after,
                ),
            ]
        return [*found, Depth("answer", (self.head,), None)]
