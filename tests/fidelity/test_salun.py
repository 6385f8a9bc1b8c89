"""SalUn: what is masked out does not move by a bit, and nothing masked out is random labels."""

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
from core.unlearners.common.saliency import smallest
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {"salun": {"epochs": 6, "rehearsal": 1, "batch_size": 16, "learning_rate": 0.02}}
STEPS = {"epochs": 2, "rehearsal": 1, "batch_size": 16, "learning_rate": 0.05}


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


def moved(found: Classifier, base: Classifier) -> Tensor:
    """Which of all weights, in a row, differ by any bit."""
    pairs = zip(found.parameters(), base.parameters(), strict=True)
    return torch.cat([(now != before).flatten() for now, before in pairs])


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_masked_out_weights_are_bit_identical(
    base: Classifier, monkeypatch: pytest.MonkeyPatch, momentum: float, weight_decay: float
) -> None:
    """Only the half with the largest gradient of CE(F), over all weights together, moves."""
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")
    model = copy.deepcopy(base).eval()
    forget = torch.from_numpy(PARTS.forget)
    F.cross_entropy(model(DATA.train_images[forget]), DATA.train_labels[forget]).backward()
    gradient = torch.cat([weight.grad.abs().flatten() for weight in model.parameters()])
    settings = {**STEPS, "momentum": momentum, "weight_decay": weight_decay}
    changed = moved(unlearn("salun", base, share=0.5, **settings)[0], base)
    half = round(0.5 * len(gradient))
    salient = gradient > gradient.sort().values[half - 1]
    assert int(salient.sum()) == len(gradient) - half
    # The order of images rounds the gradient otherwise: at the very median, a weight may change
    # sides.
    assert int((changed & ~salient).sum()) <= 0.002 * len(gradient)
    assert int((changed & salient).sum()) >= 0.9 * int(salient.sum())
    assert int(changed.sum()) <= len(gradient) - half
    free = moved(unlearn("salun", base, share=1, **settings)[0], base)
    assert int((free & ~salient).sum()) > 0.5 * half  # without the mask they would have moved


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_mask_of_ones_is_random_labels(base: Classifier, momentum: float) -> None:
    settings = {**STEPS, "momentum": momentum}
    expected, relabelling = unlearn("random_labels", base, **settings)
    found, steps = unlearn("salun", base, share=1, weight_decay=0, **settings)
    assert tiny.same(found, expected)
    assert [step.loss for step in steps[1:]] == [step.loss for step in relabelling]
    assert steps[0].phase == "finding salient weights"
    assert not tiny.same(unlearn("salun", base, weight_decay=0, **settings)[0], expected)


def test_weight_decay_acts_on_what_may_move(base: Classifier) -> None:
    plain, _ = unlearn("salun", base, weight_decay=0, **STEPS)
    decayed, _ = unlearn("salun", base, weight_decay=0.1, **STEPS)
    weight, shrunk = plain.blocks[2].conv2.weight, decayed.blocks[2].conv2.weight
    assert float(shrunk.detach().norm()) < float(weight.detach().norm())


def test_the_smallest_are_chosen_over_all_tensors() -> None:
    draw = np.random.default_rng(0)
    arrays = [draw.random((3, 4)), draw.random(5), draw.random((2, 2, 2)) / 10]
    for share in (0, 0.2, 0.5, 1):
        masks = smallest([torch.from_numpy(array) for array in arrays], share)
        flat = np.concatenate([array.ravel() for array in arrays])
        chosen = np.zeros(25, bool)
        chosen[np.argsort(flat)[: round(share * 25)]] = True
        assert np.concatenate([mask.numpy().ravel() for mask in masks]).tolist() == chosen.tolist()
        assert [mask.shape for mask in masks] == [array.shape for array in arrays]


def test_among_equals_exactly_the_share_is_chosen() -> None:
    masks = smallest([torch.zeros(6), torch.zeros(4)], 0.5)
    assert [mask.tolist() for mask in masks] == [[True] * 5 + [False], [False] * 4]
