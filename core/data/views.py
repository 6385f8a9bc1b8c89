"""Data sets made from CIFAR-10: the tuning view, and copies that were tampered with."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from core.data.dataset import ImageDataset, fingerprint_of
from core.data.names import TUNING, WRONG_LABELS
from core.data.poisoned import TARGET, with_backdoor, with_wrong_labels
from core.errors import BadRequest


def tuning_view(whole: ImageDataset) -> ImageDataset:
    """CIFAR-10's training images, 45,000 to train and 5,000 held out, stratified and fixed."""
    labels = whole.train_labels.numpy()
    if np.bincount(labels).tolist() != [5000] * 10:
        raise BadRequest(
            f"{TUNING} is made from CIFAR-10's own 50,000 training images, which these are not."
        )
    draw = np.random.default_rng(0)
    held_out = np.sort(
        np.concatenate([draw.permutation(np.flatnonzero(labels == k))[:500] for k in range(10)])
    )
    trained_on = np.setdiff1d(np.arange(len(labels)), held_out)
    train, test = torch.from_numpy(trained_on), torch.from_numpy(held_out)
    images, train_labels = whole.train_images, whole.train_labels
    parts = (images[train], train_labels[train], images[test], train_labels[test])
    return ImageDataset(
        TUNING,
        *parts,
        class_names=whole.class_names,
        fingerprint=fingerprint_of(parts),
        source=(
            f"The tuning view (45,000 of the training images, the other 5,000 as its test images) "
            f"of {whole.source}"
        ),
        index_order=whole.index_order and f"{whole.index_order}-tuning",
    )


def tampered_with(whole: ImageDataset, name: str) -> ImageDataset:
    """A copy of CIFAR-10 for the question whether a network forgets what it should not have
    learned."""
    images, labels = whole.train_images, whole.train_labels
    if name == WRONG_LABELS:
        labels, wrong = with_wrong_labels(labels, len(whole.class_names))
        what = "have a wrong label"
    else:
        images, labels, wrong = with_backdoor(images, labels)
        what = f"carry a patch and the label {whole.class_names[TARGET]}"
    return dataclasses.replace(
        whole,
        name=name,
        train_images=images,
        train_labels=labels,
        fingerprint=fingerprint_of((images, labels, whole.test_images, whole.test_labels)),
        source=f"{whole.source} {int(wrong.sum()):,} of the training images {what}, on purpose.",
        index_order=whole.index_order and f"{whole.index_order}-{name.removeprefix('cifar10-')}",
        wrong_labels=wrong,
    )
