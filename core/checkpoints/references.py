"""Base models and the references retrained without a forget set: trained, measured and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from filelock import FileLock

from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import outcomes_file, write_outcomes
from core.checkpoints.provenance import versions
from core.checkpoints.slices import save_states
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import Split
from core.evaluation import logits_of, outcome_of
from core.files import cache_folder
from core.metrics.measures import Evaluation
from core.models.classifier import Classifier
from core.models.recipe import Recipe
from core.models.registry import architecture_of, recipe_of
from core.training.loop import Trained, TrainingProgress, train
from core.training.shards import TrainedShards, train_sisa

Keep = Literal["weights", "half", "logits"]


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
    keep: "weights" as they are; "half", kernels and matrices in float16; or "logits", no weights,
    what every image makes of it alone. What is measured is the network as it is kept.
    """
    if seed is None:
        seed = 0 if without is None else storage.REFERENCE_SEED
    root = root or cache_folder() / "models"
    folder = storage.folder_of(architecture, dataset.name, root)
    folder.mkdir(parents=True, exist_ok=True)
    if without is None:
        role, indices = "base", np.arange(len(dataset.train_labels))
    else:
        parts = memorisation.split_of(dataset, without)
        role, indices = storage.retrained_role(parts.digest, seed), parts.retain
    images = Images(dataset.train_images, dataset.train_labels, torch.from_numpy(indices))
    recipe_json = json.dumps(recipe.to_dict(), sort_keys=True)
    key = f"{architecture}-{dataset.name}-{role}-{seed}-{dataset.fingerprint}-{recipe_json}"
    name = f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.state"
    state_file = cache_folder() / "training" / name
    state_file.parent.mkdir(exist_ok=True)
    with FileLock(state_file.with_suffix(".lock")):
        if (checkpoint := storage.find_in(folder, role)) and _made_by(
            checkpoint, dataset, recipe, seed, keep
        ):
            state_file.unlink(missing_ok=True)
            yield checkpoint
            return
        options: dict[str, Any] = {"classes": len(dataset.class_names), "device": device}
        training: Iterator[TrainingProgress | Trained] = (
            train_sisa(images, recipe, seed, folder=state_file.with_suffix(".slices"), **options)
            if architecture_of(architecture).ensemble
            else train(architecture, images, recipe, seed, state_file=state_file, **options)
        )
        for item in training:
            if isinstance(item, TrainingProgress):
                yield item
            else:
                checkpoint = _keep(
                    item, architecture, dataset, recipe, seed, role, folder, without, keep
                )
                state_file.unlink(missing_ok=True)
                yield checkpoint


def _made_by(
    checkpoint: Checkpoint, dataset: ImageDataset, recipe: Recipe, seed: int, keep: Keep
) -> bool:
    expected = {"fingerprint": dataset.fingerprint, "recipe": recipe.to_dict(), "seed": seed}
    manifest = {"keep": "weights"} | dict(checkpoint.manifest)
    return all(manifest.get(key) == value for key, value in (expected | {"keep": keep}).items())


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
    train_outcome = outcome_of(logits[0], dataset.train_labels)
    test_outcome = outcome_of(logits[1], dataset.test_labels)
    correct = train_outcome.predictions == dataset.train_labels.numpy()
    accuracy = {"test": float(np.mean(test_outcome.predictions == dataset.test_labels.numpy()))}
    extra: dict[str, Any] = {}
    if without is None:
        # First the scores: a base without them would leave `memorised:N` without a meaning.
        memorisation.save_memorisation(1 - trained.learned, dataset, folder.parent)
        accuracy["train"] = float(np.mean(correct))
    else:
        parts = memorisation.split_of(dataset, without)
        accuracy["forget"] = float(np.mean(correct[parts.forget]))
        accuracy["retain"] = float(np.mean(correct[parts.retain]))
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
    checkpoint = storage.save(model if keep != "logits" else None, folder, role, manifest)
    write_outcomes(outcomes_file(checkpoint, dataset), train_outcome, test_outcome)
    return checkpoint


def halve(model: Classifier) -> None:
    """Rounds kernels and matrices to float16; biases and BatchNorm's numbers, some of them too
    small for it, stay as they are."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half())


def fits(checkpoint: Checkpoint, dataset: ImageDataset) -> bool:
    """Whether a model was trained on these images, or on other pixels of the same images in the
    same order (CIFAR-10's PNG and JPEG copies)."""
    if checkpoint.manifest["fingerprint"] == dataset.fingerprint:
        return True
    order = checkpoint.manifest.get("index_order", "")
    return bool(order) and order == dataset.index_order


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
        "kept_from": "run",
        "request": request.to_dict(),
        "forget_digest": parts.digest,
        "accuracy": {
            "retain": measured.value("retain_accuracy"),
            "forget": measured.value("forget_accuracy"),
            "test": measured.value("test_accuracy"),
        },
    }
    folder = storage.folder_of(architecture, dataset.name, cache_folder() / "models")
    role = storage.retrained_role(parts.digest, seed)
    return storage.save(model, folder, role, manifest)


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
