"""The architectures by name: `compact`, `resnet18`, and the ensemble `sisa`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from core.errors import BadRequest
from core.models.classifier import Classifier
from core.models.compact import Compact
from core.models.resnet18 import ResNet18
from core.models.sisa import Sisa

ARCHITECTURES = ("compact", "resnet18", "sisa")


def check_architecture(name: str) -> None:
    """Raises BadRequest for an unknown architecture."""
    if name not in ARCHITECTURES:
        raise BadRequest(
            f"There is no model {name!r}.", f"There are {' and '.join(ARCHITECTURES)}."
        )


def build_model(
    architecture: str,
    classes: int = 10,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """A new network with random weights, drawn from `generator` alone (on the CPU, so that a seed
    gives the same start on every device). Raises BadRequest for an unknown architecture."""
    check_architecture(architecture)
    kinds: dict[str, Callable[[int], Classifier]] = {
        "compact": Compact,
        "resnet18": ResNet18,
        "sisa": Sisa,
    }
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kinds[architecture](classes)
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
