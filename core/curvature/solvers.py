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
    precondition: Callable[[Tensor], Tensor] = lambda residual: residual,
) -> Work[Tensor]:
    """x with (H + damping I) x = target, H positive semi-definite and known by its products.

    Hestenes & Stiefel 1952. Ends early once the residual is `tolerance` times the target.
    precondition: gives a residual times the inverse of some matrix near H + damping I.
    """
    x = torch.zeros_like(target)
    residual = target.clone()
    direction = precondition(residual).clone()
    size = residual @ direction
    goal = tolerance**2 * float(target @ target)
    for _ in range(iterations):
        if float(residual @ residual) <= goal:
            break
        curved = yield from product(direction)
        curved += damping * direction
        length = size / (direction @ curved)
        x += length * direction
        residual -= length * curved
        towards = precondition(residual)
        before, size = size, residual @ towards
        direction = towards + size / before * direction
    return x


def solve_damped(hessian: Tensor, damping: float, targets: Tensor) -> Tensor:
    """(H + damping I)^-1 targets, H (q, q) positive semi-definite, targets (q, k). Raises Diverged
    where rounding leaves the sum not positive definite."""
    solution: Tensor = torch.cholesky_solve(targets, damped_factor(hessian, damping))
    return solution


def damped_factor(hessian: Tensor, damping: float) -> Tensor:
    """The Cholesky factor of H + damping I, (q, q), for `torch.cholesky_solve`. Raises Diverged as
    `solve_damped` does."""
    left = hessian.clone()
    left.diagonal().add_(damping)
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(left)
    if failed:
        raise Diverged("The curvature cannot be inverted.", "More damping helps.")
    return factor


class Anderson:
    """Anderson's acceleration of k fixed-point iterations x <- x + step(x) side by side: the next
    points are those at which, to first order, the steps would vanish as nearly as the last `memory`
    of them allow (Walker & Ni, SIAM J. Numer. Anal. 2011)."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._points: list[Tensor] = []
        self._steps: list[Tensor] = []

    def next(self, points: Tensor, steps: Tensor) -> Tensor:
        """The next points (k, q), from the last ones and the steps (k, q) that were found there."""
        self._points = [*self._points[-self._memory :], points]
        self._steps = [*self._steps[-self._memory :], steps]
        if len(self._steps) == 1:
            return points + steps
        changes = torch.stack(self._steps, 2).diff(dim=2)
        moves = torch.stack(self._points, 2).diff(dim=2)
        gram = changes.mT @ changes
        # Steps that point the same way say nothing new: a little of the diagonal leaves them out.
        gram.diagonal(dim1=1, dim2=2).mul_(1 + 1e-10).add_(torch.finfo(gram.dtype).tiny)
        shares = torch.linalg.solve(gram, changes.mT @ steps[:, :, None])
        following: Tensor = points + steps - ((moves + changes) @ shares)[:, :, 0]
        return following
