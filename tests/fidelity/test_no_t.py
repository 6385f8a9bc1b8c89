"""NoT: the first layer's output becomes its negative; what follows is fine-tuning."""

from __future__ import annotations

import copy
from typing import cast

import pytest
import torch
from torch import nn

from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners import make
from core.unlearners.base import Step, UnlearningData
from core.unlearners.no_t import negate_first_convolution
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {"not_negate": {"epochs": 6, "batch_size": 16, "learning_rate": 0.2}}
FIRST = {"compact": "stem", "resnet18": "net.conv1"}


def unlearn(name: str, base: Classifier, **settings: float) -> tuple[Classifier, list[Step]]:
    data = UnlearningData({"retain": tiny.images(DATA, PARTS.retain)}, "compact", 10, tiny.SHORT)
    model = copy.deepcopy(base)
    return model, list(make(name, settings).run(model, data, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("architecture", list(FIRST))
def test_the_first_layer_and_no_other_gives_the_negative(architecture: str) -> None:
    model = build_model(architecture, generator=torch.Generator().manual_seed(0))
    before = copy.deepcopy(model)
    negate_first_convolution(model)
    images = model.normalise(DATA.train_images[:4])
    first = FIRST[architecture]
    with torch.inference_mode():
        pair = [cast(nn.Conv2d, m.get_submodule(first))(images) for m in (model, before)]
    assert pair[1].abs().max() > 0.1
    assert torch.equal(pair[0], -pair[1])
    changed = {
        name
        for name, value in before.state_dict().items()
        if not torch.equal(model.state_dict()[name], value)
    }
    assert changed == {
        f"{first}.{name}" for name, _ in before.get_submodule(first).named_parameters()
    }


@pytest.mark.parametrize("architecture", list(FIRST))
def test_negating_twice_is_the_identity(architecture: str) -> None:
    model = build_model(architecture, generator=torch.Generator().manual_seed(0))
    before = copy.deepcopy(model)
    negate_first_convolution(model)
    assert not tiny.same(model, before)
    negate_first_convolution(model)
    assert tiny.same(model, before)


def test_it_is_fine_tuning_from_the_negated_weights() -> None:
    base = tiny.trained(tiny.images(DATA), tiny.SHORT).model
    negated = copy.deepcopy(base)
    for name, weight in negated.named_parameters():
        if name.startswith("stem."):
            weight.data = -1 * weight.data
    settings = {"epochs": 2, "batch_size": 16, "learning_rate": 0.05}
    found, expected = (
        unlearn("not_negate", base, **settings),
        unlearn("fine_tune", negated, **settings),
    )
    assert tiny.same(found[0], expected[0])
    assert found[1] == expected[1]
    assert not tiny.same(found[0], unlearn("fine_tune", base, **settings)[0])
