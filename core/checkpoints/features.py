"""The penultimate features of training images: what a head is trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from core.data.images import Images
from core.models.classifier import Classifier
from core.models.modes import evaluating

BATCH = 256


def features(model: Classifier, part: Images) -> Tensor:
    """float32 (n, d) on the CPU, in the part's order; evaluation mode, no augmentation."""
    device = next(model.parameters()).device
    with evaluating(model), torch.inference_mode():
        batches = [
            model.features(part.batch(positions, device)[0]).float().cpu()
            for positions in torch.arange(len(part)).split(BATCH)  # type: ignore[no-untyped-call]
        ]
    return torch.cat(batches).clone()
