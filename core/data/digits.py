"""The data set that needs no file: scikit-learn's handwritten digits."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.dataset import ImageDataset, fingerprint_of
from core.data.names import SIDE

Pixels = NDArray[np.int64]
GREYS = 17
"""Of a digit's own pixels: 0 (paper) to 16 (ink)."""


@functools.cache
def _loaded() -> tuple[Pixels, Pixels, Pixels, Pixels]:
    """int64 (1797, 8, 8) with values 0 to 16, their true labels, and which are to train and which
    to test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    loaded = load_digits()
    true = np.asarray(loaded.target, np.int64)
    train, test = train_test_split(
        np.arange(len(true)), train_size=897, test_size=900, random_state=0, stratify=true
    )
    return loaded.images.astype(np.int64), true, train, test


@functools.cache
def digit_pixels() -> tuple[Pixels, Pixels]:
    """The images of `digits` as scikit-learn has them, in the same order: int64 (897, 64) to train
    and (900, 64) to test, row by row, values 0 to 16. Never write to them: others share them."""
    images, _, train, test = _loaded()
    return images[train].reshape(-1, 64), images[test].reshape(-1, 64)


@functools.cache
def digits() -> ImageDataset:
    """scikit-learn's 1,797 handwritten digits (8 x 8, 16 grey levels) at 32 x 32 in three channels.

    897 train, 900 test, stratified. Clean digits show almost no memorisation, so 179 of the
    training labels (a fifth) are replaced by another digit, drawn evenly. Split and labels are
    fixed by the seeds below; the pixels are sums of a few binary fractions, exact on any machine.
    """
    grey, true, train, test = _loaded()
    images = torch.from_numpy(grey).float()[:, None] * (255 / 16)
    large = torch.nn.functional.interpolate(images, (SIDE, SIDE), mode="bilinear")
    pixels = large.round().to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
    # Not seed 0: a random forget request of seed 0 would pick exactly the images drawn here.
    draw = np.random.default_rng(1797)
    wrong = np.zeros(len(train), np.bool_)
    wrong[draw.permutation(len(train))[: round(len(train) / 5)]] = True
    labels = true[train]
    labels[wrong] = (labels[wrong] + draw.integers(1, 10, wrong.sum())) % 10
    parts = (pixels[train], torch.from_numpy(labels), pixels[test], torch.from_numpy(true[test]))
    return ImageDataset(
        "digits",
        *parts,
        class_names=tuple(str(digit) for digit in range(10)),
        fingerprint=fingerprint_of(parts),
        source=(
            "scikit-learn's handwritten digits at 32 x 32: 897 training and 900 test images; "
            f"{int(wrong.sum())} of the training labels (a fifth) are wrong on purpose, "
            "so that there is something to memorise."
        ),
        wrong_labels=torch.from_numpy(wrong),
    )
