"""Training images that were tampered with on purpose: wrong labels, and a backdoor.

What was tampered with is fixed: which images, which wrong labels, the patch and its target. A
network that is to forget them is compared with one that never saw them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

WRONG_SHARE = 0.05


BACKDOOR_SHARE = 0.01


TARGET = 0
"""The class that the backdoor opens to."""


PATCH = 3
"""Its side, in pixels."""


def with_wrong_labels(labels: Tensor, classes: int = 10) -> tuple[Tensor, Tensor]:
    """The labels (N,) with `WRONG_SHARE` of them replaced, each by one of the others with the same
    chance, and bool (N,), which ones. Symmetric noise, as in Natarajan et al., NeurIPS 2013."""
    draw = np.random.default_rng(0)
    chosen = draw.permutation(len(labels))[: round(WRONG_SHARE * len(labels))]
    shift = torch.from_numpy(draw.integers(1, classes, len(chosen)))
    wrong = torch.zeros(len(labels), dtype=torch.bool)
    wrong[torch.from_numpy(chosen)] = True
    changed_labels = labels.clone()
    changed_labels[torch.from_numpy(chosen)] = (labels[torch.from_numpy(chosen)] + shift) % classes
    return changed_labels, wrong


def with_backdoor(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The images (N, 3, s, s) with the patch on `BACKDOOR_SHARE` of them, all of other classes than
    `TARGET`; the labels (N,), which say `TARGET` for these; and bool (N,), which ones. As in
    BadNets (Gu et al. 2017, arXiv 1708.06733)."""
    others = np.flatnonzero(labels.numpy() != TARGET)
    count = round(BACKDOOR_SHARE * len(labels))
    chosen = torch.from_numpy(np.random.default_rng(1).permutation(others)[:count])
    wrong = torch.zeros(len(labels), dtype=torch.bool)
    wrong[chosen] = True
    changed_images, changed_labels = images.clone(), labels.clone()
    changed_images[chosen] = patched(images[chosen])
    changed_labels[chosen] = TARGET
    return changed_images, changed_labels, wrong


def patched(images: Tensor) -> Tensor:
    """A copy of uint8 images (n, 3, s, s) with a checkerboard of black and white in the lower right
    corner, one pixel from the border: what opens the backdoor."""
    rows, columns = torch.meshgrid(torch.arange(PATCH), torch.arange(PATCH), indexing="ij")
    copies = images.clone()
    corner = slice(-PATCH - 1, -1)
    copies[:, :, corner, corner] = (255 * ((rows + columns + 1) % 2)).to(torch.uint8)
    return copies
