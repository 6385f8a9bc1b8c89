"""Unlearning in the last layer: closed forms on ridge regression, and the promised bounds."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import norm
from torch import Tensor

from core.checkpoints.features import features
from core.curvature.head import head_gradient, head_hessian, head_weights, set_head, with_bias
from core.curvature.products import finish
from core.curvature.solvers import solve_damped
from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import Diverged
from core.models.classifier import Classifier
from core.unlearners import head, make
from core.unlearners.base import UnlearningData
from core.unlearners.common.draw import stream
from tests import tiny
from tests.fidelity.test_first_methods import Ridge
from tests.fidelity.test_influence import fitted

DATA = tiny.dataset()
SMALL: dict[str, dict[str, float]] = {
    "newton_head": {"l2": 1e-5},
    "puma": {"l2": 0.1, "scale": 10.0},
    "descent_to_delete": {"l2": 8.0, "iterations": 60},
}
L2, CLASSES = 3.0, 10
MODEL = Ridge().double()
EVERY = with_bias(features(MODEL, tiny.images(DATA)))


def offered(forget: Any = None) -> UnlearningData:
    chosen = split(DATA, ForgetRequest.random(16)).forget if forget is None else np.array(forget)
    retain = np.setdiff1d(np.arange(64), chosen)
    parts: dict[Any, Images] = {
        "retain": tiny.images(DATA, retain),
        "forget": tiny.images(DATA, chosen),
    }
    records: dict[Any, Any] = {"features": functools.partial(features, MODEL)}
    return UnlearningData(parts, "compact", CLASSES, tiny.SHORT, records=records)


DATA_PARTS = offered()
R, S = DATA_PARTS.retain.indices, DATA_PARTS.forget.indices
LABELS = DATA.train_labels


def run(name: str, start: Tensor, data: UnlearningData = DATA_PARTS, **settings: float) -> Tensor:
    """The head's weights afterwards, from a given head."""
    model: Classifier = copy.deepcopy(MODEL)
    set_head(model.head, start)
    list(make(name, settings).run(model, data, torch.Generator().manual_seed(0)))
    return head_weights(model.head)


def ridge(indices: Tensor) -> Tensor:
    """argmin sum |W x - y|^2 / 2 + (L2 / 2) ||W||^2, y one-hot, in closed form."""
    x, y = EVERY[indices], F.one_hot(LABELS[indices], CLASSES).double()
    return torch.linalg.solve(x.T @ x + L2 * torch.eye(x.shape[1]), x.T @ y).T


@pytest.fixture
def squared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the squared error in place of cross-entropy."""

    def derivatives(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        identity = torch.eye(CLASSES, dtype=outputs.dtype).expand(len(outputs), -1, -1)
        return outputs - F.one_hot(labels, CLASSES), identity

    monkeypatch.setattr("core.curvature.head.loss_derivatives", derivatives)


def start() -> Tensor:
    """A head that is no minimum of anything."""
    draw = torch.Generator().manual_seed(0)
    return torch.randn(CLASSES, EVERY.shape[1], dtype=torch.float64, generator=draw)


# Newton removal


@pytest.mark.usefixtures("squared")
def test_newton_removal_is_retraining_on_ridge() -> None:
    whole, expected = ridge(torch.arange(64)), ridge(R)
    newton = run("newton_head", whole, l2=L2)
    assert (newton - expected).abs().max() < 1e-9
    hessian = finish(head_hessian(whole, EVERY, LABELS))
    removed = head_gradient(whole, EVERY[S], LABELS[S])
    influence = whole + solve_damped(hessian, L2, removed.reshape(-1, 1)).view_as(whole)
    distance = [float((w - expected).norm()) for w in (newton, influence, whole)]
    assert distance[0] < 0.01 * distance[1] < 0.01 * distance[2]


@pytest.mark.usefixtures("squared")
@pytest.mark.parametrize("image", [0, 17])
def test_leaving_one_out_on_ridge(image: int) -> None:
    """w + H^-1 x (x'w - y) / (1 - h), h = x' H^-1 x, and that is retraining without it."""
    whole, x = ridge(torch.arange(64)), EVERY[image]
    inverse = torch.linalg.inv(EVERY.T @ EVERY + L2 * torch.eye(len(x)))
    wrong = whole @ x - F.one_hot(LABELS[image], CLASSES)
    expected = whole + torch.outer(wrong, inverse @ x) / (1 - x @ inverse @ x)
    found = run("newton_head", whole, offered([image]), l2=L2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    rest = torch.arange(64)[torch.arange(64) != image]
    torch.testing.assert_close(found, ridge(rest), rtol=0, atol=1e-10)


def test_newton_removal_on_softmax_regression() -> None:
    """From the minimum on all images, one step all but reaches the minimum without one of them, and
    most of the way without sixteen."""
    whole = fitted(EVERY, LABELS, L2, CLASSES)
    for forget, left in (([5], 0.1), (None, 0.35)):
        data = offered(forget)
        keep = data.retain.indices
        goal = fitted(EVERY[keep], LABELS[keep], L2, CLASSES)
        found = run("newton_head", whole, data, l2=L2)
        assert (found - goal).norm() < left * (whole - goal).norm()


def test_a_head_that_is_no_minimum() -> None:
    """With the linear term that makes W0 the minimum on all images, the gradient on R at W0 is that
    of F, reversed: the step is Newton's for the objective with that term."""
    w0 = start()
    slope = -head_gradient(w0, EVERY, LABELS) - L2 * w0
    gradient = head_gradient(w0, EVERY[R], LABELS[R]) + L2 * w0 + slope
    hessian = finish(head_hessian(w0, EVERY[R], LABELS[R])) + L2 * torch.eye(w0.numel())
    expected = w0 - torch.linalg.solve(hessian, gradient.flatten()).view_as(w0)
    torch.testing.assert_close(run("newton_head", w0, l2=L2), expected)


def test_a_head_that_is_not_numbers() -> None:
    with pytest.raises(Diverged, match="L2 penalty"):
        head._put(copy.deepcopy(MODEL), torch.full_like(start(), float("nan")))


# PUMA


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_puma_holds_the_criterion(ridge: float) -> None:
    """To first order the held-out loss moves by ridge / (1 + ridge) of what plain influence would
    move it; and the step is that of the ridge problem solved in full."""
    w0 = start()
    order = torch.randperm(len(R), generator=stream(torch.Generator().manual_seed(0), "held out"))
    held, rest = R[order[:12]], R[order[12:]]
    hessian = finish(head_hessian(w0, EVERY, LABELS)) + L2 * torch.eye(w0.numel())
    inverse = torch.linalg.inv(hessian)
    removed = head_gradient(w0, EVERY[S], LABELS[S]).flatten()
    quality = head_gradient(w0, EVERY[held], LABELS[held]).flatten() / len(held)
    each = torch.stack([head_gradient(w0, EVERY[i, None], LABELS[i, None]).flatten() for i in rest])
    moves = each @ inverse @ quality
    left = torch.outer(moves, moves) + ridge * moves.square().sum() * torch.eye(len(rest))
    weights = torch.linalg.pinv(left) @ (moves * (quality @ inverse @ removed))
    expected = w0 + (inverse @ (removed - each.T @ weights)).view_as(w0)
    found = run("puma", w0, l2=L2, ridge=ridge, held_out=0.25, scale=1.0)
    torch.testing.assert_close(found, expected)
    plain = quality @ inverse @ removed
    assert plain.abs() > 1e-3
    torch.testing.assert_close(
        quality @ (found - w0).flatten(), ridge / (1 + ridge) * plain, rtol=1e-6, atol=1e-9
    )


# Descent-to-Delete


def retrained() -> Tensor:
    """The minimum of J_R over centred features, its bias for the features as they are."""
    x = EVERY[R].clone()
    centre = x[:, :-1].mean(0)
    x[:, :-1] -= centre
    found = fitted(x, LABELS[R], L2, CLASSES)
    found[:, -1] -= found[:, :-1] @ centre
    return found


def centred_distance(a: Tensor, b: Tensor) -> float:
    move = (a - b).clone()
    move[:, -1] += move[:, :-1] @ EVERY[R][:, :-1].mean(0)
    return float(move.norm())


def test_descent_contracts_as_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """((L - mu) / (L + mu))^T, and the distance that the noise is scaled by is an upper bound."""
    given: list[float] = []

    def no_noise(distance: float, epsilon: float, delta: float) -> float:
        given.append(distance)
        return 0.0

    monkeypatch.setattr(head, "noise_scale", no_noise)
    w0, goal = start(), retrained()
    x = EVERY[R][:, :-1] - EVERY[R][:, :-1].mean(0)
    # The column of ones is at right angles to centred features: its eigenvalue is their number.
    largest = max(float(torch.linalg.svdvals(x)[0]) ** 2, len(R))
    gamma = (largest / 2) / (largest / 2 + 2 * L2)
    assert 0.1 < gamma < 0.95
    distance = [centred_distance(w0, goal)]
    for iterations in (3, 10, 30):
        found = run("descent_to_delete", w0, iterations=iterations, l2=L2)
        distance.append(centred_distance(found, goal))
        assert distance[-1] <= gamma**iterations * distance[0] * (1 + 1e-9)
        assert distance[-1] <= given[-1] <= 5 * gamma**iterations * distance[0]
    assert distance == sorted(distance, reverse=True)


def test_the_contraction_on_a_quadratic() -> None:
    """At rate 2 / (L + mu) the steepest and the flattest direction shrink alike, by gamma."""
    convex, smooth = 0.5, 8.0
    for curvature_along in (convex, smooth):
        left = abs(1 - 2 / (smooth + convex) * curvature_along)
        assert left == pytest.approx(head.contraction(smooth, convex))


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("delta", [1e-5, 0.01])
def test_the_noise_hides_the_distance(epsilon: float, delta: float) -> None:
    """Against the exact curve of two Gaussians (Balle & Wang 2018): the promise holds, and with
    four times less noise it would not."""

    def broken(sigma: float) -> float:
        a, b = 0.3 / (2 * sigma), epsilon * sigma / 0.3
        return float(norm.cdf(a - b) - np.exp(epsilon) * norm.cdf(-a - b))

    sigma = head.noise_scale(0.3, epsilon, delta)
    assert broken(sigma) <= delta
    assert broken(sigma / 4) > delta
    assert head.noise_scale(0.6, epsilon, delta) == pytest.approx(2 * sigma)


def test_the_noise_is_on_every_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    w0 = start()
    noisy = run("descent_to_delete", w0, iterations=20, l2=L2)
    plain = noisy.clone()
    sigmas: list[float] = []
    scale = head.noise_scale

    def keep(*arguments: float) -> float:
        sigmas.append(scale(*arguments))
        return 0.0

    monkeypatch.setattr(head, "noise_scale", keep)
    plain = run("descent_to_delete", w0, iterations=20, l2=L2)
    noise = noisy - plain
    noise[:, -1] += noise[:, :-1] @ EVERY[R][:, :-1].mean(0)
    assert float(noise.std() / sigmas[0]) == pytest.approx(1, abs=0.25)
    assert (noise != 0).all()
