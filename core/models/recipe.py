"""How a model is trained: the settings of one training, and those that are known by name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import numpy as np

from core.errors import BadRequest, CheckpointCorrupt, short


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    epochs: passes over the images. clean_epochs: how many of them, at the end, without crop and
    flip. learning_rate: the peak. schedule: "one_cycle" rises linearly over the first `warmup`
    share and falls linearly to 0; "cosine" falls from the peak.
    optimiser: "sgd" for all weights; "muon" moves the kernels with `core.training.muon`, at a peak
    of `kernel_rate`, and the rest with SGD. label_smoothing: until the clean epochs. train_stem:
    whether the whitening that `compact` starts with is trained on. flip: "random" mirrors each
    image half of the time; "alternating" every other epoch, from a random first one on.
    growing: during so many epochs at the start images are shown smaller, `first_side` pixels wide
    in the first.
    """

    epochs: int = 14
    clean_epochs: int = 3
    batch_size: int = 128
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 1e-3
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    warmup: float = 0.2
    crop: int = 2
    optimiser: Literal["sgd", "muon"] = "sgd"
    kernel_rate: float = 0.06
    kernel_momentum: float = 0.8
    label_smoothing: float = 0.0
    train_stem: bool = True
    flip: Literal["random", "alternating"] = "random"
    growing: int = 0
    first_side: int = 16

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready. What came later is left out where it has its default, so that what was named
        by its recipe before (manifests, states, shards) keeps its name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _LATER or getattr(self, field.name) != field.default
        }

    @classmethod
    def from_dict(cls, fields: Any) -> Recipe:
        """The inverse of `to_dict`. Raises CheckpointCorrupt: recipes stand in manifests."""
        try:
            recipe = cls(**fields)
            for field in dataclasses.fields(cls):
                if not _fits(getattr(recipe, field.name), field):
                    raise ValueError(field.name)
            possible = recipe.epochs and recipe.batch_size and recipe.first_side >= SMALLEST_SIDE
            if not (possible and 0 < recipe.warmup < 1):
                raise ValueError("nothing to train with")
        except (TypeError, ValueError) as error:
            raise CheckpointCorrupt(
                "The recipe in the manifest of the weights cannot be read.",
                "Restore the manifest, or train the model again: python -m core train",
            ) from error
        return recipe

    def course(self, step: int, total: int) -> float:
        """The learning rate of batch `step` of `total`, as a share of its peak, 0 to 1."""
        done = step / total
        if self.schedule == "cosine":
            return 0.5 * (1 + float(np.cos(np.pi * done)))
        return min(done / self.warmup, (1 - done) / (1 - self.warmup))

    def side(self, epoch: int, full: int) -> int:
        """Pixels of an image's side in an epoch, 0 the first; full: of the images as they are."""
        if epoch >= self.growing or self.first_side >= full:
            return full
        return self.first_side + 2 * ((full - self.first_side) * epoch // (2 * self.growing))


SMALLEST_SIDE = 9
"""Pixels that leave one after `compact`'s stem and pools."""


_LATER = (
    "optimiser",
    "kernel_rate",
    "kernel_momentum",
    "label_smoothing",
    "train_stem",
    "flip",
    "growing",
    "first_side",
)
"""Fields that the first recipes did not have."""


def _fits(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Whether it can stand in that field of a recipe."""
    if isinstance(field.default, str):
        return value in get_args(get_type_hints(Recipe)[field.name])
    if isinstance(field.default, bool):
        return type(value) is bool
    whole = isinstance(field.default, int)
    return (type(value) is int or (type(value) is float and not whole)) and 0 <= value < 1e6


NAMED: dict[str, Recipe] = {
    "sgd": Recipe(),
    "muon": Recipe(
        epochs=8,
        clean_epochs=2,
        batch_size=500,
        learning_rate=0.1,
        warmup=0.15,
        optimiser="muon",
        kernel_rate=0.06,
        kernel_momentum=0.8,
        label_smoothing=0.1,
        train_stem=False,
        growing=4,
    ),
}
"""Recipes for `compact` on CIFAR-10 by name; `benchmarks.training` compares them."""


DIGITS = Recipe(epochs=24, clean_epochs=24, batch_size=32, learning_rate=0.05)


def recipe_named(name: str) -> Recipe:
    """One of `NAMED`. Raises BadRequest for another name."""
    if name not in NAMED:
        raise BadRequest(f"There is no recipe {short(name)}.", f"There are {' and '.join(NAMED)}.")
    return NAMED[name]
