"""Some of a training set's images, by index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Images:
    """Some of a data set's images, by index, without copying them.

    images: uint8 (N, 3, 32, 32), the whole training set. labels: int64 (N,). indices: int64 (n,),
    which of them these are.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, positions: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Images and labels at `positions` (0 .. n-1) of this set, on `device`."""
        chosen = self.indices[positions]
        return self.images[chosen].to(device), self.labels[chosen].to(device)

    def steps(self, batch_size: int) -> int:
        """Batches in one pass, the last one shorter where they do not divide evenly."""
        return -(-len(self) // batch_size)

    def shuffled(
        self, batch_size: int, generator: torch.Generator, device: torch.device
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches: pass after pass in random order, `steps(batch_size)` batches each."""
        for positions in self.shuffled_positions(batch_size, generator):
            yield self.batch(positions, device)

    def shuffled_positions(self, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
        """The same as positions (0 .. n-1) of this set, for what is kept beside its images."""
        while True:
            order = torch.randperm(len(self), generator=generator)
            yield from order.split(batch_size)  # type: ignore[no-untyped-call]

    def digest(self) -> str:
        """sha256 over the pixels, the labels and the indices of this part."""
        digest = hashlib.sha256(self.indices.numpy().tobytes())
        digest.update(self.labels[self.indices].numpy().tobytes())
        for batch in self.indices.split(4096):  # type: ignore[no-untyped-call]
            digest.update(self.images[batch].numpy().tobytes())
        return digest.hexdigest()
