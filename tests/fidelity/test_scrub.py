"""SCRUB's steps written out, its teacher, which must not move, and the rewind of SCRUB+R."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import Split, split
from core.models.classifier import Classifier
from core.models.precision import float32_only
from core.unlearners import make, scrub
from core.unlearners.base import Step, UnlearningData
from core.unlearners.common.draw import stream
from core.unlearners.common.networks import frozen_copy
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
CLASS = split(DATA, ForgetRequest.of_classes("a"))
# On three bases in each precision SCRUB goes a quarter of the way or more; at .03 a twentieth.
STEPS = {"batch_size": 8, "forget_rate": 0.05, "retain_rate": 0.02, "retain_share": 0.5}
SMALL = {
    "scrub": STEPS,
    "scrub_r": STEPS | {"held_out": 10, "rounds": 4, "max_rounds": 4},
}


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    """Trained in float32, as SCRUB computes: then nothing here depends on the precision."""
    with float32_only():
        return tiny.trained(tiny.images(DATA)).model


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")


def unlearn(
    name: str, base: Classifier, parts: Split = PARTS, retain: Any = None, **settings: float
) -> tuple[Classifier, list[Step]]:
    chosen = {"retain": parts.retain if retain is None else retain, "forget": parts.forget}
    images = {part: tiny.images(DATA, indices) for part, indices in chosen.items()}
    data = UnlearningData(images, "compact", 10, tiny.SHORT)
    model = copy.deepcopy(base)
    return model, list(make(name, settings).run(model, data, torch.Generator().manual_seed(0)))


def logits(model: Classifier, which: Any) -> Tensor:
    with torch.inference_mode():
        return copy.deepcopy(model).eval()(DATA.train_images[torch.as_tensor(which)])


def divergence(teacher: Classifier, student: Classifier, which: Any, heat: float = 4.0) -> float:
    p, q = (F.log_softmax(logits(model, which) / heat, 1) for model in (teacher, student))
    return float((p.exp() * (p - q)).sum(1).mean())


# Single steps, without momentum


def one_step(base: Classifier, loss: Tensor, model: Classifier, rate: float) -> Iterator[Tensor]:
    """base's weights a plain step further, down the gradient that the loss has at model's."""
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    for gradient, original in zip(gradients, base.parameters(), strict=True):
        yield original - rate * gradient


def test_a_max_step_climbs_the_divergence(base: Classifier, float32: None) -> None:
    """Rounds of one max and one min step, of which the second does nothing here."""
    heat, rate = 3.0, 0.01
    found, steps = unlearn(
        "scrub", base, rounds=1, max_rounds=1, batch_size=16, forget_rate=rate, momentum=0,
        temperature=heat, alpha=0, gamma=0, retain_share=0.1,
    )  # fmt: skip
    assert [step.phase for step in steps] == ["forgetting", "keeping"]
    p = F.log_softmax(logits(base, PARTS.forget).clone() / heat, 1)
    model = copy.deepcopy(base).train()
    q = F.log_softmax(model(DATA.train_images[PARTS.forget]) / heat, 1)
    loss = -(heat**2) * (p.exp() * (p - q)).sum(1).mean()
    assert steps[0].loss == pytest.approx(float(loss.detach()), rel=1e-3)
    for ours, theirs in zip(found.parameters(), one_step(base, loss, model, rate), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_a_min_step_descends_cross_entropy_and_divergence(base: Classifier, float32: None) -> None:
    """From a student that is not the teacher: the second of two rounds on all of R."""
    settings = {"batch_size": 64, "max_rounds": 0, "retain_share": 1, "momentum": 0, "alpha": 0.5}
    settings |= {"gamma": 0.8, "temperature": 2.0, "retain_rate": 0.1}
    first, _ = unlearn("scrub", base, rounds=1, **settings)
    found, steps = unlearn("scrub", base, rounds=2, **settings)
    assert [step.phase for step in steps] == ["keeping"] * 2
    model = copy.deepcopy(first).train()
    out = model(DATA.train_images[PARTS.retain])
    p = F.log_softmax(logits(base, PARTS.retain).clone() / 2, 1)
    distance = 4 * (p.exp() * (p - F.log_softmax(out / 2, 1))).sum(1).mean()
    loss = 0.8 * F.cross_entropy(out, DATA.train_labels[PARTS.retain]) + 0.5 * distance
    assert steps[1].loss == pytest.approx(float(loss.detach()), rel=1e-3)
    for ours, theirs in zip(found.parameters(), one_step(first, loss, model, 0.1), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_without_forgetting_and_obedience_it_is_fine_tuning(
    base: Classifier, float32: None
) -> None:
    plain, steps = unlearn("fine_tune", base, epochs=2, learning_rate=0.05, batch_size=16)
    only, others = unlearn(
        "scrub", base, rounds=1, max_rounds=0, retain_share=2, retain_rate=0.05, batch_size=16,
        alpha=0, gamma=1,
    )  # fmt: skip
    assert tiny.same(plain, only)
    assert [step.loss for step in steps] == [step.loss for step in others]


def test_rounds_alternate(base: Classifier) -> None:
    _, steps = unlearn("scrub", base, rounds=3, max_rounds=2, batch_size=16, retain_share=1)
    per_round = ["forgetting"] + ["keeping"] * 3
    assert [step.phase for step in steps] == per_round * 2 + ["keeping"] * 3


def test_the_student_moves_and_the_teacher_does_not(
    base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers: list[Classifier] = []

    def spy(model: Classifier) -> Classifier:
        teachers.append(frozen_copy(model))
        return teachers[-1]

    monkeypatch.setattr(scrub, "frozen_copy", spy)
    found, _ = unlearn("scrub", base, **SMALL["scrub"])
    (teacher,) = teachers
    assert tiny.same(teacher, base)  # BatchNorm too
    assert not any(module.training for module in teacher.modules())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    for ours, original in zip(found.parameters(), base.parameters(), strict=True):
        assert not torch.equal(ours, original)
    # Away from the teacher on what is to be forgotten, and not as far on the rest.
    far = divergence(base, found, PARTS.forget)
    assert far > 0.05
    assert far > 2 * divergence(base, found, PARTS.retain)


def test_what_is_forgotten_feeds_no_batchnorm(base: Classifier) -> None:
    """With a rate that moves nothing the statistics are those after the min passes alone."""
    settings = {"rounds": 2, "batch_size": 16, "retain_share": 1, "retain_rate": 1e-6}
    both, _ = unlearn("scrub", base, max_rounds=2, forget_rate=1e-6, **settings)
    keeps, _ = unlearn("scrub", base, max_rounds=0, **settings)
    for ours, theirs, original in zip(both.buffers(), keeps.buffers(), base.buffers(), strict=True):
        if ours.is_floating_point():
            torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)
        else:
            assert ours == theirs == original + 6  # batches seen
    assert all(m.track_running_stats for m in both.modules() if hasattr(m, "running_mean"))


# The rewind


@pytest.mark.parametrize("parts", [PARTS, CLASS], ids=["random", "class"])
def test_the_rewind_takes_the_round_whose_forget_error_is_nearest(
    base: Classifier, parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal, bit for bit, to stopping there: SCRUB of that many rounds without what was aside."""
    settings = SMALL["scrub"] | {"rounds": 4, "max_rounds": 4}
    read: list[Tensor] = []
    plain = Images.batch

    def spy(self: Images, positions: Tensor, device: torch.device):
        read.append(self.indices[positions])
        return plain(self, positions, device)

    with monkeypatch.context() as patch:
        patch.setattr(Images, "batch", spy)
        found, steps = unlearn("scrub_r", base, parts, held_out=10, **settings)
    assert steps[-1].phase == "rewinding"

    retained = set(parts.retain.tolist())
    trained_on: set[int] = set()
    aside: set[int] = set()
    for step, indices in zip(steps, read, strict=False):
        which = set(indices.tolist()) & retained
        (aside if step.phase == "measuring" else trained_on).update(which)
    assert not aside & trained_on
    labels = DATA.train_labels.numpy()
    shares = np.bincount(labels[parts.forget], minlength=10) / len(parts.forget)
    held = np.bincount(labels[sorted(aside)], minlength=10) if aside else np.zeros(10)
    retain_counts = np.bincount(labels[parts.retain], minlength=10)
    assert held.tolist() == np.minimum(np.ceil(10 * shares), retain_counts // 2).tolist()

    kept = np.array([i for i in parts.retain if i not in aside])
    rounds = [
        unlearn("scrub", base, parts, kept, **settings | {"rounds": k})[0] for k in (1, 2, 3, 4)
    ]

    def mistakes(model: Classifier, which: Any) -> Any:
        return logits(model, which).argmax(1).numpy() != labels[which]

    goal = 0.0
    for label, share in enumerate(shares):
        of_class = np.array([i for i in sorted(aside) if labels[i] == label], dtype=np.int64)
        error = mistakes(rounds[-1], of_class).mean() if len(of_class) else 1.0
        goal += share * error
    order = torch.randperm(
        len(parts.forget),
        generator=stream(torch.Generator().manual_seed(0), "measured"),
    )
    sample = parts.forget[order[:10].numpy()]
    gaps = [abs(mistakes(model, sample).mean() - goal) for model in rounds]
    nearest = max(k for k, gap in enumerate(gaps) if gap == pytest.approx(min(gaps), abs=1e-6))
    assert tiny.same(found, rounds[nearest])
    assert sum(tiny.same(found, model) for model in rounds) == 1


def test_a_class_that_is_gone_should_always_be_wrong() -> None:
    class_a = tiny.images(DATA, CLASS.forget)
    nothing = tiny.images(DATA, np.zeros(0, np.int64))
    assert scrub._expected_error(class_a, nothing, []) == 1
    # Half of the forget set is of a class that is held out and half of one that is not.
    both = Images(DATA.train_images, torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 2]))
    aside = Images(both.images, both.labels, torch.tensor([3, 4]))
    found = scrub._expected_error(both, aside, [torch.tensor([0.0]), torch.tensor([1.0])])
    assert found == pytest.approx(0.5 * 1 + 0.5 * 0.5)


def test_progress_where_no_image_is_held_out(base: Classifier) -> None:
    """Of a class that is gone nothing is measured: no step is counted for it."""
    _, steps = unlearn("scrub_r", base, CLASS, **SMALL["scrub_r"])
    assert [step.done for step in steps] == list(range(1, steps[-1].total + 1))


def test_the_rewind_goes_back(base: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where held-out images are as often wrong as after the first round, to there: not to where
    too much was forgotten."""
    labels = DATA.train_labels[PARTS.forget]

    def error(goal: float, rounds: int = 4) -> float:
        monkeypatch.setattr(scrub, "_expected_error", lambda *_: goal)
        found, _ = unlearn("scrub_r", base, **SMALL["scrub_r"] | {"rounds": rounds})
        return float((logits(found, PARTS.forget).argmax(1) != labels).float().mean())

    # As near to every round as to any other is: the last of them.
    first, last = (error(float("inf"), rounds) for rounds in (1, 4))
    assert first < last
    assert error(first) == first
    assert error(last) == last
