"""Each method against a right answer that is known without it."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import Diverged
from core.models.classifier import Classifier
from core.training.optimisers import make_optimiser
from core.unlearners import fine_tune, make
from core.unlearners.base import Need, Step, UnlearningData
from core.unlearners.common import descent
from core.unlearners.common.descent import descend
from core.unlearners.common.draw import Draw, steps_for, stream
from core.unlearners.common.losses import cross_entropy
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {
    "fine_tune": {"epochs": 10, "batch_size": 16, "learning_rate": 0.7},
    "anchored_fine_tune": {"epochs": 10, "batch_size": 16, "learning_rate": 0.7, "anchor": 1e-3},
    "neg_grad": {"epochs": 10, "batch_size": 8, "learning_rate": 0.002},
    "neg_grad_plus": {"epochs": 10, "batch_size": 8, "learning_rate": 0.025, "beta": 0.7},
}
STEPS = {"batch_size": 16, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def offered(images: Tensor = DATA.train_images, labels: Tensor = DATA.train_labels):
    indices: dict[Need, Any] = {"retain": PARTS.retain, "forget": PARTS.forget}
    parts = {name: Images(images, labels, torch.from_numpy(i)) for name, i in indices.items()}
    return UnlearningData(parts, "compact", 10, tiny.SHORT)


def unlearn(
    name: str,
    base: Classifier,
    data: UnlearningData | None = None,
    seed: int = 0,
    **settings: float,
) -> tuple[Classifier, list[Step]]:
    model = copy.deepcopy(base)
    steps = make(name, settings).run(model, data or offered(), torch.Generator().manual_seed(seed))
    return model, list(steps)


# Fine-tuning


def test_fine_tune_is_sgd_on_the_retain_set(base: Classifier) -> None:
    """Written out once more, with torch's own optimiser and schedule."""
    found, steps = unlearn("fine_tune", base, epochs=2, **STEPS)
    model = copy.deepcopy(base).train()
    retain = offered().retain
    order = stream(torch.Generator().manual_seed(0), "retain")
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 6)
    for _ in range(2):
        for chosen in torch.randperm(48, generator=order).split(16):
            x, y = retain.batch(chosen, torch.device("cpu"))
            optimiser.zero_grad()
            cross_entropy(model, x, y).backward()
            optimiser.step()
            schedule.step()
    assert len(steps) == 6
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_the_rate_falls_along_a_cosine_from_the_chosen_one(base: Classifier) -> None:
    rates: list[float] = []
    model = copy.deepcopy(base).eval()
    read = Draw(torch.Generator(), torch.device("cpu")).batches(offered().retain, "retain", 16)
    losses = (cross_entropy(model, x, y) for x, y in read)
    steps = descend(make_optimiser(model, 0.002), losses, 20, rates.append)
    assert len(list(steps)) == 20
    np.testing.assert_allclose(rates, 0.001 * (1 + np.cos(np.pi * np.arange(20) / 20)))
    # Not the known fault of released code: a floor above the chosen rate, so that it rises.
    assert rates[0] == 0.002
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.0001


def test_passes_need_not_be_whole() -> None:
    part = tiny.images(DATA)
    found = [steps_for(part, epochs, 16) for epochs in (0.01, 0.25, 0.5, 1, 2.5)]
    assert found == [1, 1, 2, 4, 10]


def test_streams_depend_on_the_seed_and_the_name_alone() -> None:
    generator = torch.Generator().manual_seed(5)
    first = torch.rand(4, generator=stream(generator, "retain"))
    torch.rand(7, generator=generator)
    again = torch.rand(4, generator=stream(generator, "retain"))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.rand(4, generator=stream(generator, "forget")))
    other = stream(torch.Generator().manual_seed(6), "retain")
    assert not torch.equal(first, torch.rand(4, generator=other))


def test_a_method_that_diverges_says_so(base: Classifier) -> None:
    with pytest.raises(Diverged, match=r"at step \d+ .* lower learning rate"):
        unlearn("neg_grad", base, epochs=50, batch_size=16, learning_rate=1.0)


# The anchor


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_anchor_of_zero_is_fine_tuning(base: Classifier, momentum: float) -> None:
    plain, steps = unlearn("fine_tune", base, epochs=2, momentum=momentum, **STEPS)
    anchored = unlearn("anchored_fine_tune", base, epochs=2, momentum=momentum, anchor=0, **STEPS)
    assert tiny.same(plain, anchored[0])
    assert steps == anchored[1]


def test_a_strong_anchor_returns_the_weights(base: Classifier) -> None:
    """The weights, not BatchNorm's running statistics: they are measured, not trained."""
    held, _ = unlearn("anchored_fine_tune", base, epochs=2, anchor=1e6, **STEPS)
    free, _ = unlearn("fine_tune", base, epochs=2, **STEPS)

    def moved(model: Classifier) -> float:
        pairs = zip(model.parameters(), base.parameters(), strict=True)
        return max(float((a - b).detach().abs().max()) for a, b in pairs)

    assert moved(held) < 1e-5
    assert moved(free) > 1e-3
    assert not torch.equal(held.blocks[0].norm1.running_mean, base.blocks[0].norm1.running_mean)


class Ridge(Classifier):
    """Linear regression on a few well-conditioned numbers of each image."""

    def __init__(self, dimensions: int = 6) -> None:
        super().__init__()
        self.head = nn.Linear(dimensions, 10)
        draw = torch.Generator().manual_seed(0)
        self.look = torch.randn(3 * 32 * 32, dimensions, dtype=torch.float64, generator=draw) / 55

    def features(self, images: Tensor) -> Tensor:
        return self.normalise(images).flatten(1).double() @ self.look


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("anchor", [0.1, 2.0])
def test_the_anchor_on_ridge_regression(
    monkeypatch: pytest.MonkeyPatch, momentum: float, anchor: float
) -> None:
    """min |X w - y|^2 / (2 n) + (anchor / 2) |w - w0|^2 in closed form, whatever the momentum."""

    def squared(model: Classifier, x: Tensor, y: Tensor) -> Tensor:
        return (model(x) - F.one_hot(y, 10)).square().sum() / (2 * len(y))

    monkeypatch.setattr(fine_tune, "cross_entropy", squared)
    monkeypatch.setattr(descent, "steps_for", lambda *_: 400)
    model = Ridge().double()
    retain = offered().retain
    with torch.no_grad():
        x = F.pad(model.features(retain.images[retain.indices]), (0, 1), value=1.0)
        y = F.one_hot(retain.labels[retain.indices], 10).double()
        start = torch.cat([model.head.weight.T, model.head.bias[None]])
        left = x.T @ x / len(x) + anchor * torch.eye(x.shape[1])
        expected = torch.linalg.solve(left, x.T @ y / len(x) + anchor * start)
    method = make(
        "anchored_fine_tune",
        {"anchor": anchor, "momentum": momentum, "learning_rate": 0.3, "batch_size": 64},
    )
    list(method.run(model, offered(), torch.Generator().manual_seed(0)))
    found = torch.cat([model.head.weight.T, model.head.bias[None]]).detach()
    assert (expected - start).abs().max() > 0.05
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


# Gradient ascent


def test_neg_grad_climbs_the_loss_of_the_forget_set(base: Classifier) -> None:
    """One step on all of the forget set is one step up its gradient, BatchNorm left alone."""
    settings = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01, "momentum": 0}
    found, steps = unlearn("neg_grad", base, **settings)
    model = copy.deepcopy(base).eval()
    forget = torch.from_numpy(PARTS.forget)
    loss = cross_entropy(model, DATA.train_images[forget], DATA.train_labels[forget])
    loss.backward()
    assert len(steps) == 1
    assert steps[0].loss == pytest.approx(-float(loss.detach()), rel=1e-2)
    for ours, original in zip(found.parameters(), model.parameters(), strict=True):
        assert original.grad is not None
        step, expected = ours - original, 0.01 * original.grad
        # Training may run in bfloat16, where another order of images rounds otherwise.
        assert (step - expected).norm() <= 0.05 * expected.norm() + 1e-6
    for ours, original in zip(found.buffers(), base.buffers(), strict=True):
        assert torch.equal(ours, original)


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """What NegGrad+ always computes in, for what it is compared with."""
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")


# 48 images to keep and 16 to forget in batches of 16: three batches a pass, and one.


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_neg_grad_plus_that_only_keeps_is_fine_tuning(
    base: Classifier, float32: None, momentum: float
) -> None:
    plain = unlearn("fine_tune", base, epochs=2, momentum=momentum, **STEPS)
    plus = unlearn("neg_grad_plus", base, epochs=6, beta=1, momentum=momentum, **STEPS)
    assert tiny.same(plain[0], plus[0])
    assert plain[1] == plus[1]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_neg_grad_plus_that_only_forgets_is_neg_grad(
    base: Classifier, float32: None, momentum: float
) -> None:
    settings = {"epochs": 4, "momentum": momentum, "batch_size": 16, "learning_rate": 1e-3}
    plain = unlearn("neg_grad", base, **settings)
    plus = unlearn("neg_grad_plus", base, beta=0, **settings)
    assert tiny.same(plain[0], plus[0])
    assert plain[1] == plus[1]


def test_both_sets_pass_the_same_network(base: Classifier, float32: None) -> None:
    """BatchNorm stays as it was, and the first loss is that of the network as it is evaluated."""
    settings = {"epochs": 6, "batch_size": 64, "learning_rate": 1e-5}
    both, steps = unlearn("neg_grad_plus", base, beta=0.5, **settings)
    for ours, original in zip(both.buffers(), base.buffers(), strict=True):
        assert torch.equal(ours, original)
    model = copy.deepcopy(base).eval()
    kept, gone = (
        float(cross_entropy(model, DATA.train_images[part], DATA.train_labels[part]).detach())
        for part in (PARTS.retain, PARTS.forget)
    )
    assert steps[0].loss == pytest.approx((kept - gone) / 2, rel=1e-2)


# Retraining


def test_retrain_is_training_without_the_forget_set(base: Classifier) -> None:
    found, steps = unlearn("retrain", base, seed=7)
    expected = tiny.trained(tiny.images(DATA, PARTS.retain), tiny.SHORT, 7)
    assert tiny.same(found, expected.model)
    assert len(steps) == 4 * 3
    # The images to keep, and nothing of where the network was before.
    other, _ = unlearn("retrain", tiny.trained(tiny.images(DATA), tiny.SHORT, 1).model, seed=7)
    assert tiny.same(found, other)


def test_retrain_leaves_no_layer_as_it_was(base: Classifier) -> None:
    found, _ = unlearn("retrain", base)
    for name, weight in base.named_parameters():
        assert not torch.equal(found.get_parameter(name), weight), name


def test_retrain_reads_no_image_to_forget(
    base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Tensor] = []
    plain = Images.batch

    def spy(self: Images, positions: Tensor, device: torch.device):
        read.append(self.indices[positions])
        return plain(self, positions, device)

    expected, _ = unlearn("retrain", base)
    monkeypatch.setattr(Images, "batch", spy)
    poisoned = DATA.train_images.clone(), DATA.train_labels.clone()
    poisoned[0][PARTS.forget] = 0
    poisoned[1][PARTS.forget] = 10**6  # no such class: one look would end in an error
    only = dataclasses.replace(offered(*poisoned), parts={"retain": offered(*poisoned).retain})
    found, _ = unlearn("retrain", base, only)
    assert tiny.same(found, expected)
    assert set(torch.cat(read).tolist()) == set(PARTS.retain.tolist())
