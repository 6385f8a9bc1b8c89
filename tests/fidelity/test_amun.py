"""AMUN: its neighbours are adversarial and near, and it fine-tunes on what it says."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.models.precision import float32_only
from core.unlearners.amun import NONE_FOUND, RADII, nearest_adversarial
from core.unlearners.common.networks import freeze_batchnorm
from tests import tiny
from tests.fidelity.test_boundary import (
    DATA,
    Linear,
    by_hand,
    close,
    full_precision,  # noqa: F401
    offered,
    shuffled,
    unlearn,
)

pytestmark = pytest.mark.usefixtures("small_compact", "full_precision")

SMALL = {"amun": {"epochs": 20, "batch_size": 8, "learning_rate": 0.03}}
PARTS = split(DATA, ForgetRequest.random(16))
STEPS = {"epochs": 2, "batch_size": 8, "learning_rate": 0.005}  # 16 images: two batches a pass


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    """Trained in float32: which network is attacked decides how far AMUN comes."""
    with float32_only():
        return tiny.trained(tiny.images(DATA)).model


def visited(radius: float, steps: int) -> list[float]:
    """How far from the image a search has come along a straight line, at each look."""
    found = [0.0]
    for ball in (radius * 2**k for k in range(RADII)):
        for _ in range(steps):
            found.append(min(found[-1] + ball / steps, ball))
    return found


@pytest.mark.parametrize(("radius", "steps"), [(0.05, 1), (0.2, 3), (1.0, 10)])
def test_the_neighbour_of_logistic_regression(radius: float, steps: int) -> None:
    """With two classes the gradient is one direction, and the boundary is at |z_1 - z_0| / |slope|:
    the neighbour is the first point of the search that lies beyond it."""
    model = Linear(classes=2, scale=0.3)
    images = (DATA.train_images.float() / 4 + 90).to(torch.uint8)  # grey: no step is clipped
    with torch.no_grad():
        logits = model(images)
    labels = logits.argmax(1)
    labels[:3] = 1 - labels[:3]  # these are wrong as they are
    offsets, wrong = nearest_adversarial(model, images, labels, radius, steps)

    slope = (model.head.weight[1] - model.head.weight[0]).detach().view(3, 32, 32)
    slope = slope / model.std[0]
    boundary = (logits[:, 1] - logits[:, 0]).abs() / slope.norm() / 255
    boundary[:3] = 0
    expected = [next(p for p in visited(radius, steps) if p >= b) for b in boundary.tolist()]
    lengths = offsets.flatten(1).norm(dim=1) / 255
    torch.testing.assert_close(lengths, torch.tensor(expected), rtol=1e-3, atol=1e-4)
    assert torch.equal(wrong, 1 - labels)
    assert len(set(expected)) > 3  # from several steps
    along = F.cosine_similarity(offsets[3:].flatten(1), slope.flatten()[None])
    torch.testing.assert_close(along.abs(), torch.ones(61), rtol=0, atol=1e-4)


def test_neighbours_are_images_that_fool_the_network(base: Classifier) -> None:
    model = copy.deepcopy(base).eval()
    images, labels = DATA.train_images[:24], DATA.train_labels[:24]
    offsets, wrong = nearest_adversarial(model, images, labels, 0.2, 3)
    neighbours = images + offsets
    assert 0 <= float(neighbours.min()) <= float(neighbours.max()) <= 255
    with torch.no_grad():
        before, after = model(images).argmax(1), model(neighbours).argmax(1)
    assert (wrong != NONE_FOUND).all()
    assert torch.equal(after, wrong)
    assert not (wrong == labels).any()
    already = before != labels
    assert not offsets[already].any()
    # A finer search finds nearer ones.
    lengths = offsets.flatten(1).norm(dim=1)
    finer, _ = nearest_adversarial(model, images, labels, 0.05, 6)
    assert float(finer.flatten(1).norm(dim=1).mean()) < float(lengths.mean())
    assert all(weight.grad is None for weight in model.parameters())


def test_a_search_that_finds_nothing_says_so() -> None:
    model = Linear(scale=0)
    model.head.bias.data[0] = 1.0  # says 0 to everything
    labels = torch.zeros(5, dtype=torch.int64)
    offsets, wrong = nearest_adversarial(model, DATA.train_images[:5], labels, 0.1, 2)
    assert not offsets.any()
    assert (wrong == NONE_FOUND).all()


def test_what_has_no_neighbour_is_trained_without() -> None:
    """The loss is then the mean over the retained and the forget images alone."""
    labels = DATA.train_labels.clone()
    labels[PARTS.forget] = 0
    data, model = offered(PARTS, labels), Linear(scale=0)
    model.head.bias.data[0] = 2.0
    _, steps = unlearn("amun", model, data, epochs=1, batch_size=16, learning_rate=1e-5)
    _, y = data.retain.batch(shuffled(48, 1, 16, "retain")[0], torch.device("cpu"))
    taught = F.pad(y, (0, 16))  # the forget images' label is 0
    expected = F.cross_entropy(model.head.bias[None].expand(32, 10), taught)
    assert steps[-1].loss == pytest.approx(float(expected.detach()), rel=1e-4)


def test_it_is_sgd_on_the_images_their_neighbours_and_the_rest(base: Classifier) -> None:
    """The mean over all three; only the retained images feed BatchNorm."""
    found, steps = unlearn("amun", base, offered(PARTS), **STEPS, attack_steps=3)
    model, data = copy.deepcopy(base).eval(), offered(PARTS)
    cpu = torch.device("cpu")
    x, y = data.forget.batch(torch.arange(16), cpu)
    halves = [nearest_adversarial(model, x[p], y[p], 0.2, 3) for p in torch.arange(16).split(8)]
    offsets, wrong = (torch.cat(each) for each in zip(*halves, strict=True))

    def loss(forget: Tensor, retain: Tensor) -> Tensor:
        images, labels = data.retain.batch(retain, cpu)
        total = F.cross_entropy(model.train()(images), labels, reduction="sum")
        freeze_batchnorm(model)
        for pixels, taught in ((x, y), (x + offsets, wrong)):
            total = total + F.cross_entropy(model(pixels[forget]), taught[forget], reduction="sum")
        return total / 24

    order = zip(shuffled(16, 2, 8), shuffled(48, 1, 8, "retain"), strict=False)
    by_hand(model, [lambda f=f, r=r: loss(f, r) for f, r in order])
    assert [step.phase for step in steps] == ["fooling the model"] * 2 + ["unlearning"] * 4
    close(found, model)


def test_the_network_grows_unsure_between_both_labels(base: Classifier) -> None:
    """On the forget images the true and the adversarial label share what the true one had."""
    found, _ = unlearn("amun", base, offered(PARTS), **SMALL["amun"])
    x, y = offered(PARTS).forget.batch(torch.arange(16), torch.device("cpu"))
    _, wrong = nearest_adversarial(copy.deepcopy(base).eval(), x, y, 0.2, 2)
    with torch.no_grad():
        before, after = (m.eval()(x).softmax(1) for m in (copy.deepcopy(base), found))
    each = torch.arange(16)
    assert float(after[each, y].mean()) < float(before[each, y].mean()) - 0.1
    assert float(after[each, wrong].mean()) > float(before[each, wrong].mean()) + 0.1
