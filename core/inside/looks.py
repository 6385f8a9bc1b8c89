"""A look inside a network at every depth, and inside those that an ideal is put together from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from core.checkpoints.samples import kept_samples
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.splits import Indices, fold_of_each
from core.inside.chosen import Chosen
from core.layers import Layers, layers_of
from core.metrics.evidence import Sample, Samples
from core.models.classifier import Classifier
from core.models.precision import best_device

Looks = dict[str, dict[str, Sample]]
"""By the name of a depth: what is seen there of each set, as `core.metrics.evidence` has it."""
AfterBatch = Callable[[], None]
SETS = ("forget", "retain", "test", "test_retained")


def look(
    model: Classifier, dataset: ImageDataset, images: Chosen, after_batch: AfterBatch
) -> Looks:
    """What one network makes of the images; each passes through it once."""
    train = _unique_layers(model, dataset.train_images, [images.forget, images.retain], after_batch)
    test = _unique_layers(model, dataset.test_images, [images.test, images.others], after_batch)
    labels = _labels(dataset, images)
    found: Looks = {}
    for depth in train[0]:
        seen = [layers[depth] for layers in (*train, *test)]
        pairs = zip(labels, seen, strict=True)
        found[depth] = {name: Sample(*pair) for name, pair in zip(SETS, pairs, strict=True)}
    return found


def look_of_folds(
    models: Sequence[Checkpoint], dataset: ImageDataset, images: Chosen, after_batch: AfterBatch
) -> Looks:
    """What the networks of the folds that are asked make of the images: of each to forget the one
    that never saw it, of each test image its judge, of those to keep every one that learned them.
    models: of all folds, in order."""
    own = fold_of_each(len(dataset.train_labels))
    labels = _labels(dataset, images)
    by_fold: dict[int, tuple[Layers, Layers]] = {}
    rows: dict[str, list[Indices]] = {name: [] for name in SETS[:3]}
    for fold in images.folds:
        mine = np.flatnonzero(own[images.forget] == fold)
        kept = kept_rows(images, own, fold)
        judged = np.flatnonzero(images.test_judges == fold)
        for name, part in zip(rows, (mine, kept, judged), strict=True):
            rows[name].append(part)
        train = torch.from_numpy(np.concatenate([images.forget[mine], images.retain[kept]]))
        test = torch.from_numpy(images.test[judged])
        model = models[fold].load(best_device())
        by_fold[fold] = (
            layers_of(model, dataset.train_images[train], after_batch),
            layers_of(model, dataset.test_images[test], after_batch),
        )
    looks: Looks = {}
    for depth in next(iter(by_fold.values()))[0]:
        seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in rows}
        for place, (train_seen, test_seen) in enumerate(by_fold.values()):
            forgotten = len(rows["forget"][place])
            seen["forget"].append(train_seen[depth][:forgotten])
            seen["retain"].append(train_seen[depth][forgotten:])
            seen["test"].append(test_seen[depth])
        samples = {}
        for (name, parts), of in zip(rows.items(), labels[:3], strict=True):
            places = np.concatenate(parts)
            whose = np.repeat(images.folds, [len(part) for part in parts])
            # Each image to forget and each test image has one row, in the order chosen.
            order = np.arange(len(places)) if name == "retain" else np.argsort(places)
            features = np.concatenate(seen[name])[order]
            samples[name] = Sample(of[places[order]], features, model=whose[order])
        looks[depth] = {**samples, "test_retained": samples["test"]}
    return looks


def kept_rows(images: Chosen, own: Indices, fold: int) -> Indices:
    """Which of the images to keep the network of a fold has learned. own: the fold of each training
    image."""
    return np.flatnonzero(own[images.retain] != fold)


def passes(images: Chosen, networks: int = 1) -> int:
    """About how many images pass through the networks of a look."""
    others = 0 if images.others is images.test else len(images.others)
    return len(images.forget) + networks * len(images.retain) + len(images.test) + others


def kept_look(name: str, make: Callable[[], Looks]) -> Looks:
    """What was seen under this name before on this machine, or else what `make` gives, kept."""
    flat = kept_samples(name, lambda: _flat(make()))
    assert flat is not None
    looks: Looks = {}
    for key in sorted(flat):
        _, depth, part = key.split(":")
        sample = flat[key]
        looks.setdefault(depth, {})[part] = replace(
            sample, features=sample.features.astype(np.float32)
        )
    return looks


def _flat(looks: Looks) -> Samples:
    """One mapping of all depths, whose names sort as they lie; no number is lost in half size."""
    return {
        f"{number:02d}:{depth}:{part}": replace(sample, features=sample.features.astype(np.float16))
        for number, (depth, samples) in enumerate(looks.items())
        for part, sample in samples.items()
    }


def _labels(dataset: ImageDataset, images: Chosen) -> list[Indices]:
    train, test = dataset.train_labels.numpy(), dataset.test_labels.numpy()
    return [train[images.forget], train[images.retain], test[images.test], test[images.others]]


def _unique_layers(
    model: Classifier, images: torch.Tensor, sets: list[Indices], after_batch: AfterBatch
) -> list[Layers]:
    """What the network makes of each set; an image of both passes once."""
    every = np.unique(np.concatenate(sets))
    layers = layers_of(model, images[torch.from_numpy(every)], after_batch)
    return [
        {depth: seen[np.searchsorted(every, indices)] for depth, seen in layers.items()}
        for indices in sets
    ]
