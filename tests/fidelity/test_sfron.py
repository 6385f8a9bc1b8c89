"""SFRon against fine-tuning, gradient ascent, its mask and its weights, written out once more."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.unlearners import make
from core.unlearners.base import Step, UnlearningData
from core.unlearners.sfron import weighted_ascent
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {"sfron": {"steps": 40, "batch_size": 16, "learning_rate": 0.02, "forget_rate": 0.05}}


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def unlearn(name: str, base: Classifier, **settings: float) -> tuple[Classifier, list[Step]]:
    parts = {
        "retain": tiny.images(DATA, PARTS.retain),
        "forget": tiny.images(DATA, PARTS.forget),
    }
    data = UnlearningData(parts, "compact", 10, tiny.SHORT)
    model = copy.deepcopy(base)
    steps = make(name, settings).run(model, data, torch.Generator().manual_seed(0))
    return model, list(steps)


def importance(base: Classifier, indices: np.ndarray) -> list[Tensor]:
    """The mean squared gradient of one image's loss, image by image."""
    model = copy.deepcopy(base).eval()
    weights = list(model.parameters())
    found = [torch.zeros_like(weight) for weight in weights]
    for index in indices:
        loss = F.cross_entropy(
            model(DATA.train_images[index, None]), DATA.train_labels[index, None]
        )
        for into, gradient in zip(found, torch.autograd.grad(loss, weights), strict=True):
            into.add_(gradient.square() / len(indices))
    return found


@pytest.mark.parametrize("power", [0.0, 0.5, 0.9])
def test_the_ascent_climbs_a_power_of_the_loss(power: float) -> None:
    losses = torch.tensor([1e-4, 0.1, 1.0, 30.0], dtype=torch.float64, requires_grad=True)
    weighted_ascent(losses, power).backward()
    assert losses.grad is not None
    expected = -(losses.detach() ** -power) / 4
    torch.testing.assert_close(losses.grad, expected)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_an_image_known_by_heart_has_a_finite_pull(power: float) -> None:
    logits = torch.tensor([[18.0, 0.0], [200.0, 0.0]], requires_grad=True)
    losses = F.cross_entropy(logits, torch.tensor([0, 0]), reduction="none")
    assert float(losses.detach()[1]) == 0
    weighted_ascent(losses, power).backward()
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) < 1


def test_without_an_ascent_it_is_fine_tuning(base: Classifier) -> None:
    settings = {"batch_size": 16, "learning_rate": 0.05}
    expected, steps = unlearn("fine_tune", base, epochs=4, **settings)
    found, ours = unlearn("sfron", base, steps=12, every=100, **settings)
    assert tiny.same(found, expected)
    assert [step.loss for step in ours[2:]] == [step.loss for step in steps]


def test_plain_ascents_on_all_weights_are_neg_grad(base: Classifier) -> None:
    expected, _ = unlearn(
        "neg_grad", base, epochs=10, batch_size=16, learning_rate=0.01, momentum=0
    )
    found, _ = unlearn(
        "sfron", base, steps=10, every=1, batch_size=16, forget_rate=0.01, power=0, threshold=0
    )
    for ours, theirs, before in zip(
        found.parameters(), expected.parameters(), base.parameters(), strict=True
    ):
        distance = (theirs - before).norm()
        assert (ours - theirs).norm() <= 0.02 * distance + 1e-6
    for ours, before in zip(found.buffers(), base.buffers(), strict=True):
        assert torch.equal(ours, before)


@pytest.mark.parametrize("threshold", [0.5, 2.0])
def test_ascents_move_what_matters_more_for_the_forget_set(
    base: Classifier, threshold: float
) -> None:
    """I_F >= gamma I_R with both computed here; the rest is bit-identical."""
    found, _ = unlearn("sfron", base, steps=10, every=1, threshold=threshold, batch_size=16)
    of_forget, of_retain = importance(base, PARTS.forget), importance(base, PARTS.retain)
    free = torch.cat(
        [(f >= threshold * r).flatten() for f, r in zip(of_forget, of_retain, strict=True)]
    )
    pairs = zip(found.parameters(), base.parameters(), strict=True)
    moved = torch.cat([(now != before).flatten() for now, before in pairs])
    assert 0.02 < float(free.float().mean()) < 0.98
    # Sums in another order may round a weight at the very threshold to the other side.
    assert int((moved & ~free).sum()) <= 0.002 * len(free)
    assert int((moved & free).sum()) >= 0.9 * int(free.sum())


def test_rehearsal_moves_every_weight_and_every_kth_step_forgets(base: Classifier) -> None:
    _, steps = unlearn("sfron", base, steps=12, every=4, batch_size=16, forget_rate=1e-6)
    losses = [step.loss for step in steps if step.loss is not None]
    assert len(losses) == 12
    assert [loss < 0 for loss in losses] == [done % 4 == 0 for done in range(1, 13)]


def test_the_forget_set_feeds_no_batchnorm(base: Classifier) -> None:
    found, _ = unlearn("sfron", base, steps=12, every=4, batch_size=16)
    seen = found.blocks[0].norm1.num_batches_tracked - base.blocks[0].norm1.num_batches_tracked
    assert int(seen) == 9
