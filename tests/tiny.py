"""Small stand-ins: images, recipes and a `compact` of few weights, so that training takes seconds.

The modules that use them ask for the fixture `small_compact` of `tests/conftest.py`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch

from core.checkpoints.features import features
from core.curvature.importance import Kind, importance
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.models.classifier import Classifier
from core.models.recipe import Recipe
from core.models.registry import build_model
from core.models.sisa import Sisa
from core.training.loop import Trained, train
from core.training.shard_states import State
from core.training.shards import Stored, shards_of, train_shards
from core.unlearners.base import Need

WIDTHS = (8, 8, 8)
"""Of `Compact`, in place of its own."""

RECIPE = Recipe(epochs=24, clean_epochs=20, batch_size=16, learning_rate=0.1)
"""Enough for the small network to learn `dataset()` by heart."""

SHARDS = Recipe(epochs=32, clean_epochs=32, batch_size=8, learning_rate=0.1)
"""Enough for each member of a small ensemble to learn its shard by heart."""

SHORT = Recipe(epochs=4, clean_epochs=2, batch_size=16, learning_rate=0.1)


def dataset(
    train: int = 64, test: int = 40, seed: int = 0, name: str = "tiny", index_order: str = ""
) -> ImageDataset:
    """Noise with random labels: what is right on an unseen image is right by chance."""
    draw = np.random.default_rng(seed)
    parts = [
        torch.from_numpy(array)
        for n in (train, test)
        for array in (
            draw.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8),
            draw.permutation(np.arange(n) % 10),
        )
    ]
    return ImageDataset(
        name,
        *parts,
        class_names=tuple("abcdefghij"),
        fingerprint=hashlib.sha256(b"".join(p.numpy().tobytes() for p in parts)).hexdigest(),
        source="Noise.",
        index_order=index_order,
    )


def images(of: ImageDataset, indices: object = None) -> Images:
    """Some of its training images, or all."""
    chosen = range(len(of.train_labels)) if indices is None else indices
    return Images(of.train_images, of.train_labels, torch.as_tensor(np.asarray(chosen)))


def trained(on: Images, recipe: Recipe = RECIPE, seed: int = 0) -> Trained:
    """Trains the small `compact`."""
    *_, last = train("compact", on, recipe, seed)
    assert isinstance(last, Trained)
    return last


@functools.cache
def ensemble(on: Images, recipe: Recipe, seed: int) -> tuple[Sisa, Stored]:
    """Trains a small SISA ensemble; also gives what it kept."""
    model = build_model("sisa", generator=torch.Generator().manual_seed(0))
    assert isinstance(model, Sisa)
    states: dict[str, State] = {}
    shards = shards_of(on, recipe, seed, 10)
    list(train_shards(model, shards, recipe, seed, states.get, states.__setitem__))
    return model, Stored(seed, states.get)


def importance_of(base: Classifier, every: Images, kind: Kind) -> dict[str, torch.Tensor]:
    """The importance of every parameter to these images."""
    *_, found = importance(base, every, kind)
    return found


def records(
    base: Classifier, every: Images, needs: Collection[Need]
) -> dict[Need, Callable[..., Any]]:
    """What is stored of a network once, as far as a method needs it."""
    found: dict[Need, Callable[..., Any]] = {
        "features": functools.partial(features, base),
        "importance": functools.partial(importance_of, base, every),
        "shards": lambda: ensemble(every, SHARDS, 0)[1],
    }
    return {name: record for name, record in found.items() if name in needs}


def same(first: Classifier, second: Classifier) -> bool:
    """Whether two networks are equal bit for bit, buffers too."""
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])
