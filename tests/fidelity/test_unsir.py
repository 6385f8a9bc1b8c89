"""UNSIR: its noise is an optimum, its two steps are SGD on what they say, and part of R is part."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.images import Images
from core.models.classifier import Classifier
from core.unlearners import make, unsir
from core.unlearners.base import Step
from core.unlearners.common.draw import stream
from core.unlearners.unsir import pixels
from tests import tiny
from tests.fidelity.test_boundary import (
    DATA,
    Linear,
    by_hand,
    close,
    full_precision,  # noqa: F401
    offered,
    shuffled,
)

pytestmark = pytest.mark.usefixtures("small_compact", "full_precision")

SMALL = {"unsir": {"batch_size": 4, "share": 1.0, "impair_rate": 0.1, "repair_rate": 0.005}}
SETTINGS = {"batch_size": 8, "share": 0.5, "noise_steps": 4}  # 25 of 50: four batches of each kind


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


@pytest.fixture
def seen_noise(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """All noise that is shown to the network, normalised, in the order of the showing."""
    seen: list[Tensor] = []

    def spy(model: Classifier, normalised: Tensor) -> Tensor:
        seen.append(normalised.detach().clone())
        return pixels(model, normalised)

    monkeypatch.setattr(unsir, "pixels", spy)
    return seen


def run_to(model: Classifier, done: int | None = None, **settings: float) -> list[Step]:
    """The steps of a run, or those up to one after which it is stopped."""
    steps = make("unsir", settings).run(model, offered(), torch.Generator().manual_seed(0))
    found = []
    for step in steps:
        found.append(step)
        if step.done == done:
            steps.close()
    return found


def part() -> Images:
    retain = offered().retain
    order = stream(torch.Generator().manual_seed(0), "part of the retain set")
    return Images(
        DATA.train_images,
        DATA.train_labels,
        retain.indices[torch.randperm(50, generator=order)[:25]],
    )


@pytest.mark.parametrize("penalty", [0.1, 0.4])
def test_the_noise_is_a_stationary_point_on_softmax_regression(
    seen_noise: list[Tensor], penalty: float
) -> None:
    """Of -CE(Wn + b, c) + penalty |n|^2: there 2 penalty n = W'(p(n) - e_c)."""
    model = Linear(scale=0.5)
    weight = model.head.weight.detach().clone()
    settings = {"batch_size": 32, "noise_steps": 200, "noise_penalty": penalty}
    run_to(model, 201, share=0.5, **settings)
    made, noise = seen_noise[0], seen_noise[-1].flatten(1)
    assert len(noise) == 12  # half as many as the 25 retained ones
    assert abs(float(made.std()) - 1) < 0.02
    # Which noise is of which class is shuffled: each is stationary for one of the two.
    logits = noise @ weight.T
    errors = [
        ((logits.softmax(1) - F.one_hot(torch.tensor(c), 10)) @ weight / (2 * penalty) - noise)
        .square()
        .sum(1)
        .sqrt()
        for c in (0, 1)
    ]
    smallest = torch.stack(errors).min(0).values
    assert float((smallest / noise.norm(dim=1)).max()) < 0.02
    assert {int(c) for c in torch.stack(errors).argmin(0)} == {0, 1}
    for c in (0, 1):  # and the network is sure that it is not that class
        own = torch.stack(errors).argmin(0) == c
        assert float(logits.softmax(1)[own, c].max()) < 0.1


def test_pixels_are_what_the_network_normalises_to_the_noise(base: Classifier) -> None:
    noise = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(base.normalise(pixels(base, noise)), noise, rtol=1e-4, atol=1e-4)


def test_making_noise_leaves_the_network_alone(base: Classifier, seen_noise: list[Tensor]) -> None:
    model = copy.deepcopy(base)
    steps = run_to(model, 4, **SETTINGS)
    assert [step.phase for step in steps] == ["making noise"] * 4
    assert tiny.same(model, base)
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())
    assert [step.loss for step in steps] == sorted((s.loss for s in steps), reverse=True)


def test_the_impair_step_is_sgd_on_noise_and_part_of_the_rest(
    base: Classifier, seen_noise: list[Tensor]
) -> None:
    """In one batch, with statistics of its own in BatchNorm."""
    found = copy.deepcopy(base)
    steps = run_to(found, 8, **SETTINGS)
    assert [step.phase for step in steps[4:]] == ["impairing"] * 4
    shown = seen_noise[4:]
    model, rest = copy.deepcopy(base), part()
    picks = stream(torch.Generator().manual_seed(0), "order of the noise")

    def loss(positions: Tensor, noise: Tensor) -> Tensor:
        classes = torch.tensor([0, 1]).repeat(4)
        labels = classes[torch.randperm(8, generator=picks)[: len(noise)]]
        x, y = rest.batch(positions, torch.device("cpu"))
        both = torch.cat([x.float(), pixels(model, noise)])
        return F.cross_entropy(model.train()(both), torch.cat([y, labels]))

    order = shuffled(25, 1, 8, "impair")
    assert [len(noise) for noise in shown] == [4, 4, 4, 1]  # half of 8, and of the last one
    by_hand(model, [lambda p=p, n=n: loss(p, n) for p, n in zip(order, shown, strict=True)], 0.02)
    close(found, model)


def test_the_repair_step_is_fine_tuning_on_the_same_part(base: Classifier) -> None:
    impaired, found = copy.deepcopy(base), copy.deepcopy(base)
    run_to(impaired, 8, **SETTINGS)
    steps = run_to(found, **SETTINGS)
    assert [step.phase for step in steps[8:]] == ["repairing"] * 4
    rest = part()

    def loss(positions: Tensor) -> Tensor:
        x, y = rest.batch(positions, torch.device("cpu"))
        return F.cross_entropy(impaired.train()(x), y)

    by_hand(impaired, [lambda p=p: loss(p) for p in shuffled(25, 1, 8, "repair")], rate=0.01)
    close(found, impaired)


def test_only_the_chosen_share_is_read(base: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Tensor] = []
    plain = Images.batch

    def spy(self: Images, positions: Tensor, device: torch.device):
        read.append(self.indices[positions])
        return plain(self, positions, device)

    monkeypatch.setattr(Images, "batch", spy)
    run_to(copy.deepcopy(base), **SETTINGS)
    assert sorted(torch.cat(read).tolist()) == sorted(2 * part().indices.tolist())


def test_nothing_is_left_behind_midway(base: Classifier) -> None:
    for done in (2, 6, 10):
        model = copy.deepcopy(base)
        run_to(model, done, **SETTINGS)
        assert [name for name, _ in model.named_modules()] == [n for n, _ in base.named_modules()]
        for name, value in base.state_dict().items():
            assert model.state_dict()[name].shape == value.shape
