"""The penultimate features of images: what a head is trained on."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.checkpoints.storage import Checkpoint
from core.curvature.products import finish
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.evaluation import logits_of
from core.files import cache_folder, replacing
from core.models.classifier import Classifier
from core.models.modes import evaluating
from core.models.precision import best_device

BATCH = 256
KEPT = 6
"""Files of features of a whole data set on this machine, CIFAR-10's 60 megabytes each; the oldest
make room."""
Features = NDArray[np.float32]


def features(model: Classifier, part: Images) -> Tensor:
    """float32 (n, d) on the CPU, in the part's order; evaluation mode, no augmentation."""
    return finish(features_by_batch(model, part))


def features_by_batch(model: Classifier, part: Images) -> Generator[tuple[int, int], None, Tensor]:
    """The same; yields after each batch how many images are done, of how many."""
    device = next(model.parameters()).device
    batches: list[Tensor] = []
    done = 0
    with evaluating(model):
        for positions in torch.arange(len(part)).split(BATCH):  # type: ignore[no-untyped-call]
            with torch.inference_mode():  # a mode of the thread: it must not outlast the batch
                found = model.features(part.batch(positions, device)[0]).float().cpu()
            batches.append(found)
            done += len(positions)
            yield done, len(part)
        return torch.cat(batches).clone()


def kept_features(
    checkpoint: Checkpoint, dataset: ImageDataset, after_batch: Callable[[], None] | None = None
) -> tuple[Features, Features]:
    """A saved model's features of all training and all test images, float32 (N, d) each, computed
    once and kept on this machine. after_batch: see `core.evaluation.logits_of`. Raises
    CheckpointMissing where only the model's answers are kept."""
    name = f"{checkpoint.sha256[:16]}-{dataset.fingerprint[:16]}.npz"
    file = cache_folder() / "features" / name
    if (kept := _read(file)) is not None:
        return kept
    model = checkpoint.load(best_device())
    train, test = (
        logits_of(model, images, BATCH, after_batch=after_batch, read=model.features).numpy()
        for images in (dataset.train_images, dataset.test_images)
    )
    with replacing(file) as part, part.open("wb") as content:
        np.savez(content, train=train, test=test)
    others = sorted(file.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime)
    for oldest in others[:-KEPT]:
        oldest.unlink(missing_ok=True)
    return train, test


def _read(file: Path) -> tuple[Features, Features] | None:
    """None where the file is missing or cannot be read."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["train"], arrays["test"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
