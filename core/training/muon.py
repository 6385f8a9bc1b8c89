"""Muon, an optimiser for kernels: steps of momentum whose singular values are made alike.

Jordan et al. 2024 (kellerjordan.github.io/posts/muon), as their CIFAR-10 networks use it
(github.com/KellerJordan/cifar10-airbench): three iterations, and before each step every kernel goes
back to the norm sqrt(out channels). `torch.optim.Muon` takes matrices alone, makes five iterations
and keeps no norm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of x, x^3 and x^5: they rise steepest at 0 and end near 1, not at it."""


ITERATIONS = 3


def orthogonalised(matrix: Tensor) -> Tensor:
    """The matrix (m, n) with each singular value s replaced by one that mostly lies between .5 and
    1.5, unless it was less than a hundredth of all: a Newton-Schulz iteration in float32."""
    a, b, c = COEFFICIENTS
    x: Tensor = matrix.float()
    x = x / (x.norm() + 1e-7)
    tall = len(x) > x.shape[1]
    x = x.T if tall else x
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """With Nesterov momentum: M <- momentum M + G, W <- sqrt(out) W / |W| - lr O(G + momentum M),
    where O is `orthogonalised` of a kernel (out, in, h, w) as a matrix (out, in h w)."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step on the gradients that are there. closure: none is taken."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        momentum = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        direction = gradient.add(momentum, alpha=group["momentum"])
        weight.mul_(len(weight) ** 0.5 / weight.norm())
        weight.sub_(group["lr"] * orthogonalised(direction.flatten(1)).view(weight.shape))
