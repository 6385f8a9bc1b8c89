"""Which weights matter for some images: what mask-based methods share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from core.curvature.importance import BATCH, Kind, importance
from core.data.images import Images
from core.models.classifier import Classifier
from core.unlearners.common.descent import Phase


def adding_gradients(
    name: str, model: Classifier, losses: Iterator[Tensor], total: int, sums: list[Tensor]
) -> Phase:
    """Adds the gradients of `total` losses to `sums`, one tensor a parameter; moves no weight and
    leaves every BatchNorm as it is."""

    def work() -> Iterator[None]:
        model.eval()
        for loss in itertools.islice(losses, total):
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            for total_gradient, gradient in zip(sums, gradients, strict=True):
                total_gradient.add_(gradient)
            yield None

    return Phase(name, total, work())


def measuring_importance(
    name: str, model: Classifier, part: Images, kind: Kind, into: dict[str, Tensor]
) -> Phase:
    """Puts into `into` how much each weight, by its name, matters to these images."""

    def work() -> Iterator[None]:
        for so_far in importance(model, part, kind):
            into.update(so_far)
            yield None

    return Phase(name, part.steps(BATCH), work())


@torch.no_grad()
def smallest(scores: list[Tensor], share: float) -> list[Tensor]:
    """True at that share (0 to 1, rounded to whole weights) of the smallest scores of all tensors
    together; among equals the earlier ones."""
    flat = torch.cat([score.flatten() for score in scores])
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen[flat.argsort(stable=True)[: round(share * len(flat))]] = True
    parts = chosen.split([score.numel() for score in scores])  # type: ignore[no-untyped-call]
    return [part.view(score.shape) for part, score in zip(parts, scores, strict=True)]


@torch.no_grad()
def hold(weights: Sequence[Tensor], originals: list[Tensor], free: list[Tensor]) -> None:
    """Puts back, bit for bit, every weight whose mask is not True: so the mask acts on the whole
    update, with what momentum and weight decay add to it."""
    for weight, original, mask in zip(weights, originals, free, strict=True):
        weight.copy_(torch.where(mask, weight, original))
