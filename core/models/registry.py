"""The architectures by name, an entry each: the network, and the recipes that train it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from core.errors import BadRequest
from core.models.classifier import Classifier
from core.models.compact import Compact
from core.models.recipe import DIGITS, NAMED, Recipe, recipe_named
from core.models.resnet18 import ResNet18
from core.models.sisa import Sisa


@dataclass(frozen=True)
class Architecture:
    """build: a network of so many classes; what it starts with is its `initialise`. recipe: what
    trains a base model and its retrained references, and `on_digits` on that small set. ensemble:
    whether it is several networks, each trained on its shard of the images.
    """

    build: Callable[[int], Classifier]
    recipe: Recipe
    on_digits: Recipe = DIGITS
    ensemble: bool = False


ARCHITECTURES: dict[str, Architecture] = {
    "compact": Architecture(Compact, NAMED["sgd"]),
    "resnet18": Architecture(
        ResNet18, Recipe(epochs=30, clean_epochs=6, learning_rate=0.1, crop=4)
    ),
    "sisa": Architecture(Sisa, Recipe(), ensemble=True),
}
"""Every architecture by name."""


def architecture_of(name: str) -> Architecture:
    """The entry of that name. Raises BadRequest for an unknown one."""
    if name not in ARCHITECTURES:
        raise BadRequest(
            f"There is no model {name!r}.", f"There are {' and '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[name]


def build_model(
    architecture: str,
    classes: int = 10,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """A new network with random weights, drawn from `generator` alone (on the CPU, so that a seed
    gives the same start on every device). Raises BadRequest for an unknown architecture."""
    entry = architecture_of(architecture)
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = entry.build(classes)
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def recipe_for(architecture: str, dataset: str, named: str = "") -> Recipe:
    """What trains an architecture on a data set; all but the digits train like CIFAR-10. named: a
    recipe of `NAMED` in place of it. Raises BadRequest for an unknown name."""
    entry = architecture_of(architecture)
    if named:
        return recipe_named(named)
    return entry.on_digits if dataset == "digits" else entry.recipe


def recipe_of(manifest: Mapping[str, Any], dataset: str) -> Recipe:
    """What a checkpoint of this manifest was trained with; the usual one where it does not say.
    Raises CheckpointCorrupt."""
    saved = manifest.get("recipe")
    return Recipe.from_dict(saved) if saved else recipe_for(str(manifest["architecture"]), dataset)
