"""What is stored once a base model: the features of its training images, computed and kept on this
machine, and the states of a SISA ensemble, which its training kept beside the weights.

Features are kept in the cache folder under the hash of the weights and the fingerprint of the
images; a file that cannot be read is computed again.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.checkpoints import Checkpoint
from core.data import ImageDataset
from core.features import features
from core.folders import cache_folder
from core.models import Classifier
from core.sisa import stored
from core.subsets import Images
from core.unlearners.base import Need


def stored_records(
    base: Checkpoint, model: Classifier, dataset: ImageDataset, needs: frozenset[Need]
) -> dict[Need, Callable[..., Any]]:
    """The records among a method's needs, ready to be read: those not yet kept are computed now."""
    every: dict[Need, Callable[[Checkpoint, Classifier, ImageDataset], Callable[..., Any]]] = {
        "features": _features,
        "shards": lambda base, model, dataset: functools.partial(stored, base),
    }
    return {name: make(base, model, dataset) for name, make in every.items() if name in needs}


def record_file(base: Checkpoint, dataset: ImageDataset, name: str, ending: str) -> Path:
    """Where a record of a model on a data set is kept."""
    folder = cache_folder() / "records"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}-{base.sha256[:16]}-{dataset.fingerprint[:16]}.{ending}"


def _features(
    base: Checkpoint, model: Classifier, dataset: ImageDataset
) -> Callable[[Images], Tensor]:
    file = record_file(base, dataset, "features", "npy")
    n = len(dataset.train_labels)
    found = None
    if file.exists():
        try:
            found = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            found = None
    if found is None or len(found) != n:
        every = Images(dataset.train_images, dataset.train_labels, torch.arange(n))
        found = features(model, every).numpy()
        temporary = file.with_name(f".{os.getpid()}.{file.name}")
        with temporary.open("wb") as part:
            np.save(part, found)
        os.replace(temporary, file)
    kept = found
    return lambda part: torch.from_numpy(np.array(kept[part.indices.numpy()]))
