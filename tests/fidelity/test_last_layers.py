"""CF-k and EU-k: what is frozen stays, what is trained finds the known optimum."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.checkpoints.features import features
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners import last_layers, make
from core.unlearners.base import Step, UnlearningData
from core.unlearners.common import descent
from core.unlearners.common.draw import stream
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact", "full_precision")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {
    "cf_k": {"epochs": 10, "batch_size": 8, "learning_rate": 0.7},
    "eu_k": {"epochs": 6, "batch_size": 16, "learning_rate": 0.2},
}
STEPS: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 0.05}

both = pytest.mark.parametrize("name", ["cf_k", "eu_k"])


@pytest.fixture(scope="module")
def full_precision():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGETTING_LAB_PRECISION", "float32")
        yield


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def offered() -> UnlearningData:
    return UnlearningData({"retain": tiny.images(DATA, PARTS.retain)}, "compact", 10, tiny.SHORT)


def unlearn(name: str, base: Classifier, **settings: float) -> tuple[Classifier, list[Step]]:
    model = copy.deepcopy(base)
    generator = torch.Generator().manual_seed(0)
    return model, list(make(name, settings).run(model, offered(), generator))


@both
@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_the_last_k_blocks_are_trained_and_no_other(
    base: Classifier, name: str, blocks: int
) -> None:
    found, _ = unlearn(name, base, blocks=blocks, **STEPS)
    stages = list(zip(found.stages(), base.stages(), strict=True))
    assert len(stages) == 5
    for ours, original in stages[:-blocks]:
        for key, value in original.state_dict().items():  # BatchNorm's statistics too
            assert torch.equal(ours.state_dict()[key], value), key
    for ours, original in stages[-blocks:]:
        for key, value in original.state_dict().items():
            assert not torch.equal(ours.state_dict()[key], value), key


def test_cf_1_is_a_linear_layer_trained_on_features(base: Classifier) -> None:
    """Written out once more, with a layer of its own and nothing of the network."""
    found, steps = unlearn("cf_k", base, blocks=1, **STEPS)
    retain = offered().retain
    x, y = features(base, retain), retain.labels[retain.indices]
    head = copy.deepcopy(base.head)
    optimiser = torch.optim.SGD(head.parameters(), 0.05, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 6)
    order = stream(torch.Generator().manual_seed(0), "retain")
    losses = []
    for _ in range(2):
        for chosen in torch.randperm(48, generator=order).split(16):
            loss = F.cross_entropy(head(x[chosen]), y[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
    assert [step.loss for step in steps] == pytest.approx(losses, rel=1e-3)
    for ours, theirs in zip(found.head.parameters(), head.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_cf_of_all_but_the_stem_is_fine_tuning_under_a_held_stem(base: Classifier) -> None:
    found, steps = unlearn("cf_k", base, blocks=4, **STEPS)
    held = copy.deepcopy(base)
    for weight in held.stem.parameters():
        weight.register_hook(torch.zeros_like)
    expected = make("fine_tune", STEPS).run(held, offered(), torch.Generator().manual_seed(0))
    assert [s.loss for s in steps] == pytest.approx([s.loss for s in expected], rel=1e-3)
    for key, value in held.state_dict().items():
        torch.testing.assert_close(found.state_dict()[key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("blocks", [1, 3])
def test_of_what_eu_k_throws_away_nothing_is_left(base: Classifier, blocks: int) -> None:
    """Whatever the last blocks were, the end is the same, bit for bit; not so with CF-k."""
    other = copy.deepcopy(base)
    with torch.no_grad():
        for stage in other.stages()[-blocks:]:
            for value in stage.state_dict().values():
                value.add_(1)
    results = {
        name: [unlearn(name, model, blocks=blocks, **STEPS)[0] for model in (base, other)]
        for name in ("eu_k", "cf_k")
    }
    assert tiny.same(*results["eu_k"])
    assert not tiny.same(*results["cf_k"])


def test_eu_k_begins_at_weights_like_a_new_networks(base: Classifier) -> None:
    """Before a step of any size: BatchNorm's scales as new, kernels in a new one's range."""
    found, _ = unlearn("eu_k", base, blocks=2, epochs=1, batch_size=64, learning_rate=1e-5)
    new = build_model("compact", 10, torch.Generator().manual_seed(3))
    for (name, ours), fresh in zip(found.named_parameters(), new.parameters(), strict=True):
        if name.startswith(("blocks.2", "head")):
            spread = float(ours.detach().std())
            assert spread == pytest.approx(float(fresh.detach().std()), rel=0.3, abs=1e-3), name
            assert not torch.allclose(ours, base.get_parameter(name), rtol=0.1), name


class Regression(Classifier):
    """Linear regression on a few well-conditioned numbers of each image."""

    def __init__(self, seed: int = 0, dimensions: int = 6) -> None:
        super().__init__()
        self.head = nn.Linear(dimensions, 10).double()
        draw = torch.Generator().manual_seed(0)
        self.look = torch.randn(3 * 32 * 32, dimensions, dtype=torch.float64, generator=draw) / 55
        nn.init.normal_(self.head.weight, generator=torch.Generator().manual_seed(seed))

    def features(self, images: Tensor) -> Tensor:
        return self.normalise(images).flatten(1).double() @ self.look

    def stages(self) -> list[nn.Module]:
        return [self.head]


@both
def test_the_head_finds_least_squares(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """On squared loss the one best head is known in closed form, wherever it starts."""

    def squared(model: Classifier, x: Tensor, y: Tensor) -> Tensor:
        return (model(x) - F.one_hot(y, 10)).square().sum() / (2 * len(y))

    monkeypatch.setattr(last_layers, "cross_entropy", squared)
    monkeypatch.setattr(descent, "steps_for", lambda *_: 600)
    monkeypatch.setattr(last_layers, "build_model", lambda *_: Regression(seed=1))
    base = Regression()
    found, _ = unlearn(name, base, blocks=1, learning_rate=0.3, batch_size=64)
    retain = offered().retain
    x = F.pad(base.features(retain.images[retain.indices]), (0, 1), value=1.0)
    expected = torch.linalg.lstsq(x, F.one_hot(retain.labels[retain.indices], 10).double()).solution
    start = torch.cat([base.head.weight.T, base.head.bias[None]]).detach()
    ours = torch.cat([found.head.weight.T, found.head.bias[None]]).detach()
    assert (expected - start).abs().max() > 0.5
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
