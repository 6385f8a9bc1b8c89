"""Fisher's matrix: its Kronecker factors, and the WoodFisher inverse."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.curvature.products import Work, flat
from core.data.images import Images
from core.models.classifier import Classifier
from core.models.precision import training_precision

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
        labels = torch.multinomial(p, 1, generator=generator)[:, 0].to(device)
        loss = F.cross_entropy(logits, labels, reduction="sum") / math.sqrt(len(images) * count)
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
    for i, row_products in enumerate(products):
        gram[i, : i + 1] = gram[: i + 1, i] = torch.tensor(row_products, dtype=torch.float64)
    gram += damping * torch.eye(len(rows), dtype=torch.float64)
    projections = torch.tensor([float(row @ target) for row in rows], dtype=torch.float64)
    solution = target.clone()
    for row, share in zip(rows, torch.linalg.solve(gram, projections).tolist(), strict=True):
        solution.sub_(row, alpha=share)
    return solution.div_(damping)
