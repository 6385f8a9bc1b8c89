"""One training loop: what it draws, what it yields, and that a kill at any moment costs no bit."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.errors import BadRequest
from core.models import precision
from core.training import (
    RECIPES,
    Recipe,
    Trained,
    TrainingProgress,
    augment,
    make_optimiser,
    recipe_for,
    train,
)
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

ON = tiny.images(tiny.dataset(50, 10))
RECIPE = Recipe(epochs=6, clean_epochs=3, batch_size=16, learning_rate=0.1)
STEPS = 6 * 4


@pytest.fixture(scope="module")
def unbroken(small_compact: None) -> Trained:
    return tiny.trained(ON, RECIPE, seed=3)


def assert_same(one: Trained, other: Trained) -> None:
    assert tiny.same(one.model, other.model)
    np.testing.assert_array_equal(one.learned, other.learned)


def finish(state: Path, recipe: Recipe = RECIPE, seed: int = 3, on=ON) -> tuple[int, Trained]:
    """Trains to the end; where it was resumed, and the result."""
    resumed = -1
    for item in train("compact", on, recipe, seed, state_file=state):
        if isinstance(item, TrainingProgress):
            resumed = item.resumed_at
        else:
            return resumed, item
    raise AssertionError("no result")


def broken_off(state: Path, after: int) -> None:
    steps = train("compact", ON, RECIPE, 3, state_file=state)
    for _ in range(after):
        next(steps)
    steps.close()


# What it yields


def test_progress_and_the_result(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    *steps, last = train("compact", ON, RECIPE, 3, state_file=tmp_path / "state")
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    assert {step.total_steps for step in steps} == {STEPS}
    assert [step.epoch for step in steps] == [e for e in range(6) for _ in range(4)]
    assert [step.remaining is None for step in steps] == [True, True] + [False] * (STEPS - 2)
    assert steps[-1].remaining == 0
    assert all(0 <= step.accuracy <= 1 and step.loss > 0 for step in steps)
    assert isinstance(last, Trained)
    assert not last.model.training
    assert last.learned.shape == (50,)
    assert 0 < last.learned.min() <= last.learned.max() < 1
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(torch.get_rng_state(), before)


def test_same_seed_same_bits(unbroken: Trained) -> None:
    assert_same(tiny.trained(ON, RECIPE, seed=3), unbroken)
    assert not tiny.same(tiny.trained(ON, RECIPE, seed=4).model, unbroken.model)


def test_into_a_network_that_is_there(unbroken: Trained) -> None:
    model = tiny.trained(ON, tiny.SHORT, seed=9).model
    *_, last = train("compact", ON, RECIPE, 3, into=model)
    assert last.model is model
    assert tiny.same(model, unbroken.model)


def test_it_learns_by_heart() -> None:
    data = tiny.dataset()
    result = tiny.trained(tiny.images(data))
    with torch.inference_mode():
        right = result.model(data.train_images).argmax(1) == data.train_labels
    assert right.float().mean() > 0.95


def test_only_the_given_images_are_read(unbroken: Trained) -> None:
    other = tiny.dataset(50, 10, seed=1)
    chosen = list(range(0, 50, 2))
    mixed, labels = other.train_images.clone(), other.train_labels.clone()
    mixed[chosen], labels[chosen] = ON.images[chosen], ON.labels[chosen]
    mixture = dataclasses.replace(other, train_images=mixed, train_labels=labels)
    picked = tiny.images(mixture, chosen)
    expected = tiny.trained(dataclasses.replace(ON, indices=picked.indices), tiny.SHORT)
    assert_same(tiny.trained(picked, tiny.SHORT), expected)


# Broken off and resumed

KILLED = """
import sys, time
from pathlib import Path
import torch
from core.models import Compact
from core.training import train
from tests import tiny
from tests.core.test_training import ON, RECIPE
Compact.WIDTHS = tiny.WIDTHS
torch.set_num_threads(int(sys.argv[2]))
for item in train("compact", ON, RECIPE, 3, state_file=Path(sys.argv[1]), save_every=0):
    print(getattr(item, "resumed_at", "end"), flush=True)
    time.sleep(0.02)
"""


def test_killed_at_any_moment(tmp_path: Path, unbroken: Trained) -> None:
    state = tmp_path / "kept" / "state"
    root = str(Path(__file__).resolve().parents[2])
    resumed = []
    for delay in (random.Random(0).uniform(0, 0.15), random.uniform(0, 0.15)):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(state), str(torch.get_num_threads())],
            stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip
        assert child.stdout is not None
        resumed.append(child.stdout.readline().strip())
        child.stdout.readline()
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
    assert resumed[0] == "0"
    assert int(resumed[1]) > 0
    at, result = finish(state)
    assert int(resumed[1]) < at < STEPS
    assert_same(result, unbroken)


@pytest.mark.parametrize("after", [1, 4, 13, STEPS])
def test_closed_and_resumed(tmp_path: Path, unbroken: Trained, after: int) -> None:
    """In the middle of an epoch, at its end, in a clean epoch, and after the last batch."""
    broken_off(tmp_path / "state", after)
    at, result = finish(tmp_path / "state")
    assert at == (after if after < STEPS else -1)
    assert_same(result, unbroken)


def test_a_kill_while_the_result_is_saved_costs_no_training(
    tmp_path: Path, unbroken: Trained
) -> None:
    steps = train("compact", ON, RECIPE, 3, state_file=tmp_path / "state")
    *_, last = itertools.islice(steps, STEPS + 1)
    assert isinstance(last, Trained)
    kept = (tmp_path / "state").read_bytes()
    assert next(steps, None) is None
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").write_bytes(kept)
    at, result = finish(tmp_path / "state")
    assert at == -1  # no batch was needed
    assert_same(result, unbroken)


def test_another_training_does_not_go_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    other_images = tiny.images(tiny.dataset(50, 10, seed=1))
    changed_labels = dataclasses.replace(ON, labels=(ON.labels + 1) % 10)
    fewer = dataclasses.replace(ON, indices=ON.indices[:48])
    others = (
        {"seed": 4},
        {"recipe": dataclasses.replace(RECIPE, learning_rate=0.05)},
        {"on": other_images},
        {"on": changed_labels},
        {"on": fewer},
    )
    for other in others:
        broken_off(state, 2)
        steps = train(
            "compact", other.get("on", ON), other.get("recipe", RECIPE), other.get("seed", 3),
            state_file=state,
        )  # fmt: skip
        assert next(steps).resumed_at == 0
        state.unlink()
    broken_off(state, 2)
    with monkeypatch.context() as patch:
        patch.setenv("FORGETTING_LAB_PRECISION", _other_precision())
        assert next(train("compact", ON, RECIPE, 3, state_file=state)).resumed_at == 0
    state.unlink()
    broken_off(state, 2)
    assert next(train("compact", ON, RECIPE, 3, state_file=state)).resumed_at == 2


def _other_precision() -> str:
    return "float32" if precision("cpu") == "bfloat16" else "bfloat16"


def test_an_unknown_precision_is_said_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "half")
    with pytest.raises(BadRequest, match="FORGETTING_LAB_PRECISION is 'half'"):
        next(train("compact", ON, RECIPE, 3))


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "header"])
def test_a_damaged_state_is_started_over(tmp_path: Path, unbroken: Trained, damage: str) -> None:
    state = tmp_path / "state"
    broken_off(state, 5)
    content = state.read_bytes()
    state.write_bytes(
        {
            "empty": b"",
            "truncated": content[: len(content) // 2],
            "text": b"This is no state.",
            "header": b"\xff" * 8 + content[8:],
        }[damage]
    )
    at, result = finish(state)
    assert at == 0
    assert_same(result, unbroken)


def test_without_momentum_it_resumes_too(tmp_path: Path) -> None:
    recipe = dataclasses.replace(tiny.SHORT, momentum=0.0)
    steps = train("compact", ON, recipe, 0, state_file=tmp_path / "state")
    next(steps)
    steps.close()
    at, result = finish(tmp_path / "state", recipe, seed=0)
    assert at == 1
    assert_same(result, tiny.trained(ON, recipe))


# Augmentation and rates


def test_augment_shifts_and_mirrors_and_nothing_else() -> None:
    crop, size = 2, 8
    pictures = tiny.dataset(1, 10).train_images[:, :, :size, :size]
    padded = F.pad(pictures.float(), (crop,) * 4, mode="reflect").byte()[0]
    allowed = {}
    for top, left, mirror in itertools.product(range(5), range(5), (False, True)):
        cut = padded[:, top : top + size, left : left + size]
        allowed[(cut.flip(2) if mirror else cut).numpy().tobytes()] = (top, left, mirror)
    assert len(allowed) == 50

    out = augment(pictures.expand(4000, -1, -1, -1), crop, torch.Generator().manual_seed(0))
    assert out.shape == (4000, 3, size, size)
    assert out.dtype == torch.uint8
    seen = Counter(allowed[picture.numpy().tobytes()] for picture in out)
    assert len(seen) == 50
    assert min(seen.values()) > 40  # 80 on average
    assert max(seen.values()) < 130


def test_augment_handles_each_image_on_its_own() -> None:
    pictures = tiny.dataset(1, 10).train_images
    before = pictures.clone()
    out = augment(torch.cat([pictures] * 8), 4, torch.Generator().manual_seed(0))
    assert len({picture.numpy().tobytes() for picture in out}) > 4
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
@pytest.mark.parametrize("total", [1, 7, 500])
def test_rates(schedule: str, total: int) -> None:
    recipe = Recipe(learning_rate=0.3, schedule=schedule)
    rates = [recipe.rate(step, total) for step in range(total + 1)]
    assert rates[-1] == pytest.approx(0, abs=1e-15)
    assert max(rates) <= 0.3
    assert min(rates) >= 0
    top = int(np.argmax(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if schedule == "cosine":
        assert rates[0] == 0.3
    if total == 500:
        assert max(rates) == pytest.approx(0.3)


def test_the_schedule_is_what_the_optimiser_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []
    step = torch.optim.SGD.step

    def spy(self, *arguments):
        rates.append([group["lr"] for group in self.param_groups])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    tiny.trained(ON, RECIPE)
    assert rates == [[RECIPE.rate(i, STEPS)] * 2 for i in range(STEPS)]


def test_weight_decay_spares_biases_and_norms() -> None:
    model = tiny.trained(ON, tiny.SHORT).model
    decayed, spared = make_optimiser(model, 0.1, 0.9, 0.01).param_groups
    assert decayed["weight_decay"] == 0.01
    assert spared["weight_decay"] == 0
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in spared["params"]} == {1}
    assert len(decayed["params"]) + len(spared["params"]) == len(list(model.parameters()))


def test_recipes() -> None:
    assert recipe_for("compact", "digits") == RECIPES["compact", "digits"]
    assert recipe_for("compact", "cifar10-tuning") == RECIPES["compact", "cifar10"]
    with pytest.raises(BadRequest, match="no model 'vgg'"):
        recipe_for("vgg", "cifar10")
    for recipe in RECIPES.values():
        assert Recipe(**recipe.to_dict()) == recipe
