"""Solves linear systems in the curvature: conjugate gradients, and directly with damping."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.curvature.products import Work
from core.errors import Diverged


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


def solve_damped(hessian: Tensor, damping: float, targets: Tensor) -> Tensor:
    """(H + damping I)^-1 targets, H (q, q) positive semi-definite, targets (q, k). Raises Diverged
    where rounding leaves the sum not positive definite."""
    left = hessian.clone()
    left.diagonal().add_(damping)
    factor, failed = torch.linalg.cholesky_ex(left)
    if failed:
        raise Diverged("The curvature cannot be inverted.", "More damping helps.")
    return torch.cholesky_solve(targets, factor)
