"""DELETE against its definition, and where it leads."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners import delete
from core.unlearners.delete import without
from tests import tiny
from tests.fidelity.test_boundary import (
    CLASSES,
    DATA,
    STEPS,
    Linear,
    by_hand,
    close,
    full_precision,  # noqa: F401
    offered,
    shuffled,
    unlearn,
)

pytestmark = pytest.mark.usefixtures("small_compact", "full_precision")

SMALL = {"delete": {"epochs": 10, "batch_size": 4, "learning_rate": 0.01}}
FORGET = torch.from_numpy(CLASSES.forget)


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def transcribed(logits: Tensor, forgotten: list[int]) -> np.ndarray:
    """exp(z_k) over the sum of those of the other classes, 0 for the forgotten ones."""
    e = np.exp(logits.double().numpy())
    e[:, forgotten] = 0
    return e / e.sum(1, keepdims=True)


def test_the_target_has_no_mass_on_what_is_forgotten() -> None:
    logits = 5 * torch.randn(20, 10, generator=torch.Generator().manual_seed(0))
    logits[:, 3] += 40  # as sure as can be
    target = without(logits, torch.tensor([3, 7]))
    assert (target[:, [3, 7]] == 0).all()
    np.testing.assert_allclose(target, transcribed(logits, [3, 7]), rtol=1e-4, atol=1e-7)
    kept = [k for k in range(10) if k not in (3, 7)]
    torch.testing.assert_close(target[:, kept], logits[:, kept].softmax(1))


def test_it_is_sgd_on_the_divergence_from_the_masked_original(base: Classifier) -> None:
    found, steps = unlearn("delete", base, **STEPS)
    model = copy.deepcopy(base).eval()
    x = DATA.train_images[FORGET]
    with torch.no_grad():
        target = torch.from_numpy(transcribed(base(x), [0, 1])).float()
    kept = slice(2, 10)  # 0 log 0 is 0

    def divergence(p: Tensor) -> Tensor:
        t, q = target[p, kept], model(x[p]).softmax(1)[:, kept]
        return (t * (t.log() - q.log())).sum(1).mean()

    order = shuffled(14, 2, 7)
    assert steps[0].loss == pytest.approx(float(divergence(order[0]).detach()), rel=1e-3)
    by_hand(model, [lambda p=p: divergence(p) for p in order])
    assert len(steps) == 4
    close(found, model)


def test_the_student_moves_and_the_teacher_does_not(
    base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers: list[Classifier] = []

    def spy(model: Classifier) -> Classifier:
        teachers.append(copy.deepcopy(model))
        return teachers[-1]

    model = copy.deepcopy(base)
    monkeypatch.setattr(delete, "frozen_copy", spy)
    list(delete.Delete(**STEPS).run(model, offered(), torch.Generator().manual_seed(0)))
    assert len(teachers) == 1
    assert tiny.same(teachers[0], base)
    assert not tiny.same(model, base)
    moved = [
        not torch.equal(a, b) for a, b in zip(model.parameters(), base.parameters(), strict=True)
    ]
    assert all(moved)
    for ours, original in zip(model.buffers(), base.buffers(), strict=True):
        assert torch.equal(ours, original)


def test_it_ends_at_the_masked_original() -> None:
    """Softmax regression on fewer images than pixels can reach the target: there is no class left,
    and the others keep their proportions."""
    original = Linear(scale=0.5)
    x = DATA.train_images[FORGET]
    with torch.no_grad():
        before = original(x).softmax(1)
        target = without(original(x), torch.tensor([0, 1]))
    assert float(before[:, [0, 1]].sum(1).max()) > 0.2
    found, _ = unlearn("delete", original, epochs=50, batch_size=14, learning_rate=0.003)
    with torch.no_grad():
        after = found(x).softmax(1)
    assert float(after[:, [0, 1]].max()) < 0.01
    torch.testing.assert_close(after, target, rtol=0, atol=0.02)
