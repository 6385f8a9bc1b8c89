"""Base models and the references retrained without a forget set: trained, measured and kept.

What a saved model does with every image is measured once and kept as its outcomes, so that the
columns "before" and "retrained" of a run cost nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from core import checkpoints
from core.checkpoints import Checkpoint
from core.data import ImageDataset
from core.errors import CheckpointMissing
from core.evaluation import Outcome, evaluate, logits_of, per_image
from core.folders import cache_folder
from core.forget_sets import ForgetRequest, Split, split
from core.models import Classifier
from core.provenance import versions
from core.results import Evaluation
from core.sisa import TrainedShards, save_states, train_sisa
from core.subsets import Images
from core.training import Recipe, Trained, TrainingProgress, recipe_of, train

Keep = Literal["weights", "half", "logits"]
PARTS = ("train", "test")


def train_model(
    architecture: str,
    dataset: ImageDataset,
    recipe: Recipe,
    *,
    without: ForgetRequest | None = None,
    seed: int | None = None,
    root: Path | None = None,
    device: torch.device | str = "cpu",
    keep: Keep = "weights",
) -> Iterator[TrainingProgress | Checkpoint]:
    """Trains a base model (or, `without` a forget set, its reference) and keeps weights, manifest
    and outcomes, and for a data set's first base its memorisation scores; yields progress, the
    `Checkpoint` last.

    seed: by default 0 for a base and 1 for a reference, which `find_reference` then finds.
    root: `models_cache` or this machine's (the default). A training that was broken off goes on
    where it was. Two processes that train the same model train it once: the second one waits.
    keep: "weights" as they are; "half", kernels and matrices in float16 and the logits of every
    image; or "logits" and no weights. What is measured is the network as it is kept.
    """
    if seed is None:
        seed = 0 if without is None else checkpoints.REFERENCE_SEED
    root = root or cache_folder() / "models"
    folder = checkpoints.folder_of(architecture, dataset.name, root)
    folder.mkdir(parents=True, exist_ok=True)
    if without is None:
        role, indices = "base", np.arange(len(dataset.train_labels))
    else:
        parts = split(dataset, without, checkpoints.memorisation_scores(dataset))
        role, indices = checkpoints.retrained_role(parts.digest, seed), parts.retain
    images = Images(dataset.train_images, dataset.train_labels, torch.from_numpy(indices))
    made_by = json.dumps(recipe.to_dict(), sort_keys=True)
    key = f"{architecture}-{dataset.name}-{role}-{seed}-{dataset.fingerprint}-{made_by}"
    name = f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.state"
    state = cache_folder() / "training" / name
    state.parent.mkdir(exist_ok=True)
    with FileLock(state.with_suffix(".lock")):
        if (kept := checkpoints.find_in(folder, role)) and _made_by(
            kept, dataset, recipe, seed, keep
        ):
            state.unlink(missing_ok=True)
            yield kept
            return
        about: dict[str, Any] = {"classes": len(dataset.class_names), "device": device}
        progresses: Iterator[TrainingProgress | Trained] = (
            train_sisa(images, recipe, seed, folder=state.with_suffix(".slices"), **about)
            if architecture == "sisa"
            else train(architecture, images, recipe, seed, state_file=state, **about)
        )
        for progress in progresses:
            if isinstance(progress, TrainingProgress):
                yield progress
            else:
                kept = _keep(
                    progress, architecture, dataset, recipe, seed, role, folder, without, keep
                )
                state.unlink(missing_ok=True)
                yield kept


def _made_by(
    kept: Checkpoint, dataset: ImageDataset, recipe: Recipe, seed: int, keep: Keep
) -> bool:
    same = {"fingerprint": dataset.fingerprint, "recipe": recipe.to_dict(), "seed": seed}
    found = {"keep": "weights"} | dict(kept.manifest)
    return all(found.get(key) == value for key, value in (same | {"keep": keep}).items())


def _keep(
    trained: Trained,
    architecture: str,
    dataset: ImageDataset,
    recipe: Recipe,
    seed: int,
    role: str,
    folder: Path,
    without: ForgetRequest | None,
    keep: Keep,
) -> Checkpoint:
    model = trained.model
    if keep == "half":
        halve(model)
    logits = [logits_of(model, part) for part in (dataset.train_images, dataset.test_images)]
    train_outcome = Outcome.of(logits[0], dataset.train_labels)
    test_outcome = Outcome.of(logits[1], dataset.test_labels)
    right = train_outcome.predictions == dataset.train_labels.numpy()
    accuracy = {"test": float(np.mean(test_outcome.predictions == dataset.test_labels.numpy()))}
    extra: dict[str, Any] = {}
    if without is None:
        # First the scores: a base without them would leave `memorised:N` without a meaning.
        checkpoints.save_memorisation(trained.learned, dataset, folder.parent)
        accuracy["train"] = float(np.mean(right))
    else:
        parts = split(dataset, without, checkpoints.memorisation_scores(dataset))
        accuracy["forget"] = float(np.mean(right[parts.forget]))
        accuracy["retain"] = float(np.mean(right[parts.retain]))
        extra = {"request": without.to_dict(), "forget_digest": parts.digest}
    if isinstance(trained, TrainedShards):
        extra |= save_states(trained, folder, role)
    manifest = {
        **manifest_of(architecture, dataset, recipe, seed, trained.seconds),
        **extra,
        "accuracy": accuracy,
    }
    if keep != "weights":
        manifest["keep"] = keep
    checkpoint = checkpoints.save(model if keep != "logits" else None, folder, role, manifest)
    write_outcomes(outcomes_file(checkpoint, dataset), train_outcome, test_outcome)
    if keep != "weights":
        arrays = {part: kept.half().numpy() for part, kept in zip(PARTS, logits, strict=True)}
        _write_arrays(logits_file(checkpoint, dataset), arrays)
    return checkpoint


def halve(model: Classifier) -> None:
    """Rounds kernels and matrices to float16; biases and BatchNorm's numbers, some of them too
    small for it, stay as they are."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half())


def logits_file(checkpoint: Checkpoint, dataset: ImageDataset) -> Path:
    """Where the logits of a checkpoint lie, where they are kept: float16 (N, classes) each as
    "train" and "test"."""
    beside = outcomes_file(checkpoint, dataset)
    return beside.with_name(beside.name.replace("outcome-", "logits-", 1))


def fits(checkpoint: Checkpoint, dataset: ImageDataset) -> bool:
    """Whether a model was trained on these images, or on other pixels of the same images in the
    same order (CIFAR-10's PNG and JPEG copies)."""
    if checkpoint.manifest["fingerprint"] == dataset.fingerprint:
        return True
    order = checkpoint.manifest.get("index_order", "")
    return bool(order) and order == dataset.index_order


def find_reference(
    architecture: str,
    dataset: ImageDataset,
    parts: Split,
    seed: int | None = None,
    other_than: int | None = None,
) -> Checkpoint | None:
    """A model retrained on these images without this forget set, shipped or kept by this machine,
    if any.

    seed: only one trained from this seed; two of them tell how far two retrainings lie apart. By
    default the usual seed's, else the lowest there is. other_than: never one from this seed, so
    that a retraining is not judged against itself.
    """
    if seed is None:
        seeds = checkpoints.retrained_seeds(architecture, dataset.name, parts.digest)
    else:
        seeds = [seed]
    for each in seeds:
        if each == other_than:
            continue
        role = checkpoints.retrained_role(parts.digest, each)
        try:
            found = checkpoints.find(architecture, dataset.name, role)
        except CheckpointMissing:
            continue
        if fits(found, dataset):
            return found
    return None


def keep_reference(
    model: Classifier,
    request: ForgetRequest,
    seed: int,
    dataset: ImageDataset,
    parts: Split,
    base: Checkpoint,
    measured: Evaluation,
    seconds: float,
) -> Checkpoint:
    """Saves a retrained model in this machine's cache, as a reference of its forget set for other
    runs, under the seed that it was trained from."""
    architecture = str(base.manifest["architecture"])
    recipe = recipe_of(base.manifest, dataset.name)
    manifest = {
        **manifest_of(architecture, dataset, recipe, seed, seconds),
        "request": request.to_dict(),
        "forget_digest": parts.digest,
        "accuracy": {
            "retain": measured.retain_accuracy.value,
            "forget": measured.forget_accuracy.value,
            "test": measured.test_accuracy.value,
        },
    }
    folder = checkpoints.folder_of(architecture, dataset.name, cache_folder() / "models")
    role = checkpoints.retrained_role(parts.digest, seed)
    return checkpoints.save(model, folder, role, manifest)


def manifest_of(
    architecture: str, dataset: ImageDataset, recipe: Recipe, seed: int, seconds: float
) -> dict[str, Any]:
    """What every checkpoint's manifest says of how it was made."""
    return {
        "architecture": architecture,
        "dataset": dataset.name,
        "classes": len(dataset.class_names),
        "class_names": list(dataset.class_names),
        "fingerprint": dataset.fingerprint,
        "index_order": dataset.index_order,
        "source": dataset.source,
        "recipe": recipe.to_dict(),
        "seed": seed,
        "seconds": round(seconds, 1),
        "versions": versions(),
    }


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
    _write_arrays(file, arrays)


def _write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{os.getpid()}.{file.name}")
    np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    os.replace(temporary, file)


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
