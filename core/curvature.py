"""Curvature of softmax cross-entropy: products with its generalised Gauss-Newton matrix, and two
solvers for (H + lambda I) x = v; for the whole network, and in closed form for its last layer.

The GGN is the mean over images of J' (diag(p) - p p') J, J the Jacobian of the logits and p the
softmax. It is positive semi-definite and equals the Fisher information (Martens 2020, arXiv
1412.1193). Everything that reads images or builds a matrix is a generator that yields after each
batch and returns its result, so that it can be stopped; `finish` runs one to its end. Networks are
in evaluation mode: BatchNorm is a fixed scale and shift.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.errors import Diverged
from core.models import Classifier, training_precision
from core.subsets import Images

Result = TypeVar("Result")
Work = Generator[None, None, Result]
"""Yields after each batch, returns the result."""


def finish(work: Generator[object, None, Result]) -> Result:
    """Runs a generator to its end and gives what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            found: Result = stop.value
            return found


def numbered(
    work: Work[Result], before: int, total: int
) -> Generator[tuple[int, int], None, Result]:
    """The same work, but each yield says how many batches are done, `before` included, of how
    many."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            found: Result = stop.value
            return found
        before += 1
        yield before, total


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
    """Adds `share` times the gradient of the batch's summed cross-entropy to `into` (p,); gives
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
    found = torch.zeros_like(flat(model.parameters()))
    for images, labels in in_order(part, batch_size, first.device):
        add_gradient(model, images, labels, 1 / len(part), found)
        yield
    return found


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
        both = functional_call(model, dual, (images,))
        logits, change = forward_ad.unpack_dual(both)  # type: ignore[no-untyped-call]
        return logits, torch.zeros_like(logits) if change is None else change.detach()


def ggn_product(
    model: Classifier, part: Images, vector: Tensor, batch_size: int = 128
) -> Work[Tensor]:
    """The Gauss-Newton matrix of the mean cross-entropy over a part, times `vector` (p,)."""
    model.eval()
    weights = list(model.parameters())
    found = torch.zeros_like(vector)
    for images, _ in in_order(part, batch_size, weights[0].device):
        logits, change = logits_along(model, images, vector)
        p = logits.detach().softmax(1)
        curved = p * (change - (p * change).sum(1, keepdim=True))
        found += flat(torch.autograd.grad(logits, weights, curved / len(part)))
        yield
    return found


def conjugate_gradients(
    product: Callable[[Tensor], Work[Tensor]],
    target: Tensor,
    damping: float,
    iterations: int,
    tolerance: float = 1e-6,
) -> Work[Tensor]:
    """x with (H + damping I) x = target, H positive semi-definite and known by its products.

    Hestenes & Stiefel 1952. Ends early once the residual is `tolerance` times the target.
    """
    x = torch.zeros_like(target)
    residual = target.clone()
    direction = residual.clone()
    size = residual @ residual
    goal = tolerance**2 * float(size)
    for _ in range(iterations):
        if float(size) <= goal:
            break
        curved = yield from product(direction)
        curved += damping * direction
        length = size / (direction @ curved)
        x += length * direction
        residual -= length * curved
        before, size = size, residual @ residual
        direction = residual + size / before * direction
    return x


# WoodFisher


def fisher_factors(
    model: Classifier, part: Images, count: int, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """`count` vectors (p,), one a batch, whose outer products sum to an unbiased estimate of the
    Gauss-Newton matrix of the mean cross-entropy.

    Each is the gradient of a batch for labels that are drawn from the network's own softmax. Such
    gradients have mean zero and the GGN as covariance, and those of different images are
    independent: so the square of their sum is, in expectation, the sum of their squares, and one
    backward pass a batch is enough. With the true labels in their place, the matrix would vanish
    where the training loss does.
    """
    model.eval()
    device = next(model.parameters()).device
    batches = part.shuffled(min(batch_size, len(part)), generator, device)
    weights = list(model.parameters())
    for _ in range(count):
        images, _ = next(batches)
        with training_precision(device):
            logits = model(images)
        logits = logits.to(weights[0].dtype)
        p = logits.detach().softmax(1).cpu()
        drawn = torch.multinomial(p, 1, generator=generator)[:, 0].to(device)
        loss = F.cross_entropy(logits, drawn, reduction="sum") / math.sqrt(len(images) * count)
        yield flat(torch.autograd.grad(loss, weights))


def woodfisher(factors: Iterator[Tensor], target: Tensor, damping: float) -> Work[Tensor]:
    """(damping I + sum of f f')^-1 target over the factors f (p,), exactly; one yield a factor.

    The inverse that WoodFisher builds factor by factor with the Sherman-Morrison formula (Singh &
    Alistarh, NeurIPS 2020, arXiv 2004.14340), here in one piece with Woodbury's:
    (v - G' (damping I + G G')^-1 G v) / damping, the rows of G being the factors. Memory: all
    factors at once.
    """
    rows: list[Tensor] = []
    products: list[list[float]] = []
    for factor in factors:
        rows.append(factor)
        products.append([float(factor @ row) for row in rows])
        yield
    gram = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    for i, of_row in enumerate(products):
        gram[i, : i + 1] = gram[: i + 1, i] = torch.tensor(of_row, dtype=torch.float64)
    gram += damping * torch.eye(len(rows), dtype=torch.float64)
    along = torch.tensor([float(row @ target) for row in rows], dtype=torch.float64)
    found = target.clone()
    for row, share in zip(rows, torch.linalg.solve(gram, along).tolist(), strict=True):
        found.sub_(row, alpha=share)
    return found.div_(damping)


# The last layer: softmax regression on the features. Its weights are one matrix (classes, d + 1),
# the bias its last column; all in float64 on the CPU.

HEAD_BATCH = 2048


def head_weights(head: nn.Linear) -> Tensor:
    """float64 (classes, d + 1): the weights of a linear layer, its bias the last column."""
    return torch.cat([head.weight, head.bias[:, None]], 1).detach().double().cpu()


@torch.no_grad()
def set_head(head: nn.Linear, weights: Tensor) -> None:
    """The inverse of `head_weights`."""
    head.weight.copy_(weights[:, :-1])
    head.bias.copy_(weights[:, -1])


def with_bias(features: Tensor) -> Tensor:
    """float64 (n, d + 1): the features and a column of ones."""
    return F.pad(features.double(), (0, 1), value=1.0)


def loss_derivatives(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """First and second derivative of cross-entropy by the logits: p - y (n, classes), and
    diag(p) - p p' (n, classes, classes)."""
    p = logits.softmax(1)
    residual = p - F.one_hot(labels, p.shape[1])
    return residual, torch.diag_embed(p) - p[:, :, None] * p[:, None, :]


def head_gradient(weights: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    """Of the summed loss over images with features x (n, d + 1) by the head's weights, in their
    shape."""
    return loss_derivatives(x @ weights.T, labels)[0].T @ x


def head_hessian(
    weights: Tensor, x: Tensor, labels: Tensor, batch_size: int = HEAD_BATCH
) -> Work[Tensor]:
    """Of the summed loss, (q, q) with q = classes (d + 1), in the order of `weights.flatten()`.
    Exact: for a linear layer the Gauss-Newton matrix is the Hessian."""
    classes, d = weights.shape
    found = torch.zeros(classes, d, classes, d, dtype=weights.dtype)
    for some, theirs in zip(x.split(batch_size), labels.split(batch_size), strict=True):  # type: ignore[no-untyped-call]
        curvature = loss_derivatives(some @ weights.T, theirs)[1]
        for c in range(classes):
            rows = (curvature[:, : c + 1, c, None] * some[:, None]).flatten(1)
            found[: c + 1, :, c] += (rows.T @ some).view(c + 1, d, d)
        yield
    for c in range(classes):
        found[c + 1 :, :, c] = found[c, :, c + 1 :].permute(1, 2, 0)
    return found.view(classes * d, classes * d)


def head_steps(images: int, batch_size: int = HEAD_BATCH) -> int:
    """How often `head_hessian` yields."""
    return -(-images // batch_size)


def solve_damped(hessian: Tensor, damping: float, targets: Tensor) -> Tensor:
    """(H + damping I)^-1 targets, H (q, q) positive semi-definite, targets (q, k). Raises Diverged
    where rounding leaves the sum not positive definite."""
    left = hessian.clone()
    left.diagonal().add_(damping)
    factor, failed = torch.linalg.cholesky_ex(left)
    if failed:
        raise Diverged("The curvature cannot be inverted.", "More damping helps.")
    return torch.cholesky_solve(targets, factor)
