"""Unlearning in the last layer alone: softmax regression on features that stay as they are.

With x the features of the original model and a 1 for the bias, W (classes, d + 1) the head, the
objective of a set S is J_S(W) = sum_S CE(W x, y) + (lambda / 2) ||W||^2: a sum, so that lambda
means the same however many images are left.

The original head was trained with the network, on augmented images and without this penalty: it is
not the minimum of J_D, D all training images. Newton removal and PUMA give the objective a linear
term b'W whose slope b = -grad J_D(W0) makes W0 its minimum on D (Guo et al. have such a term too,
a random one): so taking away no image changes nothing, and what changes is F's doing. The gradient
on R at W0 then is -sum_F g, and needs no pass over R. b itself goes back to all images, F too: that
is not forgotten. Descent-to-Delete has no such term: its promise is about the minimum of J_R.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from core.curvature import head
from core.curvature.head import (
    HEAD_BATCH,
    head_gradient,
    head_hessian,
    head_steps,
    head_weights,
    set_head,
    with_bias,
)
from core.curvature.solvers import solve_damped
from core.data.images import Images
from core.errors import Diverged
from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.counting import Counted
from core.unlearners.common.draw import stream
from core.unlearners.common.parameters import strength

Rows = tuple[Tensor, Tensor]
"""Features with a 1 for the bias, float64 (n, d + 1), and labels (n,)."""


def _penalty() -> float:
    help = "Ties the last layer to small weights, once for all images: smaller steps further."
    return parameter(1.0, "L2 penalty", help, 1e-8, 1e6, log=True)


@dataclass(frozen=True)
class NewtonHead(Unlearner):
    """W <- W0 + (H_R + lambda I)^-1 sum_F g: one Newton step on R's objective, H_R the Hessian of
    the summed loss on R at W0. Exact for a quadratic loss."""

    name, label, group = "newton_head", "Newton removal (last layer)", "second-order"
    precision = "float32"  # that of the stored features
    needs = frozenset({"retain", "forget", "features"})
    draws = False
    sentence = (
        "Computes in one step how the last layer would have come out without the images to "
        "forget. Quick and gentle, but all earlier layers still remember."
    )
    paper = "Guo et al., ICML 2020, arXiv 1911.03030 (certified removal)"

    l2: float = _penalty()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        retain, forget = _rows(data, data.retain), _rows(data, data.forget)
        weights = head_weights(model.head)
        counted = Counted(head_steps(len(retain[1])) + 2)
        gradient = head_gradient(weights, *forget)
        yield counted.step("gradient")
        hessian = yield from counted.through(head_hessian(weights, *retain))
        _put(model, weights + _solve(hessian, self.l2, gradient))
        yield counted.step()


@dataclass(frozen=True)
class Puma(Unlearner):
    """W <- W0 + s (H_D + lambda I)^-1 (sum_F g_i - sum_V w_j g_j), the influence function's step
    for taking F away and giving images j of R more weight w_j; s = 1 in theory.

    The criterion C that must not move is the mean loss on a part H of R that is held out; V is the
    rest of R. With c = (H_D + lambda I)^-1 grad C and a_j = g_j' c, C moves by a_F - w'a to first
    order, a_F = c' sum_F g; w minimises (a_F - w'a)^2 + ridge ||a||^2 ||w||^2, so
    w = a_F a / ((1 + ridge) ||a||^2), and ridge / (1 + ridge) of the move remains.
    """

    name, label, group = "puma", "PUMA (last layer)", "second-order"
    precision = "float32"  # that of the stored features
    needs = frozenset({"retain", "forget", "features"})
    sentence = (
        "Removes the influence of the images to forget from the last layer and gives other images "
        "a little more weight, so that quality stays. Earlier layers still remember."
    )
    paper = "Wu, Hashemi & Srinivasa, AAAI 2022, arXiv 2203.00846"

    l2: float = _penalty()
    ridge: float = parameter(
        0.01,
        "Ridge",
        "How freely other images are given more weight: 0 holds the quality exactly.",
        0,
        100,
    )
    held_out: float = parameter(
        0.1, "Held-out share", "Share of the images to keep that quality is measured on.", 0.01, 0.5
    )
    scale: float = strength()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        retain, forget = _rows(data, data.retain), _rows(data, data.forget)
        weights = head_weights(model.head)
        n = len(retain[1])
        order = torch.randperm(n, generator=stream(generator, "held out"))
        split = min(n - 1, max(1, round(self.held_out * n)))
        held, rest = order[:split], order[split:]
        counted = Counted(head_steps(n) + head_steps(len(forget[1])) + 1)
        hessian = yield from counted.through(head_hessian(weights, *retain))
        hessian += yield from counted.through(head_hessian(weights, *forget))
        removed = head_gradient(weights, *forget)
        quality = head_gradient(weights, retain[0][held], retain[1][held]) / split
        along = _solve(hessian, self.l2, quality)
        x, y = retain[0][rest], retain[1][rest]
        residual = head.loss_derivatives(x @ weights.T, y)[0]
        shifts = (residual * (x @ along.T)).sum(1)
        share = (along * removed).sum() / ((1 + self.ridge) * shifts.square().sum())
        added = (residual * (share * shifts)[:, None]).T @ x
        _put(model, weights + self.scale * _solve(hessian, self.l2, removed - added))
        yield counted.step()


@dataclass(frozen=True)
class DescentToDelete(Unlearner):
    """`iterations` steps of gradient descent on J_R from W0, at rate 2 / (L + mu), then Gaussian
    noise on every weight of the head.

    J_R is mu-strongly convex and L-smooth: mu = lambda and L = lambda + (largest eigenvalue of
    sum_R x x') / 2, since diag(p) - p p' is at most I / 2. Each step brings W nearer to the minimum
    W* by gamma = (L - mu) / (L + mu) at least, so after T of them it is no further than

        D = gamma^T ||W0 - W*|| <= gamma^T / (1 - gamma^T) ||W0 - W_T||,

    the triangle inequality taking the place of the unknown minimum: nothing is assumed of W0.
    Noise of sigma = D / (sqrt 2 (sqrt(log(1 / delta) + epsilon) - sqrt(log(1 / delta)))) makes the
    head (epsilon, delta)-indistinguishable from W* with the same noise, the head retrained on R
    (over the same features: these still remember).

    x are the features less their mean over R, the bias making up for it: the minimum then is better
    conditioned, and the penalty is on the bias as it is there.
    """

    name, label, group = "descent_to_delete", "Descent-to-Delete (last layer)", "second-order"
    precision = "float32"  # that of the stored features
    needs = frozenset({"retain", "features"})
    sentence = (
        "Trains the last layer on the images to keep, then hides what is left of the others "
        "under noise, with a mathematical guarantee for that layer. Earlier layers still remember."
    )
    paper = "Neel, Roth & Sharifi-Malvajerdi, ALT 2021, arXiv 2007.02923"

    iterations: int = parameter(
        400,
        "Steps",
        "Passes over the stored features; more need less noise.",
        3,
        5000,
        log=True,
    )
    l2: float = parameter(
        2000.0,
        "L2 penalty",
        "Ties the last layer to small weights: more makes the steps count more.",
        1e-3,
        1e6,
        log=True,
    )
    epsilon: float = parameter(
        1.0,
        "Epsilon",
        "How far apart retrained and unlearned may be told: smaller is stricter, and noisier.",
        0.01,
        100,
        log=True,
    )
    delta: float = parameter(
        1e-5, "Delta", "The chance that the promise fails.", 1e-12, 0.1, log=True
    )

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        x, y = _rows(data, data.retain)
        centre = x[:, :-1].mean(0)
        x[:, :-1] -= centre
        weights = head_weights(model.head)
        weights[:, -1] += weights[:, :-1] @ centre
        start = weights.clone()
        smooth = self.l2 + float(torch.linalg.eigvalsh(x.T @ x)[-1]) / 2
        counted = Counted(self.iterations * head_steps(len(y)) + 1)
        for _ in range(self.iterations):
            gradient = self.l2 * weights
            parts = zip(x.split(HEAD_BATCH), y.split(HEAD_BATCH), strict=True)  # type: ignore[no-untyped-call]
            for batch, batch_labels in parts:
                gradient += head_gradient(weights, batch, batch_labels)
                yield counted.step("descent")
            weights = weights - 2 / (smooth + self.l2) * gradient
        shrunk = contraction(smooth, self.l2) ** self.iterations
        distance = shrunk / (1 - shrunk) * float((weights - start).norm())
        sigma = noise_scale(distance, self.epsilon, self.delta)
        noise = torch.randn(weights.shape, generator=stream(generator, "noise"), dtype=x.dtype)
        weights = weights + sigma * noise
        weights[:, -1] -= weights[:, :-1] @ centre
        _put(model, weights)
        yield counted.step("noise")


def contraction(smooth: float, convex: float) -> float:
    """(L - mu) / (L + mu): how much nearer one step of gradient descent at rate 2 / (L + mu) comes
    to the minimum of an L-smooth, mu-strongly convex function."""
    return (smooth - convex) / (smooth + convex)


def noise_scale(distance: float, epsilon: float, delta: float) -> float:
    """The sigma for which two Gaussians whose means are `distance` apart are
    (epsilon, delta)-indistinguishable, by their Renyi divergence (Bun & Steinke 2016)."""
    log = math.log(1 / delta)
    return distance / (math.sqrt(2) * (math.sqrt(log + epsilon) - math.sqrt(log)))


def _rows(data: UnlearningData, part: Images) -> Rows:
    return with_bias(data.features(part)), part.labels[part.indices]


def _solve(hessian: Tensor, l2: float, target: Tensor) -> Tensor:
    """(H + l2 I)^-1 target, the target in the shape of the head's weights."""
    return solve_damped(hessian, l2, target.reshape(-1, 1)).view(target.shape)


def _put(model: Classifier, weights: Tensor) -> None:
    """Raises Diverged where the head would no longer be numbers."""
    if not weights.isfinite().all():
        raise Diverged("The last layer is no longer numbers.", "A larger L2 penalty helps.")
    set_head(model.head, weights)
