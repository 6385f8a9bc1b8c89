"""What a method is given of the training data: the parts that it declared, and how the base came
to be; which of its presets fits; and what a record says of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from core.checkpoints.records import fresh_records
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.data.splits import Indices, Split
from core.models.classifier import Classifier
from core.models.registry import recipe_of
from core.unlearners.base import Need, UnlearningData


def case_of(dataset: ImageDataset, parts: Split) -> str:
    """Which of a method's presets fits: "digits" for that small data set, else "class" if some
    class is forgotten whole, else "random"."""
    if dataset.name == "digits":
        return "digits"
    labels = dataset.train_labels.numpy()
    whole_classes = set(np.unique(labels[parts.forget])) - set(np.unique(labels[parts.retain]))
    return "class" if whole_classes else "random"


def offered_data(
    dataset: ImageDataset,
    parts: Split,
    needs: frozenset[Need],
    base: Checkpoint,
    records: Mapping[Need, Callable[..., Any]] | None = None,
) -> UnlearningData:
    """The parts of the training data that a method declared, and how the base was trained."""
    indices_by_need: dict[Need, Indices] = {"retain": parts.retain, "forget": parts.forget}
    architecture = str(base.manifest["architecture"])
    return UnlearningData(
        parts={
            name: Images(dataset.train_images, dataset.train_labels, torch.from_numpy(indices))
            for name, indices in indices_by_need.items()
            if name in needs
        },
        architecture=architecture,
        classes=len(dataset.class_names),
        recipe=recipe_of(base.manifest, dataset.name),
        forgotten_classes=forgotten_classes(dataset, parts),
        records=records or {},
    )


def offering(
    dataset: ImageDataset, base: Checkpoint, needs: frozenset[Need]
) -> Callable[[Classifier, Split], UnlearningData]:
    """What gives a method its data for a network that came from the base: for each of several
    deletions in turn. What it needs to know of the network is of the network as it stands."""

    def offer(model: Classifier, parts: Split) -> UnlearningData:
        return offered_data(dataset, parts, needs, base, fresh_records(model, dataset, needs))

    return offer


def forgotten_classes(dataset: ImageDataset, parts: Split) -> tuple[int, ...]:
    """The classes to forget where the forget set is exactly all images of these, else empty."""
    labels = dataset.train_labels.numpy()
    classes = np.unique(labels[parts.forget])
    if np.isin(classes, labels[parts.retain]).any():
        return ()
    return tuple(classes.tolist())


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
        "class_names": list(dataset.class_names),
    }
