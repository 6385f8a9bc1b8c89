"""Selective synaptic dampening against the formula, written out in numpy."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from core.curvature.importance import KINDS, importance
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.unlearners import METHODS, make
from core.unlearners.base import Step, UnlearningData
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
FORGET = tiny.images(DATA, PARTS.forget)
SMALL = {"ssd": {"alpha": 1.0}, "lfssd": {"alpha": 1.0}}
both = pytest.mark.parametrize("name", ["ssd", "lfssd"])


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def unlearn(
    name: str, base: Classifier, every: Any = None, **settings: float
) -> tuple[Classifier, list[Step]]:
    records = tiny.records(base, tiny.images(DATA), {"importance"})
    if every:
        records = {"importance": every}
    data = UnlearningData({"forget": FORGET}, "compact", 10, tiny.SHORT, records=records)
    model = copy.deepcopy(base)
    return model, list(make(name, settings).run(model, data, torch.Generator().manual_seed(0)))


def weights(model: Classifier) -> dict[str, np.ndarray[Any, Any]]:
    return {name: weight.detach().numpy().copy() for name, weight in model.named_parameters()}


@both
@pytest.mark.parametrize(("alpha", "dampening"), [(1.0, 1.0), (2.0, 0.5), (1.5, 3.0), (0.5, 0.0)])
def test_it_is_the_formula(name: str, base: Classifier, alpha: float, dampening: float) -> None:
    kind = METHODS[name].kind
    *_, ours = importance(base, FORGET, kind)
    *_, all_images = importance(base, tiny.images(DATA), kind)
    found, _ = unlearn(name, base, alpha=alpha, dampening=dampening)
    selected = 0
    for weight, (key, theta) in zip(weights(found).values(), weights(base).items(), strict=True):
        i_f, i_d = ours[key].numpy(), all_images[key].numpy()
        chosen = i_f > alpha * i_d
        beta = np.minimum(dampening * i_d[chosen] / i_f[chosen], 1)
        theta[chosen] *= beta
        np.testing.assert_allclose(weight, theta, rtol=1e-6)
        selected += chosen.sum()
    assert 0 < selected < sum(weight.numel() for weight in base.parameters())
    for buffer, original in zip(found.buffers(), base.buffers(), strict=True):
        assert torch.equal(buffer, original)


@both
def test_a_selection_of_nothing_changes_nothing(name: str, base: Classifier) -> None:
    assert tiny.same(unlearn(name, base, alpha=1e6)[0], base)
    # The forget set is 16 of the 64 images: no weight matters more than 64 / 16 as much to it.
    assert tiny.same(unlearn(name, base, alpha=4.001)[0], base)
    assert not tiny.same(unlearn(name, base, alpha=1.5)[0], base)


@both
def test_no_weight_grows(name: str, base: Classifier) -> None:
    found, _ = unlearn(name, base, alpha=0.01, dampening=10)
    for weight, original in zip(weights(found).values(), weights(base).values(), strict=True):
        assert (np.abs(weight) <= np.abs(original)).all()
        assert (weight * original >= 0).all()


@both
def test_weights_that_matter_to_nothing_stay(name: str, base: Classifier) -> None:
    def nothing(kind: str) -> dict[str, torch.Tensor]:
        return {name: torch.zeros_like(weight) for name, weight in base.named_parameters()}

    found, _ = unlearn(name, base, every=nothing)
    *_, ours = importance(base, FORGET, METHODS[name].kind)
    for key, weight in weights(found).items():
        matters = ours[key].numpy() > 0
        assert (weight[matters] == 0).all()  # min(lambda 0 / I_F, 1)
        assert (weight[~matters] == weights(base)[key][~matters]).all()
        assert np.isfinite(weight).all()


def test_the_two_select_by_different_measures(base: Classifier) -> None:
    assert {METHODS["ssd"].kind, METHODS["lfssd"].kind} == set(KINDS)
    assert not tiny.same(unlearn("ssd", base, alpha=1)[0], unlearn("lfssd", base, alpha=1)[0])


def test_steps_are_batches_and_then_the_stages(base: Classifier) -> None:
    _, steps = unlearn("ssd", base)
    phases = [step.phase for step in steps]
    assert phases == ["measuring importance"] + ["dampening"] * len(base.stages())
