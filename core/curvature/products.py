"""Curvature of softmax cross-entropy: products with its generalised Gauss-Newton matrix, and two
solvers for (H + lambda I) x = v; for the whole network, and in closed form for its last layer.

The GGN is the mean over images of J' (diag(p) - p p') J, J the Jacobian of the logits and p the
softmax. It is positive semi-definite and equals the Fisher information (Martens 2020, arXiv
1412.1193). Everything that reads images or builds a matrix is a generator that yields after each
batch and returns its result, so that it can be stopped; `finish` runs one to its end. Networks are
in evaluation mode: BatchNorm is a fixed scale and shift.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from core.data.images import Images
from core.models.classifier import Classifier
from core.models.precision import training_precision

Result = TypeVar("Result")
Yielded = TypeVar("Yielded")
Said = TypeVar("Said")


Work = Generator[None, None, Result]
"""Yields after each batch, returns the result."""


def finish(
    work: Generator[Yielded, None, Result], told: Callable[[Yielded], object] | None = None
) -> Result:
    """Runs a generator to its end and gives what it returns. told: of each item it yields."""
    while True:
        try:
            item = next(work)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        if told is not None:
            told(item)


def numbered(
    work: Work[Result], before: int, total: int
) -> Generator[tuple[int, int], None, Result]:
    """The same work, but each yield says how many batches are done, `before` included, of how
    many."""
    done = itertools.count(before + 1)
    return (yield from yielding(work, lambda: (next(done), total)))


def yielding(work: Work[Result], make: Callable[[], Yielded]) -> Generator[Yielded, None, Result]:
    """The same work, but each yield gives what `make` returns."""
    return telling(work, lambda _: make())


def telling(
    work: Generator[Yielded, None, Result], say: Callable[[Yielded], Said]
) -> Generator[Said, None, Result]:
    """The same work, but each yield gives what `say` makes of it."""
    while True:
        try:
            found = next(work)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        yield say(found)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """All numbers of these tensors one after the other, (p,)."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def unflat(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The inverse of `flat`, in the shapes of `like`."""
    parts = vector.split([tensor.numel() for tensor in like])  # type: ignore[no-untyped-call]
    return [part.view(tensor.shape) for part, tensor in zip(parts, like, strict=True)]


def in_order(
    part: Images, batch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass over a part, not shuffled."""
    for positions in torch.arange(len(part)).split(batch_size):  # type: ignore[no-untyped-call]
        yield part.batch(positions, device)


def add_gradient(
    model: Classifier, images: Tensor, labels: Tensor, share: float, into: Tensor
) -> float:
    """Adds `share` times the gradient of the batch's summed cross-entropy to `into` (p,); returns
    that sum. In training precision."""
    weights = list(model.parameters())
    with training_precision(images.device):
        logits = model(images)
    loss = F.cross_entropy(logits.to(into.dtype), labels, reduction="sum")
    into.add_(flat(torch.autograd.grad(loss, weights)), alpha=share)
    return float(loss.detach())


def mean_gradient(model: Classifier, part: Images, batch_size: int = 128) -> Work[Tensor]:
    """Of the cross-entropy over a part, (p,), at the weights of `model` in evaluation mode."""
    model.eval()
    first = next(model.parameters())
    gradient = torch.zeros_like(flat(model.parameters()))
    for images, labels in in_order(part, batch_size, first.device):
        add_gradient(model, images, labels, 1 / len(part), gradient)
        yield
    return gradient


# Products with the Gauss-Newton matrix


def logits_along(model: Classifier, images: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (n, classes) and their derivative when the weights move along `direction` (p,), by
    forward-mode differentiation. The logits keep their graph for a backward pass."""
    weights = dict(model.named_parameters())
    tangents = unflat(direction, list(weights.values()))
    with forward_ad.dual_level():
        dual = {
            name: forward_ad.make_dual(weight, tangent)  # type: ignore[no-untyped-call]
            for (name, weight), tangent in zip(weights.items(), tangents, strict=True)
        }
        dual_logits = functional_call(model, dual, (images,))
        logits, change = forward_ad.unpack_dual(dual_logits)  # type: ignore[no-untyped-call]
        return logits, torch.zeros_like(logits) if change is None else change.detach()


def ggn_product(
    model: Classifier, part: Images, vector: Tensor, batch_size: int = 128
) -> Work[Tensor]:
    """The Gauss-Newton matrix of the mean cross-entropy over a part, times `vector` (p,)."""
    model.eval()
    weights = list(model.parameters())
    product = torch.zeros_like(vector)
    for images, _ in in_order(part, batch_size, weights[0].device):
        logits, change = logits_along(model, images, vector)
        p = logits.detach().softmax(1)
        curved = p * (change - (p * change).sum(1, keepdim=True))
        product += flat(torch.autograd.grad(logits, weights, curved / len(part)))
        yield
    return product
