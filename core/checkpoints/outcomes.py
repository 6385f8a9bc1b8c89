"""What a saved model does with every image, measured once and kept, so that the columns "before"
and "retrained" of a run cost nothing."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.splits import Split
from core.evaluation import Outcome, evaluate, per_image
from core.files import cache_folder, replacing
from core.metrics.measures import Evaluation
from core.models.classifier import Classifier

PARTS = ("train", "test")


def logits_file(checkpoint: Checkpoint, dataset: ImageDataset) -> Path:
    """Where the logits of a checkpoint lie, where they are kept: float16 (N, classes) each as
    "train" and "test"."""
    beside = outcomes_file(checkpoint, dataset)
    return beside.with_name(beside.name.replace("outcome-", "logits-", 1))


def evaluate_outcomes(
    checkpoint: Checkpoint, model: Classifier, dataset: ImageDataset, parts: Split
) -> Evaluation:
    """The evaluation of a saved model; its per-image outcomes are measured once and kept."""
    train, test = outcomes(checkpoint, model, dataset)
    return evaluate(train, test, dataset.train_labels, dataset.test_labels, parts)


def outcomes(
    checkpoint: Checkpoint, model: Classifier, dataset: ImageDataset
) -> tuple[Outcome, Outcome]:
    """What a saved model does with every training and every test image of a data set.

    Shipped beside the weights for the data they were trained on; else measured once and kept in
    the cache folder. A file that cannot be read is measured again.
    """
    if found := read_outcomes(checkpoint, dataset):
        return found
    measured = outcomes_now(model, dataset)
    write_outcomes(_own_outcomes(checkpoint, dataset), *measured)
    return measured


def read_outcomes(checkpoint: Checkpoint, dataset: ImageDataset) -> tuple[Outcome, Outcome] | None:
    """The same, None where they are not kept."""
    for file in (outcomes_file(checkpoint, dataset), _own_outcomes(checkpoint, dataset)):
        found = _read_outcomes(file, len(dataset.train_labels), len(dataset.test_labels))
        if found is not None:
            return found
    return None


def _own_outcomes(checkpoint: Checkpoint, dataset: ImageDataset) -> Path:
    """Where this machine keeps them."""
    return cache_folder() / "outcomes" / outcomes_file(checkpoint, dataset).name


def outcomes_now(model: Classifier, dataset: ImageDataset) -> tuple[Outcome, Outcome]:
    """What a model does with every training and every test image: one pass over all."""
    return (
        per_image(model, dataset.train_images, dataset.train_labels),
        per_image(model, dataset.test_images, dataset.test_labels),
    )


def outcomes_file(checkpoint: Checkpoint, dataset: ImageDataset) -> Path:
    """Where the outcomes of a checkpoint on a data set lie, beside its weights."""
    name = f"outcome-{checkpoint.sha256[:16]}-{dataset.fingerprint[:16]}.npz"
    return checkpoint.weights.with_name(name)


def write_outcomes(file: Path, train: Outcome, test: Outcome) -> None:
    """Writes both, atomically."""
    arrays: dict[str, NDArray[Any]] = {
        "train_losses": train.losses,
        "train_predictions": train.predictions.astype(np.uint8),
        "test_losses": test.losses,
        "test_predictions": test.predictions.astype(np.uint8),
    }
    write_arrays(file, arrays)


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with replacing(file) as part, part.open("wb") as content:
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]


def _read_outcomes(file: Path, n_train: int, n_test: int) -> tuple[Outcome, Outcome] | None:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            train, test = (
                Outcome(arrays[f"{part}_losses"], arrays[f"{part}_predictions"].astype(np.int64))
                for part in ("train", "test")
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    if len(train.losses) != n_train or len(test.losses) != n_test:
        return None
    return train, test
