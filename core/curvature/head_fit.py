"""The last layer at its optimum, what each training image did to it, and what it would be without
some of them.

Over fixed features x with a 1 for the bias, J_S(W) = sum_S CE(W x, y) + (l2 / 2) ||W||^2 is
strictly convex: it has one minimum, whatever it is fitted from, and that of J without an image is
what leaving it out leads to. So here the influence function (equation 2.1,
`core.curvature.influence`) can be checked: what it predicts of a test loss is the first-order part
of what refitting finds.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.curvature import head
from core.curvature.head import HEAD_BATCH, head_gradient, head_hessian, head_steps, with_bias
from core.curvature.influence import head_gradients, influence_along
from core.curvature.products import Work, numbered, yielding
from core.curvature.solvers import Anderson, conjugate_gradients, damped_factor
from core.errors import Diverged

CONVERGED = 1e-7
"""A head is fitted where its gradient is so small a share of l2 (1 + ||W||): ||gradient|| / l2
bounds how far it still is from the minimum."""
SAMPLE = 10_000
"""So many images give the curvature that the first fit is preconditioned with."""
MOST_STEPS = 60
MEMORY = 6
"""So many earlier steps are looked back on where a head is refitted."""


@dataclass(frozen=True)
class FittedHead:
    """The minimum of J on n images.

    weights: float64 (classes, d + 1), the bias last. x: float64 (n, d + 1), labels: (n,), those it
    is fitted to. factor: of the Hessian of J at the minimum, (q, q) with q = classes (d + 1); its
    products are in float32, so it is a first step to what is solved with it, never the last.
    """

    weights: Tensor
    x: Tensor
    labels: Tensor
    l2: float
    factor: Tensor

    def influence(self, features: Tensor, labels: Tensor) -> Work[NDArray[np.float64]]:
        """float64 (n, t): the influence of each image on the loss of each of t test images with
        these features (t, d), to the precision of float64: leaving image i out moves the loss by
        about -influence[i]."""
        gradients = head_gradients(self.weights, with_bias(features), labels)
        p = (self.x @ self.weights.T).softmax(1)
        directions = []
        for gradient in gradients.unbind(1):
            direction = yield from conjugate_gradients(
                functools.partial(_product, self.x, p),
                gradient,
                self.l2,
                iterations=20,
                tolerance=1e-9,
                precondition=self._solve,
            )
            directions.append(direction)
        return influence_along(torch.stack(directions, 1), self.weights, self.x, self.labels)

    def _solve(self, target: Tensor) -> Tensor:
        found: Tensor = torch.cholesky_solve(target[:, None], self.factor)[:, 0]
        return found

    def without(
        self, sets: Sequence[NDArray[np.int64]]
    ) -> Generator[tuple[int, int], None, Tensor]:
        """float64 (k, classes, d + 1): the head refitted without the images of each of k sets, to
        convergence. sets: positions among the n images. Yields (done, total) batches, the total
        growing where it takes more steps than usual. Raises Diverged where it does not converge.

        Newton's method with the curvature of all images in place of those left, which falls short
        by what the others' curvature is; Anderson's acceleration (J. ACM 1965) makes up for it.
        """
        k, usual = len(sets), 8
        found = self.weights.expand(k, -1, -1).clone()
        passes = head_steps(len(self.x))
        anderson = Anderson(MEMORY)
        for step in range(MOST_STEPS):
            total = max(usual, step + 1) * passes
            gradients = yield from numbered(self._gradients(found, sets), step * passes, total)
            if _converged(gradients, found, self.l2):
                return found
            away = torch.cholesky_solve(gradients.view(k, -1).T, self.factor)
            found = anderson.next(found.view(k, -1), -away.T).view_as(found)
        raise Diverged("The last layer could not be refitted.", "A larger L2 penalty helps.")

    def _gradients(self, weights: Tensor, sets: Sequence[NDArray[np.int64]]) -> Work[Tensor]:
        """Of J without each set, at the weights (k, classes, d + 1) that belong to it."""
        k, classes, d = weights.shape
        gradients = self.l2 * weights
        for x, y in _batches(self.x, self.labels):
            p = (x @ weights.view(-1, d).T).view(-1, k, classes).softmax(2)
            p[torch.arange(len(y)), :, y] -= 1
            gradients += (p.view(len(y), -1).T @ x).view_as(weights)
            yield
        for j, chosen in enumerate(sets):
            some = torch.from_numpy(np.asarray(chosen))
            gradients[j] -= head_gradient(weights[j], self.x[some], self.labels[some])
        return gradients


def losses_of_heads(weights: Tensor, features: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """float64 (k, t): the cross-entropy of t images with features (t, d) under each of k heads
    (k, classes, d + 1)."""
    logits = torch.einsum("td,kcd->ktc", with_bias(features), weights)
    losses = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(weights)), reduction="none")
    found: NDArray[np.float64] = losses.view(len(weights), -1).numpy()
    return found


def fit_head(
    features: Tensor, labels: Tensor, l2: float, start: Tensor
) -> Generator[tuple[int, int], None, FittedHead]:
    """The minimum of J on all these images, and its curvature. features: (n, d). l2: above 0.
    start: (classes, d + 1). Yields (done, total) batches, the total growing where it takes more
    steps than usual. Raises Diverged where no minimum is found.

    Newton's method, its systems solved by conjugate gradients (`SAMPLE` images give the
    preconditioner), and a step halved until the objective falls. Then once the Hessian of all.
    """
    x, y = with_bias(features), labels.long()
    weights = start.double().clone()
    steps = head_steps(len(x))
    count, usual = itertools.count(1), 40

    def progress() -> tuple[int, int]:
        done = next(count)
        return done, max(usual, done) + steps

    weights = yield from yielding(_minimise(x, y, l2, weights), progress)
    done = next(count) - 1
    hessian = yield from numbered(_rough_hessian(weights, x, y), done, done + steps)
    return FittedHead(weights, x, y, l2, damped_factor(hessian, l2))


def _rough_hessian(weights: Tensor, x: Tensor, y: Tensor) -> Work[Tensor]:
    """Of the summed loss, its products in float32, which takes half as long."""
    return (yield from head_hessian(weights.float(), x.float(), y)).double()


def _minimise(x: Tensor, y: Tensor, l2: float, weights: Tensor) -> Work[Tensor]:
    """From these weights to the minimum of J. Yields once a pass over the images."""
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:SAMPLE]
    sampled = yield from _rough_hessian(weights, x[some], y[some])
    factor = damped_factor(sampled * (len(x) / len(some)), l2)
    value, gradient = _objective(x, y, l2, weights)
    for _ in range(MOST_STEPS):
        if _converged(gradient, weights, l2):
            return weights
        p = (x @ weights.T).softmax(1)

        step = yield from conjugate_gradients(
            functools.partial(_product, x, p),
            gradient.flatten(),
            l2,
            iterations=50,
            tolerance=1e-3,
            precondition=lambda r: torch.cholesky_solve(r[:, None], factor)[:, 0],
        )
        length, slope = 1.0, float(step @ gradient.flatten())
        while length > 1e-6:
            tried = weights - length * step.view_as(weights)
            now, its_gradient = _objective(x, y, l2, tried)
            yield
            if now <= value - 1e-4 * length * slope + 1e-12 * abs(value):
                break
            length /= 2
        weights, value, gradient = tried, now, its_gradient
    raise Diverged("The last layer could not be fitted.", "A larger L2 penalty helps.")


def _product(x: Tensor, p: Tensor, direction: Tensor) -> Work[Tensor]:
    """The Hessian of the summed loss where the images have probabilities p (n, classes), times a
    direction (q,)."""
    change = x @ direction.view(p.shape[1], -1).T
    curved = p * (change - (p * change).sum(1, keepdim=True))
    yield
    return (curved.T @ x).flatten()


def _objective(x: Tensor, y: Tensor, l2: float, weights: Tensor) -> tuple[float, Tensor]:
    """J and its gradient."""
    logits = x @ weights.T
    value = F.cross_entropy(logits, y, reduction="sum") + l2 / 2 * weights.square().sum()
    return float(value), head.loss_derivatives(logits, y)[0].T @ x + l2 * weights


def _converged(gradients: Tensor, weights: Tensor, l2: float) -> bool:
    """Of one head, or of each of several."""
    sizes = gradients.flatten(-2).norm(dim=-1)
    scale = l2 * (1 + weights.flatten(-2).norm(dim=-1))
    return bool((sizes <= CONVERGED * scale).all())


def _batches(x: Tensor, y: Tensor) -> zip[tuple[Tensor, Tensor]]:
    return zip(x.split(HEAD_BATCH), y.split(HEAD_BATCH), strict=True)  # type: ignore[no-untyped-call]
