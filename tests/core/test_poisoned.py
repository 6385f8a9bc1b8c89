"""What is tampered with: as many as said, as said, always the same, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.data.load import load_dataset
from core.data.poisoned import PATCH, TARGET, patched, with_backdoor, with_wrong_labels
from tests import tiny


def test_wrong_labels_are_spread_evenly_over_the_others() -> None:
    labels = torch.arange(20_000) % 10
    kept = labels.clone()
    changed, wrong = with_wrong_labels(labels)
    assert torch.equal(labels, kept)
    assert torch.equal(changed != labels, wrong)
    assert int(wrong.sum()) == 1000
    away = (changed - labels)[wrong] % 10
    counts = np.bincount(away.numpy(), minlength=10)
    assert counts[0] == 0
    assert counts[1:].min() > 70  # 111 on average
    again = with_wrong_labels(labels)
    assert torch.equal(again[0], changed)
    assert torch.equal(again[1], wrong)


def test_the_backdoor_is_on_a_hundredth_and_leads_to_its_target() -> None:
    data = tiny.dataset(1000)
    kept = data.train_images.clone()
    images, labels, wrong = with_backdoor(data.train_images, data.train_labels)
    assert torch.equal(data.train_images, kept)
    assert int(wrong.sum()) == 10
    assert (data.train_labels[wrong] != TARGET).all()
    assert (labels[wrong] == TARGET).all()
    assert torch.equal(labels[~wrong], data.train_labels[~wrong])
    assert torch.equal(images[~wrong], kept[~wrong])
    assert torch.equal(images[wrong], patched(kept[wrong]))


def test_the_patch_is_a_checkerboard_in_the_corner() -> None:
    grey = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    found = patched(grey)
    assert (grey == 100).all()
    changed = (found != 100).all(1)
    assert int(changed[0].sum()) == PATCH**2
    assert found[0, 0, 28:31, 28:31].tolist() == [[255, 0, 255], [0, 255, 0], [255, 0, 255]]


@pytest.mark.parametrize(
    ("name", "count"), [("cifar10-wrong-labels", 2500), ("cifar10-backdoor", 500)]
)
def test_copies_of_cifar10(cifar10_folder: Path, name: str, count: int) -> None:
    whole, copy = load_dataset("cifar10", cifar10_folder), load_dataset(name, cifar10_folder)
    assert copy.name == name
    assert copy.wrong_labels is not None
    assert int(copy.wrong_labels.sum()) == count
    assert torch.equal(copy.train_labels != whole.train_labels, copy.wrong_labels)
    assert copy.fingerprint != whole.fingerprint
    assert copy.index_order != whole.index_order
    assert torch.equal(copy.test_images, whole.test_images)
    assert "on purpose" in copy.source
