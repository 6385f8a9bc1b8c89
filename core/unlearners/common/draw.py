"""Which images come when: named streams of the one generator, batches, samples."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.images import Images


def stream(generator: torch.Generator, name: str) -> torch.Generator:
    """A generator of its own for one purpose, fixed by the seed and the name alone: so the order of
    the retain batches, say, does not depend on whether forget batches are drawn beside them."""
    key = f"{generator.initial_seed()}/{name}".encode()
    seed = int.from_bytes(hashlib.sha256(key).digest()[:8], "little") >> 1
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Draw:
    """All that a method draws at random, each thing from a stream of its own name."""

    generator: torch.Generator
    device: torch.device

    def stream(self, name: str) -> torch.Generator:
        """A generator for what is not drawn below."""
        return stream(self.generator, name)

    def batches(self, part: Images, name: str, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless shuffled batches, images and labels, pass after pass."""
        return part.shuffled(size, self.stream(name), self.device)

    def sample(self, part: Images, count: int, name: str) -> Images:
        """`count` of its images at random, or all where it has fewer."""
        return take(part, torch.randperm(len(part), generator=self.stream(name))[:count])


def take(part: Images, positions: Tensor) -> Images:
    """Its images at these positions, or where a mask of booleans is true."""
    return dataclasses.replace(part, indices=part.indices[positions])


def together(first: Images, second: Images) -> Images:
    """The images of both, the first ones first."""
    return dataclasses.replace(first, indices=torch.cat([first.indices, second.indices]))


def share_of(part: Images, share: float) -> int:
    """That share of its images, as a number; at least one."""
    return max(1, round(share * len(part)))


def in_order(part: Images, batch_size: int) -> Iterator[Tensor]:
    """The positions of one pass in order, batch by batch."""
    for start in range(0, len(part), batch_size):
        yield torch.arange(start, min(start + batch_size, len(part)))


def steps_for(part: Images, epochs: float, batch_size: int) -> int:
    """Batches in that many passes over a part, which need not be whole passes; at least one."""
    return max(1, round(epochs * part.steps(batch_size)))
