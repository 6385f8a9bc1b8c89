"""What a plan stands for once every fact in it is resolved: data, split, method, base, ideal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from core.checkpoints.references import fits
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.data.splits import Indices, Split
from core.errors import BadRequest
from core.training.recipe import recipe_of
from core.unlearners.base import Need, Unlearner, UnlearningData


def case_of(dataset: ImageDataset, parts: Split) -> str:
    """Which of a method's presets fits: "digits" for that small data set, else "class" if some
    class is forgotten whole, else "random"."""
    if dataset.name == "digits":
        return "digits"
    labels = dataset.train_labels.numpy()
    gone = set(np.unique(labels[parts.forget])) - set(np.unique(labels[parts.retain]))
    return "class" if gone else "random"


def offered_data(
    dataset: ImageDataset,
    parts: Split,
    needs: frozenset[Need],
    base: Checkpoint,
    records: Mapping[Need, Callable[..., Any]] | None = None,
) -> UnlearningData:
    """The parts of the training data that a method declared, and how the base was trained."""
    every: dict[Need, Indices] = {"retain": parts.retain, "forget": parts.forget}
    architecture = str(base.manifest["architecture"])
    return UnlearningData(
        parts={
            name: Images(dataset.train_images, dataset.train_labels, torch.from_numpy(indices))
            for name, indices in every.items()
            if name in needs
        },
        architecture=architecture,
        classes=len(dataset.class_names),
        recipe=recipe_of(base.manifest, dataset.name),
        forgotten_classes=forgotten_classes(dataset, parts),
        records=records or {},
    )


def forgotten_classes(dataset: ImageDataset, parts: Split) -> tuple[int, ...]:
    """The classes to forget where the forget set is exactly all images of these, else empty."""
    labels = dataset.train_labels.numpy()
    gone = np.unique(labels[parts.forget])
    if np.isin(gone, labels[parts.retain]).any():
        return ()
    return tuple(gone.tolist())


def describe_data(dataset: ImageDataset, parts: Split, base: Checkpoint) -> dict[str, Any]:
    """What the record says of the data."""
    trained_on = base.manifest["fingerprint"]
    return {
        "dataset": dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "model_trained_on_same_pixels": trained_on == dataset.fingerprint,
        "forget": len(parts.forget),
        "retain": len(parts.retain),
        "test": len(parts.test),
        "forget_digest": parts.digest,
    }


def check_data(base: Checkpoint, dataset: ImageDataset) -> None:
    """Weights never meet other data in silence; other pixels in the same order are allowed, and
    the record says so (`model_trained_on_same_pixels`)."""
    if not fits(base, dataset):
        raise BadRequest(
            f"The {base.manifest['architecture']} model was trained on other images than these.",
            "Train one on them: python -m core train",
        )


def check_model(base: Checkpoint, method: Unlearner) -> None:
    """An ensemble has no single head or features, and what retrains it is its own method."""
    if base.manifest["architecture"] == "sisa" and "shards" not in method.needs:
        raise BadRequest(
            f"{method.label} changes a single network, and this model is an ensemble of several.",
            "Choose the method sisa, or the model compact.",
        )
