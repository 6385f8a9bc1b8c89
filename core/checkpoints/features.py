"""The penultimate features of images: what a head is trained on."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from core.curvature.products import finish
from core.data.images import Images
from core.models.classifier import Classifier
from core.models.modes import evaluating

BATCH = 256


def features(model: Classifier, part: Images) -> Tensor:
    """float32 (n, d) on the CPU, in the part's order; evaluation mode, no augmentation."""
    return finish(features_by_batch(model, part))


def features_by_batch(model: Classifier, part: Images) -> Generator[tuple[int, int], None, Tensor]:
    """The same; yields after each batch how many images are done, of how many."""
    device = next(model.parameters()).device
    batches: list[Tensor] = []
    done = 0
    with evaluating(model):
        for positions in torch.arange(len(part)).split(BATCH):  # type: ignore[no-untyped-call]
            with torch.inference_mode():  # a mode of the thread: it must not outlast the batch
                found = model.features(part.batch(positions, device)[0]).float().cpu()
            batches.append(found)
            done += len(positions)
            yield done, len(part)
        return torch.cat(batches).clone()
