"""The state of a shard's network after one of its slices, and its file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.files import replacing


@dataclass(frozen=True)
class State:
    """A shard's network after one of its slices.

    learned: (n,) for each image so far, slice by slice, what `core.training.loop` says of it in
    the slice that brought it. seconds: of training so far.
    """

    weights: dict[str, Tensor]
    learned: Tensor = dataclasses.field(default_factory=lambda: torch.zeros(0))
    seconds: float = 0.0

    def tensors(self) -> dict[str, Tensor]:
        """All of it, as a safetensors file wants it."""
        weights = {f"weights.{name}": value for name, value in self.weights.items()}
        return weights | {
            "learned": self.learned,
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> State:
        """The inverse of `tensors`."""
        weights = {name[8:]: tensors[name] for name in tensors if name.startswith("weights.")}
        return cls(weights, tensors["learned"], float(tensors["seconds"]))


Find = Callable[[str], State | None]
"""Gives the state of that name, None if there is none."""


def read_state(folder: Path, key: str) -> State | None:
    """A state that is kept during training; one that cannot be read is trained again."""
    try:
        return State.of(load_file(folder / f"{key}.safetensors"))
    except (SafetensorError, OSError, KeyError):
        return None


def write_state(folder: Path, key: str, state: State) -> None:
    save_tensors(state.tensors(), folder / f"{key}.safetensors")


def save_tensors(tensors: dict[str, Tensor], file: Path) -> None:
    with replacing(file) as part:
        # safetensors wants contiguous tensors; channels-last ones are not.
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, part)
