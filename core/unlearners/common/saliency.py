"""Which weights matter for some images: what mask-based methods share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import Step


def add_gradients(
    model: Classifier, losses: Iterator[Tensor], total: int, sums: list[Tensor], phase: str
) -> Iterator[Step]:
    """Adds the gradients of `total` losses to `sums`, one tensor a parameter; moves no weight and
    leaves every BatchNorm as it is."""
    model.eval()
    for done, loss in enumerate(itertools.islice(losses, total)):
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        for into, gradient in zip(sums, gradients, strict=True):
            into.add_(gradient)
        yield Step(done + 1, total, phase=phase)


@torch.no_grad()
def smallest(scores: list[Tensor], share: float) -> list[Tensor]:
    """True at that share (0 to 1, rounded to whole weights) of the smallest scores of all tensors
    together; among equals the earlier ones."""
    together = torch.cat([score.flatten() for score in scores])
    chosen = torch.zeros_like(together, dtype=torch.bool)
    chosen[together.argsort(stable=True)[: round(share * len(together))]] = True
    parts = chosen.split([score.numel() for score in scores])  # type: ignore[no-untyped-call]
    return [part.view(score.shape) for part, score in zip(parts, scores, strict=True)]


@torch.no_grad()
def hold(weights: Sequence[Tensor], originals: list[Tensor], free: list[Tensor]) -> None:
    """Puts back, bit for bit, every weight whose mask is not True: so the mask acts on the whole
    update, with what momentum and weight decay add to it."""
    for weight, original, mask in zip(weights, originals, free, strict=True):
        weight.copy_(torch.where(mask, weight, original))
