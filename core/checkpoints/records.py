"""What is stored for each base model: the features of its images and the importance of its
weights, computed and cached on this machine, and the states of a SISA ensemble, which its training
kept beside the weights.

Features and importance are kept in the cache folder under the hash of the weights and the
fingerprint of the images; a file that cannot be read is computed again.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.checkpoints.features import features, features_by_batch
from core.checkpoints.slices import stored
from core.checkpoints.storage import Checkpoint
from core.curvature.importance import KINDS, Kind, importance
from core.curvature.products import finish
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.errors import BadRequest
from core.files import cache_folder, replacing
from core.models.classifier import Classifier
from core.unlearners.base import Need

Side = Literal["train", "test"]
IMPORTANCE_IMAGES = 5_000
"""Of the training images, drawn once with seed 0, or all where there are fewer: what the importance
of the weights "to all images" is measured on."""


def stored_records(
    base: Checkpoint, model: Classifier, dataset: ImageDataset, needs: frozenset[Need]
) -> dict[Need, Callable[..., Any]]:
    """The records among a method's needs, ready to be read: those not yet kept are computed now."""
    readers: dict[Need, Callable[[Checkpoint, Classifier, ImageDataset], Callable[..., Any]]] = {
        "features": _features,
        "importance": _importance,
        "shards": lambda base, model, dataset: functools.partial(stored, base),
    }
    return {name: reader(base, model, dataset) for name, reader in readers.items() if name in needs}


def record_file(base: Checkpoint, dataset: ImageDataset, name: str, ending: str) -> Path:
    """Where a record of a model on a data set is kept."""
    folder = cache_folder() / "records"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}-{base.sha256[:16]}-{dataset.fingerprint[:16]}.{ending}"


def _features(
    base: Checkpoint, model: Classifier, dataset: ImageDataset
) -> Callable[[Images], Tensor]:
    rows = finish(stored_features(base, model, dataset))
    return lambda part: torch.from_numpy(np.array(rows[part.indices.numpy()]))


def find_features(
    base: Checkpoint, dataset: ImageDataset, side: Side = "train"
) -> NDArray[np.float32] | None:
    """The features of all training or all test images, float32 (N, d), if this machine has kept
    them."""
    file, (_, labels) = _features_file(base, dataset, side), _side(dataset, side)
    try:
        table: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return table if len(table) == len(labels) else None


def stored_features(
    base: Checkpoint, model: Classifier, dataset: ImageDataset, side: Side = "train"
) -> Generator[tuple[int, int], None, NDArray[np.float32]]:
    """The same; where they are not kept they are computed now, and kept. Yields how many images are
    done, of how many."""
    if (kept := find_features(base, dataset, side)) is not None:
        return kept
    images, labels = _side(dataset, side)
    everything = Images(images, labels, torch.arange(len(labels)))
    table: NDArray[np.float32] = (yield from features_by_batch(model, everything)).numpy()
    file = _features_file(base, dataset, side)
    with replacing(file) as part, part.open("wb") as content:
        np.save(content, table)
    return table


def _features_file(base: Checkpoint, dataset: ImageDataset, side: Side) -> Path:
    name = "features" if side == "train" else "features-test"
    return record_file(base, dataset, name, "npy")


def _side(dataset: ImageDataset, side: Side) -> tuple[Tensor, Tensor]:
    """Its images and labels."""
    if side == "train":
        return dataset.train_images, dataset.train_labels
    return dataset.test_images, dataset.test_labels


def _importance(
    base: Checkpoint, model: Classifier, dataset: ImageDataset
) -> Callable[[Kind], dict[str, Tensor]]:
    """Of every parameter, float32, as `core.curvature.importance` defines each kind, over a fixed
    sample of `IMPORTANCE_IMAGES`. Both kinds are made at once, before a method's clock starts."""
    sample = _sample(dataset)
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    by_kind: dict[Kind, dict[str, Tensor]] = {}
    for kind in KINDS:
        cached = record_file(base, dataset, f"importance-{kind}-{IMPORTANCE_IMAGES}", "safetensors")
        shipped = base.weights.with_name(cached.name)
        values = _read_importance(shipped, shapes) or _read_importance(cached, shapes)
        if values is None:
            values = _measured(model, sample, kind)
            with replacing(cached) as part:
                save_file(values, part)
        by_kind[kind] = values
    return by_kind.__getitem__


def fresh_records(
    model: Classifier, dataset: ImageDataset, needs: frozenset[Need]
) -> dict[Need, Callable[..., Any]]:
    """The same of a network that is no checkpoint, as it stands now: computed when they are read,
    and not kept. Raises BadRequest for shards, which only a training leaves."""
    if "shards" in needs:
        raise BadRequest("The states of an ensemble's training are kept with its checkpoint only.")
    now = copy.deepcopy(model)
    makers: dict[Need, Callable[..., Any]] = {
        "features": functools.partial(features, now),
        "importance": functools.partial(_measured, now, _sample(dataset)),
    }
    return {name: make for name, make in makers.items() if name in needs}


def _sample(dataset: ImageDataset) -> Images:
    """What the importance of the weights is measured on."""
    order = torch.randperm(len(dataset.train_labels), generator=torch.Generator().manual_seed(0))
    return Images(dataset.train_images, dataset.train_labels, order[:IMPORTANCE_IMAGES])


def _measured(model: Classifier, sample: Images, kind: Kind) -> dict[str, Tensor]:
    *_, measured = importance(model, sample, kind)
    return {name: value.cpu().contiguous() for name, value in measured.items()}


def _read_importance(file: Path, shapes: dict[str, torch.Size]) -> dict[str, Tensor] | None:
    """What the file holds, if it is the importance of parameters of these shapes."""
    try:
        values = load_file(file)
    except (SafetensorError, OSError):
        return None
    if {name: value.shape for name, value in values.items()} != shapes:
        return None
    return {name: value.float() for name, value in values.items()}
