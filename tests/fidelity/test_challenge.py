"""The four methods of the NeurIPS 2023 challenge against right answers that are known."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners import make
from core.unlearners.base import Need, Step, UnlearningData
from core.unlearners.challenge import transpose
from core.unlearners.challenge_fcs import contrast, from_uniform
from core.unlearners.common.draw import stream
from core.unlearners.common.networks import kernels
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {
    "ct": {"epochs": 10, "batch_size": 16, "learning_rate": 0.1},
    "msg": {"epochs": 10, "batch_size": 16, "learning_rate": 0.1},
    "cfw": {"epochs": 10, "batch_size": 16, "learning_rate": 0.1},
    "fcs": {
        "rehearsal": 2,
        "batch_size": 16,
        "forget_rate": 0.05,
        "contrast_rate": 3e-4,
        "learning_rate": 0.05,
    },
}
ONE_STEP = {"epochs": 0.01, "batch_size": 64, "learning_rate": 1e-5, "momentum": 0}
"""One batch of all images at a rate that moves hardly anything."""


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training in float32, so that another order of images gives the same numbers."""
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")


def offered(retain: Any = PARTS.retain, forget: Any = PARTS.forget) -> UnlearningData:
    indices: dict[Need, Any] = {"retain": retain, "forget": forget}
    parts = {name: tiny.images(DATA, chosen) for name, chosen in indices.items()}
    return UnlearningData(parts, "compact", 10, tiny.SHORT)


def unlearn(
    name: str, start: Classifier, data: UnlearningData | None = None, **settings: float
) -> tuple[Classifier, list[Step]]:
    model = copy.deepcopy(start)
    steps = make(name, settings).run(model, data or offered(), torch.Generator().manual_seed(0))
    return model, list(steps)


def everything(part: Images) -> tuple[torch.Tensor, torch.Tensor]:
    return part.batch(torch.arange(len(part)), torch.device("cpu"))


# CT


@pytest.mark.parametrize("architecture", ["compact", "resnet18"])
def test_a_transposed_network_sees_transposed_images(architecture: str) -> None:
    """Nothing in either network tells rows from columns but its kernels."""
    model = build_model(architecture, 10, torch.Generator().manual_seed(0)).eval()
    images = DATA.train_images[:8]
    mirrored = images.transpose(2, 3).contiguous()
    with torch.no_grad():
        expected, before = model(mirrored), model(images)
        transpose(kernels(model))
        found = model(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (found - before).abs().max() > 0.01 * before.abs().max()


def test_transposing_twice_is_the_identity(base: Classifier) -> None:
    model = copy.deepcopy(base)
    transpose(kernels(model))
    assert not tiny.same(model, base)
    transpose(kernels(model))
    assert tiny.same(model, base)


def test_every_convolution_is_transposed() -> None:
    convolutions = {"compact": 7, "resnet18": 20}
    for architecture, expected in convolutions.items():
        found = kernels(build_model(architecture))
        assert len(found) == expected
        assert all(kernel.ndim == 4 for kernel in found)


def test_ct_fine_tunes_the_transposed_network(base: Classifier) -> None:
    settings = {"epochs": 2, "batch_size": 16, "learning_rate": 0.05}
    start = copy.deepcopy(base)
    transpose(kernels(start))
    expected, steps = unlearn("fine_tune", start, **settings)
    found = unlearn("ct", base, **settings)
    assert tiny.same(found[0], expected)
    assert found[1] == steps


# MSG


def test_msg_draws_the_idle_weights_anew(base: Classifier, exact: None) -> None:
    found, steps = unlearn("msg", base, **ONE_STEP)
    assert [step.phase for step in steps] == ["finding idle weights", "unlearning"]
    model, data = copy.deepcopy(base).eval(), offered()
    (x, y), (forget_x, forget_y) = everything(data.retain), everything(data.forget)
    (F.cross_entropy(model(x), y) - F.cross_entropy(model(forget_x), forget_y)).backward()
    slopes = [kernel.grad for kernel in kernels(model)]
    together = np.concatenate([slope.abs().numpy().ravel() for slope in slopes])
    bound = np.sort(together)[round(0.3 * len(together))]
    seed = stream(torch.Generator().manual_seed(0), "new weights")
    fresh = kernels(build_model("compact", 10, seed))
    disagree = anew = 0
    for now, old, new, slope in zip(kernels(found), kernels(base), fresh, slopes, strict=True):
        idle = slope.abs() < float(bound)
        expected = torch.where(idle, new, old)
        disagree += int(((now - expected).abs() > 1e-3).sum())
        anew += int(idle.sum())
    assert anew == round(0.3 * len(together))
    assert disagree <= 0.002 * len(together)  # ties, in floating point


def test_msg_leaves_all_else_as_it_is(base: Classifier) -> None:
    found, _ = unlearn("msg", base, share=1, **ONE_STEP)
    convolutional = {id(kernel) for kernel in kernels(found)}
    for name, weight in found.named_parameters():
        original = base.get_parameter(name)
        if id(weight) in convolutional:
            assert (weight - original).abs().max() > 0.05, name
        else:
            torch.testing.assert_close(weight, original, rtol=0, atol=1e-3)


def test_msg_that_draws_nothing_is_fine_tuning(base: Classifier) -> None:
    settings = {"epochs": 2, "batch_size": 16, "learning_rate": 0.05}
    expected, _ = unlearn("fine_tune", base, **settings)
    assert tiny.same(unlearn("msg", base, share=0, **settings)[0], expected)


# CFW


def test_cfw_shakes_the_kernels_alone(base: Classifier) -> None:
    found, _ = unlearn("cfw", base, noise=0.6, **ONE_STEP)
    shaken = {id(kernel) for kernel in kernels(found)}
    for name, weight in found.named_parameters():
        change = (weight - base.get_parameter(name)).detach()
        if id(weight) in shaken:
            amount = float(change.std() / base.get_parameter(name).detach().std())
            assert amount == pytest.approx(0.6, rel=4 / (2 * weight.numel()) ** 0.5), name
        else:
            assert change.abs().max() < 1e-3, name


def test_cfw_weighs_every_class_alike(exact: None) -> None:
    """The weighted mean over all of R is the mean of the classes' means."""
    model = build_model("compact", 10, torch.Generator().manual_seed(0))
    uneven = torch.where((DATA.train_labels < 3) | (torch.arange(64) < 16))[0]
    data = offered(retain=uneven)
    _, steps = unlearn("cfw", model, data, noise=0, **ONE_STEP)
    images, labels = everything(data.retain)
    with torch.no_grad():
        losses = F.cross_entropy(copy.deepcopy(model).train()(images), labels, reduction="none")
    means = [float(losses[labels == label].mean()) for label in labels.unique()]
    assert steps[0].loss == pytest.approx(np.mean(means), rel=1e-4)
    assert abs(float(losses.mean()) / np.mean(means) - 1) > 1e-2


def test_cfw_without_noise_on_balanced_classes_is_fine_tuning(
    base: Classifier, exact: None
) -> None:
    balanced = torch.cat([torch.where(DATA.train_labels == label)[0][:4] for label in range(10)])
    data = offered(retain=balanced)
    settings = {"epochs": 2, "batch_size": 20, "learning_rate": 0.02, "momentum": 0}
    expected, _ = unlearn("fine_tune", base, data, **settings)
    found, _ = unlearn("cfw", base, data, noise=0, **settings)
    for ours, theirs in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_cfw_without_a_class_in_the_retain_set(base: Classifier) -> None:
    parts = split(DATA, ForgetRequest.of_classes("a"))
    found, steps = unlearn("cfw", base, offered(parts.retain, parts.forget), **ONE_STEP)
    assert all(np.isfinite(step.loss) for step in steps)
    assert all(weight.isfinite().all() for weight in found.parameters())


# FCS


def test_distance_from_uniform_known_values() -> None:
    assert float(from_uniform(torch.full((5, 10), 3.0))) == pytest.approx(0, abs=1e-6)
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    expected = np.mean(np.log(1 / 3) - np.log([0.5, 0.25, 0.25]))
    assert float(from_uniform(logits)) == pytest.approx(expected, rel=1e-5)


def test_contrast_is_its_formula() -> None:
    draw = np.random.default_rng(0)
    f, r = draw.normal(size=(4, 10)), draw.normal(size=(7, 10))
    similar = np.exp(f @ r.T / 1.15)
    expected = -np.mean(np.log(similar / similar.sum(1, keepdims=True)))
    found = contrast(torch.from_numpy(f), torch.from_numpy(r), 1.15)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_contrast_is_least_where_no_retain_image_is_nearer() -> None:
    retain = torch.randn(7, 10, generator=torch.Generator().manual_seed(0))
    nowhere = contrast(torch.zeros(3, 10), retain, 1.15)
    assert float(nowhere) == pytest.approx(np.log(7), rel=1e-6)
    assert float(contrast(retain[:3], retain, 1.15)) > float(nowhere) + 0.1


def test_fcs_goes_through_its_phases(base: Classifier) -> None:
    """One pass over F, then rounds of one over F and a part of R."""
    _, steps = unlearn("fcs", base, rounds=2, rehearsal=1 / 3, batch_size=8)
    found = [(name, len(list(some))) for name, some in itertools.groupby(s.phase for s in steps)]
    rounds = [("contrasting", 2), ("strengthening", 2)]
    assert found == [("forgetting", 2), *rounds, *rounds]


def test_fcs_first_makes_the_network_undecided(base: Classifier, exact: None) -> None:
    """Its first step goes down the gradient of KL(uniform || p) on F, BatchNorm left alone."""
    settings = {"batch_size": 16, "forget_rate": 0.001, "momentum": 0}
    model = copy.deepcopy(base)
    steps = make("fcs", settings).run(model, offered(), torch.Generator().manual_seed(0))
    first = next(steps)
    expected = copy.deepcopy(base).eval()
    probabilities = expected(everything(offered().forget)[0]).softmax(1)
    loss = -(probabilities.log().mean() + np.log(10))
    loss.backward()
    assert first.loss == pytest.approx(float(loss.detach()), rel=1e-4)
    for ours, original in zip(model.parameters(), expected.parameters(), strict=True):
        assert original.grad is not None
        step, slope = original - ours, 0.001 * original.grad
        assert (step - slope).norm() <= 1e-3 * slope.norm() + 1e-6
    for ours, original in zip(model.buffers(), base.buffers(), strict=True):
        assert torch.equal(ours, original)


def test_fcs_feeds_batchnorm_with_rehearsed_images_alone(base: Classifier) -> None:
    found, steps = unlearn("fcs", base, rounds=2, rehearsal=1, batch_size=16)
    rehearsed = sum(step.phase == "strengthening" for step in steps)
    seen = found.blocks[0].norm1.num_batches_tracked - base.blocks[0].norm1.num_batches_tracked
    assert rehearsed == 2 * 3
    assert int(seen) == rehearsed
