"""l1-sparse: the penalty as a proximal step, against the lasso's optimality conditions."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.unlearners import fine_tune, l1_sparse, make
from core.unlearners.base import Step, UnlearningData
from core.unlearners.common import descent
from core.unlearners.common.draw import stream
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {"l1_sparse": {"epochs": 10, "batch_size": 16, "learning_rate": 0.5, "gamma": 1e-3}}
STEPS: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def offered() -> UnlearningData:
    return UnlearningData({"retain": tiny.images(DATA, PARTS.retain)}, "compact", 10, tiny.SHORT)


def unlearn(name: str, model: Classifier, **settings: float) -> tuple[Classifier, list[Step]]:
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    return model, list(make(name, settings).run(model, offered(), generator))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_without_a_penalty_it_is_fine_tuning(base: Classifier, momentum: float) -> None:
    plain = unlearn("fine_tune", base, momentum=momentum, **STEPS)
    sparse = unlearn("l1_sparse", base, momentum=momentum, gamma=0, **STEPS)
    assert tiny.same(plain[0], sparse[0])
    assert plain[1] == sparse[1]


def test_it_is_sgd_and_soft_thresholding(base: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out once more: sign(theta) max(|theta| - s gamma_t, 0), gamma_t falling linearly."""
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")
    found, steps = unlearn("l1_sparse", base, gamma=0.01, **STEPS)
    model = copy.deepcopy(base).train()
    order = stream(torch.Generator().manual_seed(0), "retain")
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    kept = torch.from_numpy(PARTS.retain)
    chosen = [b for _ in range(2) for b in torch.randperm(48, generator=order).split(16)]
    for step, positions in enumerate(chosen):
        eta = 0.025 * (1 + np.cos(np.pi * step / 6))
        optimiser.param_groups[0]["lr"] = eta
        at = kept[positions]
        optimiser.zero_grad()
        F.cross_entropy(model(DATA.train_images[at]), DATA.train_labels[at]).backward()
        optimiser.step()
        threshold = eta / (1 - 0.9) * 0.01 * (1 - step / 6)
        with torch.no_grad():
            for weight in model.parameters():
                weight.copy_(weight.sign() * (weight.abs() - threshold).clamp(min=0))
    assert len(steps) == len(chosen) == 6
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_the_penalty_falls_linearly_to_nothing() -> None:
    shares = [l1_sparse.linear_decay(done, 5) for done in range(6)]
    np.testing.assert_allclose(shares, [1, 0.8, 0.6, 0.4, 0.2, 0], atol=1e-12)


def test_it_sets_weights_to_exactly_zero(base: Classifier) -> None:
    def zeros(model: Classifier) -> float:
        weights = torch.cat([weight.detach().flatten() for weight in model.parameters()])
        return float((weights == 0).float().mean())

    shares = [zeros(unlearn("l1_sparse", base, gamma=g, **STEPS)[0]) for g in (0, 0.003, 0.03, 1)]
    assert shares[0] < 0.004 < shares[1] < shares[2] < 0.99 < shares[3]


class Regression(Classifier):
    """Linear regression on a few well-conditioned numbers of each image."""

    def __init__(self, dimensions: int = 6) -> None:
        super().__init__()
        self.head = nn.Linear(dimensions, 10)
        draw = torch.Generator().manual_seed(0)
        self.look = torch.randn(3 * 32 * 32, dimensions, dtype=torch.float64, generator=draw) / 55

    def features(self, images: Tensor) -> Tensor:
        return self.normalise(images).flatten(1).double() @ self.look


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("gamma", [0.03, 0.06])
def test_with_a_constant_penalty_it_solves_the_lasso(
    monkeypatch: pytest.MonkeyPatch, momentum: float, gamma: float
) -> None:
    """min f(w) + gamma |w|_1, f(w) = |X w - y|^2 / (2 n): its one solution is where the gradient of
    f is -gamma sign(w), or at most gamma where w is 0, whatever the momentum."""

    def squared(model: Classifier, x: Tensor, y: Tensor) -> Tensor:
        return (model(x) - F.one_hot(y, 10)).square().sum() / (2 * len(y))

    monkeypatch.setattr(fine_tune, "cross_entropy", squared)
    monkeypatch.setattr(descent, "steps_for", lambda *_: 400)
    monkeypatch.setattr(l1_sparse, "linear_decay", lambda *_: 1.0)
    model = Regression().double()
    found, _ = unlearn(
        "l1_sparse", model, gamma=gamma, momentum=momentum, learning_rate=0.3, batch_size=64
    )
    retain = offered().retain
    with torch.no_grad():
        x = F.pad(found.features(retain.images[retain.indices]), (0, 1), value=1.0)
        y = F.one_hot(retain.labels[retain.indices], 10).double()
        w = torch.cat([found.head.weight.T, found.head.bias[None]])
        gradient = x.T @ (x @ w - y) / len(x)
    zero = w == 0
    assert 0.2 < zero.double().mean() < 0.95
    torch.testing.assert_close(gradient[~zero], -gamma * w[~zero].sign(), rtol=0, atol=1e-6)
    assert gradient[zero].abs().max() <= gamma
