"""Boundary Shrink and Boundary Expand against their definitions, written out once more."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.runs.offered_data import forgotten_classes
from core.unlearners import boundary, make
from core.unlearners.base import Need, UnlearningData
from core.unlearners.boundary import nearest_class
from core.unlearners.common.draw import stream
from core.unlearners.common.pixels import pixel_gradient
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact", "full_precision")

DATA = tiny.dataset()
CLASSES = split(DATA, ForgetRequest.of_classes("a", "b"))
SMALL = {
    "boundary_shrink": {"epochs": 10, "batch_size": 4, "learning_rate": 0.01},
    "boundary_expand": {"epochs": 10, "batch_size": 4, "learning_rate": 0.01},
}
STEPS = {"epochs": 2, "batch_size": 7, "learning_rate": 0.005}  # 14 images: two batches a pass


class Linear(Classifier):
    """Softmax regression on normalised pixels."""

    def __init__(self, classes: int = 10, scale: float = 1.0) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 32 * 32, classes)
        drawn = torch.randn(self.head.weight.shape, generator=torch.Generator().manual_seed(0))
        self.head.weight.data = scale * drawn / 55
        self.head.bias.data.zero_()

    def features(self, images: Tensor) -> Tensor:
        return self.normalise(images).flatten(1)


@pytest.fixture
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is written out once more rounds alike."""
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def offered(parts=CLASSES, labels: Tensor = DATA.train_labels) -> UnlearningData:
    indices: dict[Need, Any] = {"retain": parts.retain, "forget": parts.forget}
    images = {
        name: Images(DATA.train_images, labels, torch.from_numpy(i)) for name, i in indices.items()
    }
    gone = forgotten_classes(DATA, parts)
    return UnlearningData(images, "compact", 10, tiny.SHORT, forgotten_classes=gone)


def unlearn(name: str, base: Classifier, data: UnlearningData | None = None, **settings: float):
    model = copy.deepcopy(base)
    steps = make(name, settings).run(model, data or offered(), torch.Generator().manual_seed(0))
    return model, list(steps)


def close(first: Classifier, second: Classifier) -> None:
    for name, value in second.state_dict().items():
        torch.testing.assert_close(first.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def by_hand(model: nn.Module, losses: list[Any], rate: float = 0.005) -> None:
    """SGD with torch's own optimiser and schedule, one step a loss."""
    optimiser = torch.optim.SGD(model.parameters(), rate, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, len(losses))
    for loss in losses:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        schedule.step()


def shuffled(n: int, passes: int, batch_size: int, name: str = "forget") -> list[Tensor]:
    order = stream(torch.Generator().manual_seed(0), name)
    return [
        positions
        for _ in range(passes)
        for positions in torch.randperm(n, generator=order).split(batch_size)
    ]


# The nearest class


@pytest.mark.parametrize("epsilon", [0.001, 0.02, 0.3])
def test_the_nearest_class_of_softmax_regression(epsilon: float) -> None:
    """x + epsilon sign(W'(p - e_y)), in numpy, over the classes that are not forgotten."""
    model, forgotten = Linear(scale=0.3), [0, 1]
    images, labels = DATA.train_images, DATA.train_labels
    found = nearest_class(model, images, labels, torch.tensor(forgotten), epsilon)

    mean, std = (np.asarray(v, np.float64).reshape(1, 3, 1, 1) for v in (model.mean, model.std))
    weight = model.head.weight.detach().numpy().astype(np.float64)

    def logits(pixels):
        return ((pixels - mean) / std).reshape(len(pixels), -1) @ weight.T

    x = images.numpy().astype(np.float64)
    p = np.exp(logits(x) - logits(x).max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    gradient = ((p - np.eye(10)[labels.numpy()]) @ weight).reshape(x.shape) / std
    moved = logits(np.clip(x + 255 * epsilon * np.sign(gradient), 0, 255))
    moved[:, forgotten] = -np.inf
    np.testing.assert_array_equal(found.numpy(), moved.argmax(1))


def test_the_gradient_in_pixels_is_that_of_each_image_alone(base: Classifier) -> None:
    model = copy.deepcopy(base).eval()
    images, labels = DATA.train_images[:6], DATA.train_labels[:6]
    gradient, logits = pixel_gradient(model, images, labels)
    alone, _ = pixel_gradient(model, images[2:3], labels[2:3])
    torch.testing.assert_close(gradient[2:3], alone, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(logits, model(images).detach(), rtol=1e-4, atol=1e-4)
    assert all(weight.grad is None for weight in model.parameters())

    def loss(pixels: Tensor) -> Tensor:
        return F.cross_entropy(model(pixels).double(), labels[2:3])

    with torch.no_grad():  # the slope along the gradient, by differences
        step = 0.5 * alone / alone.norm()
        x = images[2:3].float()
        slope = loss(x + step) - loss(x - step)
    assert float(slope) == pytest.approx(float(alone.norm()), rel=0.05)


# Shrink


def test_shrink_is_sgd_on_the_nearest_classes_of_the_original(base: Classifier) -> None:
    found, steps = unlearn("boundary_shrink", base, **STEPS, epsilon=0.05)
    model, forget = copy.deepcopy(base).eval(), offered().forget
    x, y = forget.batch(torch.arange(14), torch.device("cpu"))
    nearest = nearest_class(model, x, y, torch.tensor([0, 1]), 0.05)
    assert not np.isin(nearest, [0, 1]).any()
    by_hand(
        model,
        [lambda p=p: F.cross_entropy(model(x[p]), nearest[p]) for p in shuffled(14, 2, 7)],
    )
    assert [step.phase for step in steps] == ["unlearning"] * 4
    close(found, model)
    for ours, original in zip(found.buffers(), base.buffers(), strict=True):
        assert torch.equal(ours, original)


def test_shrink_teaches_no_class_that_is_to_be_forgotten(
    base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: set[int] = set()
    plain = boundary.cross_entropy

    def spy(model: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        taught.update(labels.tolist())
        return plain(model, images, labels)

    monkeypatch.setattr(boundary, "cross_entropy", spy)
    # So short a step leaves every image in its own class.
    unlearn("boundary_shrink", base, **STEPS, epsilon=0.001)
    assert taught
    assert not taught & {0, 1}


# Expand


def test_expand_is_training_a_wider_head_and_pruning_it(base: Classifier) -> None:
    found, steps = unlearn("boundary_expand", base, **STEPS)
    model, forget = copy.deepcopy(base).eval(), offered().forget
    old, d = model.head, model.head.in_features
    drawn = torch.empty(d + 1).uniform_(
        -(d**-0.5), d**-0.5, generator=stream(torch.Generator().manual_seed(0), "shadow class")
    )
    model.head = nn.Linear(d, 11)
    with torch.no_grad():
        model.head.weight.copy_(torch.cat([old.weight, drawn[None, :d]]))
        model.head.bias.copy_(torch.cat([old.bias, drawn[d:]]))
    x, _ = forget.batch(torch.arange(14), torch.device("cpu"))
    by_hand(
        model,
        [
            lambda p=p: F.cross_entropy(model(x[p]), torch.full((len(p),), 10))
            for p in shuffled(14, 2, 7)
        ],
    )
    with torch.no_grad():
        old.weight.copy_(model.head.weight[:10])
        old.bias.copy_(model.head.bias[:10])
    model.head = old
    assert len(steps) == 4
    assert steps[-1].loss < steps[0].loss
    close(found, model)


def test_expand_never_shows_the_extra_class(base: Classifier) -> None:
    shapes = {name: value.shape for name, value in base.state_dict().items()}
    model = copy.deepcopy(base)
    parameters = list(model.parameters())
    steps = make("boundary_expand", STEPS).run(model, offered(), torch.Generator().manual_seed(0))
    for step in steps:
        assert {name: value.shape for name, value in model.state_dict().items()} == shapes
        assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
        with torch.no_grad():
            assert copy.deepcopy(model).eval()(DATA.train_images[:2]).shape == (2, 10)
        if step.done == 2:
            steps.close()
    assert not tiny.same(model, base)
    assert model.head.out_features == 10
