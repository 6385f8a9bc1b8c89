"""Random labels and Amnesiac: the labels that they draw, and the steps that they take."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.unlearners import make
from core.unlearners.base import Need, Step, UnlearningData
from core.unlearners.common.draw import stream
from core.unlearners.common.networks import freeze_batchnorm
from core.unlearners.random_labels import any_label, wrong_label
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact", "full_precision")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {
    # At .05 the loss overflows on some bases, sooner in bfloat16 than in float32.
    "random_labels": {"epochs": 3, "rehearsal": 1, "batch_size": 8, "learning_rate": 0.02},
    "amnesiac": {"epochs": 10, "batch_size": 8, "learning_rate": 0.002},
}


@pytest.fixture(scope="module")
def full_precision():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGETTING_LAB_PRECISION", "float32")
        yield


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def offered() -> UnlearningData:
    indices: dict[Need, Any] = {"retain": PARTS.retain, "forget": PARTS.forget}
    parts = {name: tiny.images(DATA, chosen) for name, chosen in indices.items()}
    return UnlearningData(parts, "compact", 10, tiny.SHORT)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def unlearn(name: str, base: Classifier, **settings: float) -> tuple[Classifier, list[Step]]:
    model = copy.deepcopy(base)
    return model, list(make(name, settings).run(model, offered(), seeded()))


def orders(name: str, part: Images, batch_size: int):
    """The batches of the stream of that name, drawn once more."""
    draw = stream(seeded(), name)
    while True:
        yield from torch.randperm(len(part), generator=draw).split(batch_size)


def loss(model: Classifier, part: Images, chosen: Tensor) -> Tensor:
    at = part.indices[chosen]
    return F.cross_entropy(model(part.images[at]), part.labels[at])


def agree(found: Classifier, expected: Classifier) -> None:
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-3, atol=1e-5)


# Labels


@pytest.fixture
def many() -> Images:
    """20,000 images, every other one of them in the part."""
    draw = np.random.default_rng(0)
    labels = torch.from_numpy(draw.integers(0, 10, 20_000))
    return Images(
        torch.zeros(20_000, 3, 1, 1, dtype=torch.uint8), labels, torch.arange(0, 20_000, 2)
    )


def test_any_label_is_drawn_evenly(many: Images) -> None:
    before = many.labels.clone()
    drawn = any_label(many, 10, seeded())
    counts = torch.zeros(10, 10)
    counts.index_put_(
        (many.labels[many.indices], drawn.labels[many.indices]), torch.ones(1), accumulate=True
    )
    # 10,000 images over 100 pairs of old and new label: 100 each, six deviations are 60.
    assert (counts - 100).abs().max() < 60
    assert torch.equal(many.labels, before)
    assert drawn.images is many.images
    assert torch.equal(drawn.indices, many.indices)
    assert torch.equal(drawn.labels[1::2], before[1::2])


def test_wrong_label_is_any_but_the_true_one(many: Images) -> None:
    drawn = wrong_label(many, 10, seeded())
    counts = torch.zeros(10, 10)
    counts.index_put_(
        (many.labels[many.indices], drawn.labels[many.indices]), torch.ones(1), accumulate=True
    )
    assert torch.equal(counts.diagonal(), torch.zeros(10))
    others = counts[~torch.eye(10, dtype=torch.bool)]
    assert (others - 10_000 / 90).abs().max() < 64
    assert torch.equal(drawn.labels[1::2], many.labels[1::2])


def test_of_two_classes_the_wrong_label_is_the_other_one() -> None:
    part = Images(torch.zeros(50, 3, 1, 1), torch.arange(50) % 2, torch.arange(50))
    assert torch.equal(wrong_label(part, 2, seeded()).labels, 1 - part.labels)


def test_labels_depend_on_the_seed_alone(many: Images) -> None:
    for draw in (any_label, wrong_label):
        first, again = draw(many, 10, seeded()), draw(many, 10, seeded())
        assert torch.equal(first.labels, again.labels)
        other = draw(many, 10, torch.Generator().manual_seed(1))
        assert not torch.equal(first.labels, other.labels)


# Random labels


def test_random_labels_written_out(base: Classifier) -> None:
    """16 images to forget and 48 to keep, in eights: two rounds of 2 and 3 steps of SGD."""
    settings = {"epochs": 2, "rehearsal": 0.5, "batch_size": 8, "learning_rate": 0.05}
    found, steps = unlearn("random_labels", base, **settings)
    model, data = copy.deepcopy(base), offered()
    forget, retain = any_label(data.forget, 10, seeded()), data.retain
    forget_order, retain_order = orders("forget", forget, 8), orders("retain", retain, 8)
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10)
    losses = []
    for part in "FFRRRFFRRR":
        model.train()
        if part == "F":
            freeze_batchnorm(model)
            now = loss(model, forget, next(forget_order))
        else:
            now = loss(model, retain, next(retain_order))
        optimiser.zero_grad()
        now.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(now.detach()))
    np.testing.assert_allclose([step.loss for step in steps], losses, rtol=1e-3)
    agree(found, model)


def test_of_random_labels_only_the_retain_set_feeds_batchnorm(base: Classifier) -> None:
    """With a rate that moves nothing, BatchNorm's statistics are those of fine-tuning."""
    slow = {"batch_size": 8, "learning_rate": 1e-5}
    both, _ = unlearn("random_labels", base, epochs=2, rehearsal=1, **slow)
    keeps, _ = unlearn("fine_tune", base, epochs=2, **slow)
    for ours, theirs, original in zip(both.buffers(), keeps.buffers(), base.buffers(), strict=True):
        if ours.is_floating_point():
            torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)
        else:
            assert ours == theirs == original + 12  # batches seen


# Amnesiac


def test_the_first_step_of_amnesiac_in_closed_form(base: Classifier) -> None:
    """Adam's first step is eta g / (|g| + epsilon), whatever its averages are."""
    found, steps = unlearn("amnesiac", base, epochs=1, batch_size=64, learning_rate=1e-3)
    model, data = copy.deepcopy(base), offered()
    everything = torch.arange(16), torch.arange(48)
    retain = 48 / 64 * loss(model.train(), data.retain, everything[1])
    retain.backward()
    forget = 16 / 64 * loss(model.eval(), wrong_label(data.forget, 10, seeded()), everything[0])
    forget.backward()
    assert len(steps) == 1
    assert steps[0].loss == pytest.approx(float((forget + retain).detach()), rel=1e-3)
    right = clear = total = 0
    pairs = zip(found.parameters(), base.parameters(), model.parameters(), strict=True)
    for ours, original, other in pairs:
        assert other.grad is not None
        moving = other.grad.abs() > 1e-4  # far from epsilon and from rounding
        expected = -1e-3 * other.grad.sign()
        right += int(((ours - original - expected).abs() < 1e-5)[moving].sum())
        clear, total = clear + int(moving.sum()), total + moving.numel()
    assert clear > total / 2
    assert right == clear


def test_amnesiac_written_out(base: Classifier) -> None:
    found, steps = unlearn("amnesiac", base, epochs=2, batch_size=8, learning_rate=1e-3)
    model, data = copy.deepcopy(base), offered()
    forget, retain = wrong_label(data.forget, 10, seeded()), data.retain
    forget_order, retain_order = orders("forget", forget, 8), orders("retain", retain, 8)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 4)
    losses = []
    for _ in range(4):
        model.train()
        now = 48 / 64 * loss(model, retain, next(retain_order))
        freeze_batchnorm(model)
        now = now + 16 / 64 * loss(model, forget, next(forget_order))
        optimiser.zero_grad()
        now.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(now.detach()))
    np.testing.assert_allclose([step.loss for step in steps], losses, rtol=1e-3)
    agree(found, model)


def test_amnesiac_teaches_the_labels_that_it_drew(base: Classifier) -> None:
    found, _ = unlearn("amnesiac", base, epochs=50, batch_size=16, learning_rate=0.01)
    part = offered().forget
    drawn = wrong_label(part, 10, seeded()).labels[part.indices]
    with torch.inference_mode():
        answers = [model.eval()(part.images[part.indices]).argmax(1) for model in (base, found)]
    true = part.labels[part.indices]
    assert (answers[0] == true).float().mean() > 0.9
    assert (answers[1] == true).float().mean() < 0.1
    assert (answers[1] == drawn).float().mean() > 0.9
