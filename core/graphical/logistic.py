"""Softmax regression on pixels: no sums to take away from, but one minimum, wherever one starts.

J_S(W) = sum_S CE(W x, y) + (lambda / 2) ||W||^2 over images S, x the pixels from 0 to 1 and a 1 for
the bias: strongly convex. Its derivatives are those of a network's last layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.attacks.probabilities import log_probabilities
from core.curvature.head import head_gradient, head_hessian, with_bias
from core.curvature.products import finish
from core.curvature.solvers import solve_damped
from core.data.digits import GREYS
from core.graphical.model import Floats, Model, Rows
from core.unlearners.head import contraction, noise_scale

PENALTY = 10.0
"""lambda, once for all images."""
CLOSE = 1e-9
"""The gradient's norm at the minimum."""
MOST = 50
"""Newton steps at most."""


@dataclass(frozen=True, eq=False)
class Logistic(Model):
    """weights: float64 (C, 65), the bias last. steps: of Newton's method that it took."""

    weights: Tensor
    steps: int = 0

    name, label = "logistic", "Logistic regression"
    sentence = "Weighs every pixel for every digit; the weights are the best of all for its images."

    @classmethod
    def fit(cls, rows: Rows, classes: int, seed: int = 0) -> Self:
        """The minimum on these rows, by Newton's method with steps halved where they overshoot."""
        x, y = _inputs(rows)
        weights = torch.zeros(classes, x.shape[1], dtype=x.dtype)
        for step in range(MOST):
            gradient = head_gradient(weights, x, y) + PENALTY * weights
            if float(gradient.norm()) < CLOSE:
                return cls(weights, step)
            full, size = _newton(weights, x, y, gradient), 1.0
            value = _objective(weights, x, y)
            while size > 1e-6 and _objective(weights - size * full, x, y) > value + 1e-9:
                size /= 2
            weights = weights - size * full
        return cls(weights, MOST)

    @property
    def classes(self) -> int:
        return len(self.weights)

    @property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        return {"weights": self.weights.numpy()}

    def scores(self, x: NDArray[Any]) -> Floats:
        """log p(class | x)."""
        pixels = with_bias(_scaled(x))
        return log_probabilities((pixels @ self.weights.T).numpy())

    def moved(self, forget: Rows, curved_by: Rows) -> Self:
        """W + (H + lambda I)^-1 sum_F g, with the gradients of the images to forget at W.

        H of all images is the influence function's step (Koh & Liang, ICML 2017); H of those to
        keep is Newton's on J_R (Guo et al., ICML 2020).
        """
        removed = head_gradient(self.weights, *_inputs(forget))
        step = _newton(self.weights, *_inputs(curved_by), removed)
        return type(self)(self.weights + step)

    def descended(
        self, retain: Rows, iterations: int, epsilon: float, delta: float, seed: int
    ) -> Self:
        """Descent-to-Delete (Neel, Roth & Sharifi-Malvajerdi, ALT 2021): gradient descent on J_R
        from here, then noise that makes it (epsilon, delta)-indistinguishable from the minimum on R
        with the same noise; see `core.unlearners.head.DescentToDelete`."""
        x, y = _inputs(retain)
        smooth = PENALTY + float(torch.linalg.eigvalsh(x.T @ x)[-1]) / 2
        weights = self.weights
        for _ in range(iterations):
            gradient = head_gradient(weights, x, y) + PENALTY * weights
            weights = weights - 2 / (smooth + PENALTY) * gradient
        shrunk = contraction(smooth, PENALTY) ** iterations
        distance = shrunk / (1 - shrunk) * float((weights - self.weights).norm())
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(weights.shape, generator=generator, dtype=weights.dtype)
        return type(self)(weights + noise_scale(distance, epsilon, delta) * noise)


def _scaled(x: NDArray[Any]) -> Tensor:
    """Pixels from 0 to 1, float64."""
    return torch.from_numpy(x.astype(np.float64) / (GREYS - 1))


def _inputs(rows: Rows) -> tuple[Tensor, Tensor]:
    return with_bias(_scaled(rows.x)), torch.from_numpy(rows.labels)


def _objective(weights: Tensor, x: Tensor, y: Tensor) -> float:
    loss = nn.functional.cross_entropy(x @ weights.T, y, reduction="sum")
    return float(loss + PENALTY / 2 * weights.square().sum())


def _newton(weights: Tensor, x: Tensor, y: Tensor, gradient: Tensor) -> Tensor:
    """(H + lambda I)^-1 gradient, H of the summed loss on these rows."""
    hessian = finish(head_hessian(weights, x, y))
    return solve_damped(hessian, PENALTY, gradient.reshape(-1, 1)).view(gradient.shape)
