"""Bad Teacher against its loss written out, and its teachers, which must not move."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners import bad_teacher, make
from core.unlearners.base import Step, UnlearningData
from core.unlearners.common.draw import stream
from core.unlearners.common.losses import divergence
from core.unlearners.common.networks import freeze_batchnorm, frozen_copy
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {"bad_teacher": {"epochs": 10, "batch_size": 8, "learning_rate": 0.01}}


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def offered() -> UnlearningData:
    parts = {name: tiny.images(DATA, getattr(PARTS, name)) for name in ("retain", "forget")}
    return UnlearningData(parts, "compact", 10, tiny.SHORT)


def unlearn(base: Classifier, **settings: float) -> tuple[Classifier, list[Step]]:
    model = copy.deepcopy(base)
    method = make("bad_teacher", settings)
    return model, list(method.run(model, offered(), torch.Generator().manual_seed(0)))


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_divergence_is_that_of_kullback_and_leibler(temperature: float) -> None:
    draw = torch.Generator().manual_seed(0)
    teacher, student = (3 * torch.randn(7, 10, generator=draw) for _ in range(2))
    p, q = (softmax(logits.numpy() / temperature) for logits in (teacher, student))
    expected = temperature**2 * (p * np.log(p / q)).sum(1)
    found = divergence(teacher, student, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert not np.allclose(found, divergence(student, teacher, temperature), rtol=0.1)
    torch.testing.assert_close(divergence(teacher, teacher), torch.zeros(7), rtol=0, atol=1e-6)


def test_a_step_is_adam_on_the_loss_written_out(
    base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step on all of the forget set and half of the retain set, in float32."""
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")
    found, steps = unlearn(base, epochs=1, batch_size=64, retain_share=0.5, learning_rate=1e-3)
    seeded = torch.Generator().manual_seed(0)
    share = torch.randperm(48, generator=stream(seeded, "share"))[:24]
    model = copy.deepcopy(base).train()
    bad = build_model("compact", 10, stream(seeded, "bad teacher")).eval()
    keep, gone = (DATA.train_images[i] for i in (PARTS.retain[share.numpy()], PARTS.forget))
    with torch.no_grad():
        good_target = base.eval()(keep).softmax(1)
        bad_target = bad(gone).softmax(1)
    on_retain = good_target * (good_target.log() - model(keep).log_softmax(1))
    freeze_batchnorm(model)
    on_forget = bad_target * (bad_target.log() - model(gone).log_softmax(1))
    loss = (on_retain.sum() + on_forget.sum()) / 40
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    loss.backward()
    optimiser.step()
    assert len(steps) == 1
    assert steps[0].loss == pytest.approx(float(loss.detach()), rel=1e-4)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-4, atol=2e-5)


def test_the_student_moves_and_the_teachers_do_not(
    base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers: list[tuple[Classifier, Classifier]] = []

    def spy(model: Classifier) -> Classifier:
        made = frozen_copy(model)
        teachers.append((made, copy.deepcopy(made)))
        return made

    monkeypatch.setattr(bad_teacher, "frozen_copy", spy)
    found, _ = unlearn(base, **SMALL["bad_teacher"] | {"retain_share": 1.0})
    assert len(teachers) == 2
    for teacher, before in teachers:
        assert tiny.same(teacher, before)  # BatchNorm too
        assert not any(m.training for m in teacher.modules())
        assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    good, bad = (teacher for teacher, _ in teachers)
    assert tiny.same(good, base)
    for name, weight in bad.named_parameters():
        if weight.ndim > 1:
            assert not torch.equal(weight, base.get_parameter(name))
    for ours, original in zip(found.parameters(), base.parameters(), strict=True):
        assert not torch.equal(ours, original)

    def distance(teacher: Classifier, student: Classifier, which: Any) -> Tensor:
        with torch.inference_mode():
            images = DATA.train_images[which]
            return divergence(teacher(images), student.eval()(images)).mean()

    forget, retain = PARTS.forget, PARTS.retain
    assert distance(bad, found, forget) < 0.5 * distance(bad, base, forget)
    assert distance(good, found, forget) > 2 * distance(good, found, retain)


def test_it_sees_all_to_forget_and_the_share_to_keep(
    base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Tensor] = []
    plain = Images.batch

    def spy(self: Images, positions: Tensor, device: torch.device):
        read.append(self.indices[positions])
        return plain(self, positions, device)

    monkeypatch.setattr(Images, "batch", spy)
    _, steps = unlearn(base, epochs=2, batch_size=8, retain_share=0.25)
    assert len(steps) == 2 * 4  # 16 + 12 images a pass
    seen = torch.cat(read)
    indices, counts = seen.unique(return_counts=True)
    assert (counts == 2).all()
    assert set(PARTS.forget) <= set(indices.tolist())
    assert len(indices) == 16 + 12
    for some in read:
        assert set(some.tolist()) <= set(PARTS.forget) or set(some.tolist()) <= set(PARTS.retain)


def test_what_is_forgotten_feeds_no_batchnorm(base: Classifier) -> None:
    """A batch of all images: the statistics move by those of the retained ones alone."""
    found, _ = unlearn(base, epochs=1, batch_size=64, retain_share=1.0)
    expected = copy.deepcopy(base).train()
    with torch.no_grad():
        expected(DATA.train_images[PARTS.retain])
    for ours, theirs in zip(found.buffers(), expected.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)
