"""What a data set in memory is: images, labels, names and a fingerprint of the bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """A data set in memory.

    name: "cifar10", "cifar10-tuning", "digits", or the name that a folder was loaded under.
    train_images, test_images: uint8 (N, 3, 32, 32), contiguous. Never write to them:
    others share the tensor (the file that they may be mapped from would not change).
    train_labels, test_labels: int64 (N,), an index into `class_names`.
    fingerprint: sha256 over the bytes of train images, train labels, test images, test labels.
    source: one plain sentence: what these images are. It names no folder, since runs are shared.
    index_order: which image an index means, where that is known: "torchvision" if training image i
    is image i of torchvision's CIFAR10, "torchvision-tuning" for the tuning view of that, else "".
    wrong_labels: bool (N,), the training images whose labels are wrong on purpose; None if none.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    class_names: tuple[str, ...]
    fingerprint: str
    source: str
    index_order: str = ""
    wrong_labels: Tensor | None = None


def fingerprint_of(parts: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.numpy().data)
    return digest.hexdigest()
