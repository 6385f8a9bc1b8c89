"""What a saved model does with every image, measured once and kept, so that the columns "before"
and "retrained" of a run cost nothing."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoints.samples import kept_samples
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.splits import Split
from core.evaluation import Passes, measure, per_image
from core.files import cache_folder, replacing
from core.metrics.evidence import Evidence, Outcome, Samples
from core.metrics.measures import Evaluation
from core.models.classifier import Classifier
from core.models.precision import best_device


def evidence_of(
    checkpoint: Checkpoint,
    model: Classifier | None,
    dataset: ImageDataset,
    parts: Split,
    references: tuple[Outcome, Outcome] | None = None,
    ideal: Evidence | None = None,
    inside: bool = True,
) -> Evidence:
    """All that a saved model leaves behind; its per-image outcomes are measured once and kept.
    model: see `outcomes`. references, ideal: see `Evidence`. inside: whether to look inside, which
    takes seconds where it is done for the first time.
    """
    train, test = outcomes(checkpoint, model, dataset)
    samples = samples_of(checkpoint, model, dataset, parts) if inside else None
    labels = dataset.train_labels.numpy(), dataset.test_labels.numpy()
    return Evidence(train, test, *labels, parts, samples, references, ideal)


def samples_of(
    checkpoint: Checkpoint, model: Classifier | None, dataset: ImageDataset, parts: Split
) -> Samples | None:
    """What a look inside shows, kept for the next run on the same images; None without weights."""
    if model is None and checkpoint.manifest.get("keep") == "logits":
        return None
    return kept_samples(
        f"{checkpoint.sha256[:16]}-{dataset.fingerprint[:16]}-{parts.judged}",
        lambda: Passes(model or checkpoint.load(best_device()), dataset, parts).samples(),
    )


def evaluate_outcomes(
    checkpoint: Checkpoint, model: Classifier | None, dataset: ImageDataset, parts: Split
) -> Evaluation:
    """The evaluation of a saved model, compared with no other. model: see `outcomes`."""
    return measure(evidence_of(checkpoint, model, dataset, parts))


def outcomes(
    checkpoint: Checkpoint, model: Classifier | None, dataset: ImageDataset
) -> tuple[Outcome, Outcome]:
    """What a saved model does with every training and every test image of a data set. model: its
    network, None to have it loaded where it is needed.

    Shipped beside the weights for the data they were trained on; else measured once and kept in
    the cache folder. A file that cannot be read is measured again, and so is one without logits.
    """
    measured = read_outcomes(checkpoint, dataset, logits=True)
    if measured is None:
        measured = outcomes_now(model or checkpoint.load(best_device()), dataset)
        write_outcomes(_cache_file(checkpoint, dataset), *measured)
    return measured


def read_outcomes(
    checkpoint: Checkpoint, dataset: ImageDataset, logits: bool = False
) -> tuple[Outcome, Outcome] | None:
    """The same, None where they are not kept. logits: files without them do not count."""
    for file in (outcomes_file(checkpoint, dataset), _cache_file(checkpoint, dataset)):
        stored = _read_outcomes(file, len(dataset.train_labels), len(dataset.test_labels))
        if stored is not None and not (logits and stored[0].logits is None):
            return stored
    return None


def _cache_file(checkpoint: Checkpoint, dataset: ImageDataset) -> Path:
    """Where this machine keeps the outcomes that it measured."""
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
    """Writes both, atomically. Losses stay float32, so that no number changes by being kept; logits
    lie beside them in float16, a third of their size."""
    arrays: dict[str, NDArray[Any]] = {}
    for part, outcome in (("train", train), ("test", test)):
        arrays[f"{part}_losses"] = outcome.losses
        arrays[f"{part}_predictions"] = outcome.predictions.astype(np.uint8)
        if outcome.logits is not None:
            arrays[f"{part}_logits"] = outcome.logits.astype(np.float16)
    with replacing(file) as temporary, temporary.open("wb") as content:
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]


def _read_outcomes(file: Path, n_train: int, n_test: int) -> tuple[Outcome, Outcome] | None:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            train, test = (
                Outcome(
                    arrays[f"{part}_losses"],
                    arrays[f"{part}_predictions"].astype(np.int64),
                    arrays[f"{part}_logits"].astype(np.float32)
                    if f"{part}_logits" in arrays
                    else None,
                )
                for part in ("train", "test")
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    if len(train.losses) != n_train or len(test.losses) != n_test:
        return None
    return train, test
