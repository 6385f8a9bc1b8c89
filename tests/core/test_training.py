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

from core.errors import BadRequest, CheckpointCorrupt
from core.models.precision import precision
from core.models.recipe import Recipe
from core.models.registry import ARCHITECTURES, build_model, recipe_for
from core.training.augmentation import augment, smaller
from core.training.loop import Trained, TrainingProgress, train
from core.training.muon import COEFFICIENTS, Muon, orthogonalised
from core.training.optimisers import make_optimiser
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

ON = tiny.images(tiny.dataset(50, 10))
SGD = Recipe(epochs=6, clean_epochs=3, batch_size=16, learning_rate=0.1)
MUON = dataclasses.replace(
    SGD, optimiser="muon", label_smoothing=0.1, train_stem=False, flip="alternating", growing=2
)
STEPS = 6 * 4


@pytest.fixture(scope="module", params=[SGD, MUON], ids=["sgd", "muon"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return request.param


@pytest.fixture(scope="module")
def unbroken(small_compact: None, recipe: Recipe) -> Trained:
    return tiny.trained(ON, recipe, seed=3)


def assert_same(one: Trained, other: Trained) -> None:
    assert tiny.same(one.model, other.model)
    np.testing.assert_array_equal(one.learned, other.learned)


def finish(state: Path, recipe: Recipe = SGD, seed: int = 3, on=ON) -> tuple[int, Trained]:
    """Trains to the end; where it was resumed, and the result."""
    resumed = -1
    for item in train("compact", on, recipe, seed, state_file=state):
        if isinstance(item, TrainingProgress):
            resumed = item.resumed_at
        else:
            return resumed, item
    raise AssertionError("no result")


def broken_off(state: Path, after: int, recipe: Recipe = SGD) -> None:
    steps = train("compact", ON, recipe, 3, state_file=state)
    for _ in range(after):
        next(steps)
    steps.close()


# What it yields


def test_progress_and_the_result(tmp_path: Path, recipe: Recipe) -> None:
    before = torch.get_rng_state()
    *steps, last = train("compact", ON, recipe, 3, state_file=tmp_path / "state")
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    assert {step.total_steps for step in steps} == {STEPS}
    assert [step.epoch for step in steps] == [e for e in range(6) for _ in range(4)]
    assert [step.remaining is None for step in steps] == [True, True] + [False] * (STEPS - 2)
    assert steps[-1].remaining == 0
    assert all(0 <= step.accuracy <= 1 and step.loss > 0 for step in steps)
    assert isinstance(last, Trained)
    assert not last.model.training
    assert all(weight.requires_grad for weight in last.model.parameters())
    assert last.learned.shape == (50,)
    assert 0 < last.learned.min() <= last.learned.max() < 1
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(torch.get_rng_state(), before)


def test_same_seed_same_bits(unbroken: Trained, recipe: Recipe) -> None:
    assert_same(tiny.trained(ON, recipe, seed=3), unbroken)
    assert not tiny.same(tiny.trained(ON, recipe, seed=4).model, unbroken.model)


def test_into_a_network_that_is_there(unbroken: Trained, recipe: Recipe) -> None:
    model = tiny.trained(ON, tiny.SHORT, seed=9).model
    *_, last = train("compact", ON, recipe, 3, into=model)
    assert last.model is model
    assert tiny.same(model, unbroken.model)


def test_images_grow() -> None:
    recipe = Recipe(epochs=8, growing=4, first_side=16)
    assert [recipe.side(epoch, 32) for epoch in range(6)] == [16, 20, 24, 28, 32, 32]
    assert {Recipe().side(epoch, 32) for epoch in range(14)} == {32}
    assert recipe.side(0, 12) == 12
    with pytest.raises(CheckpointCorrupt):
        Recipe.from_dict({"growing": 4, "first_side": 8})


def test_smaller_images_are_means_of_their_pixels() -> None:
    images = torch.arange(2 * 3 * 32 * 32).remainder(251).to(torch.uint8).view(2, 3, 32, 32)
    white = torch.full_like(images, 255)
    torch.testing.assert_close(smaller(white, 20), torch.full((2, 3, 20, 20), 255.0))
    found = smaller(images, 16)
    assert found.shape == (2, 3, 16, 16)
    wanted = F.interpolate(images.float(), (16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-3)


def test_the_time_left_knows_that_small_images_are_cheap() -> None:
    steps = train("compact", ON, dataclasses.replace(SGD, growing=3, first_side=16), 3)
    progress = [item for item in steps if isinstance(item, TrainingProgress)]
    pace = progress[3].seconds / (4 * 16**2)  # an epoch of four batches has passed
    assert progress[3].remaining == pytest.approx(pace * 4 * (20**2 + 26**2 + 3 * 32**2))


@pytest.mark.parametrize("optimiser", ["sgd", "muon"])
def test_it_learns_by_heart(optimiser: str) -> None:
    data = tiny.dataset()
    result = tiny.trained(tiny.images(data), dataclasses.replace(tiny.RECIPE, optimiser=optimiser))
    with torch.inference_mode():
        right = result.model(data.train_images).argmax(1) == data.train_labels
    assert right.float().mean() > 0.95


def test_only_the_given_images_are_read(recipe: Recipe) -> None:
    other = tiny.dataset(50, 10, seed=1)
    chosen = list(range(0, 50, 2))
    mixed, labels = other.train_images.clone(), other.train_labels.clone()
    mixed[chosen], labels[chosen] = ON.images[chosen], ON.labels[chosen]
    mixture = dataclasses.replace(other, train_images=mixed, train_labels=labels)
    picked = tiny.images(mixture, chosen)
    expected = tiny.trained(dataclasses.replace(ON, indices=picked.indices), recipe)
    assert_same(tiny.trained(picked, recipe), expected)


# Broken off and resumed

KILLED = """
import sys, time
from pathlib import Path
import torch
from core.models.compact import Compact
from core.training.loop import train
from tests import tiny
from tests.core import test_training
Compact.WIDTHS = tiny.WIDTHS
torch.set_num_threads(int(sys.argv[2]))
on, recipe = test_training.ON, getattr(test_training, sys.argv[3].upper())
for item in train("compact", on, recipe, 3, state_file=Path(sys.argv[1]), save_every=0):
    print(getattr(item, "resumed_at", "end"), flush=True)
    time.sleep(0.02)
"""


def test_killed_at_any_moment(tmp_path: Path, unbroken: Trained, recipe: Recipe) -> None:
    state = tmp_path / "kept" / "state"
    root = str(Path(__file__).resolve().parents[2])
    resumed = []
    for delay in (random.Random(0).uniform(0, 0.15), random.uniform(0, 0.15)):
        child = subprocess.Popen(
            [
                sys.executable, "-c", KILLED, str(state), str(torch.get_num_threads()),
                recipe.optimiser,
            ],
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
    at, result = finish(state, recipe)
    assert int(resumed[1]) < at < STEPS
    assert_same(result, unbroken)


@pytest.mark.parametrize("after", [1, 4, 13, STEPS])
def test_closed_and_resumed(tmp_path: Path, unbroken: Trained, recipe: Recipe, after: int) -> None:
    """In the middle of an epoch, at its end, in a clean epoch, and after the last batch."""
    broken_off(tmp_path / "state", after, recipe)
    at, result = finish(tmp_path / "state", recipe)
    assert at == (after if after < STEPS else -1)
    assert_same(result, unbroken)


def test_a_kill_while_the_result_is_saved_costs_no_training(
    tmp_path: Path, unbroken: Trained, recipe: Recipe
) -> None:
    steps = train("compact", ON, recipe, 3, state_file=tmp_path / "state")
    *_, last = itertools.islice(steps, STEPS + 1)
    assert isinstance(last, Trained)
    kept = (tmp_path / "state").read_bytes()
    assert next(steps, None) is None
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").write_bytes(kept)
    at, result = finish(tmp_path / "state", recipe)
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
        {"recipe": dataclasses.replace(SGD, learning_rate=0.05)},
        {"recipe": MUON},
        {"on": other_images},
        {"on": changed_labels},
        {"on": fewer},
    )
    for other in others:
        broken_off(state, 2)
        steps = train(
            "compact", other.get("on", ON), other.get("recipe", SGD), other.get("seed", 3),
            state_file=state,
        )  # fmt: skip
        assert next(steps).resumed_at == 0
        state.unlink()
    broken_off(state, 2)
    with monkeypatch.context() as patch:
        patch.setenv("FORGETTING_LAB_PRECISION", _other_precision())
        assert next(train("compact", ON, SGD, 3, state_file=state)).resumed_at == 0
    state.unlink()
    broken_off(state, 2)
    assert next(train("compact", ON, SGD, 3, state_file=state)).resumed_at == 2


def _other_precision() -> str:
    return "float32" if precision("cpu") == "bfloat16" else "bfloat16"


def test_an_unknown_precision_is_said_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "half")
    with pytest.raises(BadRequest, match="FORGETTING_LAB_PRECISION is 'half'"):
        next(train("compact", ON, SGD, 3))


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "header"])
def test_a_damaged_state_is_started_over(
    tmp_path: Path, unbroken: Trained, recipe: Recipe, damage: str
) -> None:
    state = tmp_path / "state"
    broken_off(state, 5, recipe)
    content = state.read_bytes()
    state.write_bytes(
        {
            "empty": b"",
            "truncated": content[: len(content) // 2],
            "text": b"This is no state.",
            "header": b"\xff" * 8 + content[8:],
        }[damage]
    )
    at, result = finish(state, recipe)
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
    rates = [recipe.course(step, total) for step in range(total + 1)]
    assert rates[-1] == pytest.approx(0, abs=1e-15)
    assert max(rates) <= 1
    assert min(rates) >= 0
    top = int(np.argmax(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    if schedule == "cosine":
        assert rates[0] == 1
    if total == 500:
        assert max(rates) == pytest.approx(1)


def test_the_schedule_is_what_the_optimisers_get(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    rates: dict[type, list[list[float]]] = {torch.optim.SGD: [], Muon: []}
    for kind, found in rates.items():

        def spy(self, *arguments, step=kind.step, found=found):
            found.append([group["lr"] for group in self.param_groups])
            return step(self, *arguments)

        monkeypatch.setattr(kind, "step", spy)
    tiny.trained(ON, recipe)
    course = [recipe.course(i, STEPS) for i in range(STEPS)]
    assert rates[torch.optim.SGD] == [[recipe.learning_rate * share] * 2 for share in course]
    kernels = [[recipe.kernel_rate * share] for share in course]
    assert rates[Muon] == (kernels if recipe is MUON else [])


# What the newer recipe adds


def test_a_frozen_stem_stays_what_it_was_whitened_to() -> None:
    last = tiny.trained(ON, MUON, seed=3)
    fresh = build_model("compact", 10, torch.Generator().manual_seed(0))
    some = torch.randperm(len(ON), generator=_after_the_weights(3))[:5000]
    fresh.initialise(ON.batch(some, torch.device("cpu"))[0])
    assert torch.equal(last.model.stem.weight, fresh.stem.weight)
    assert not torch.equal(last.model.stem.bias, fresh.stem.bias)
    trained = tiny.trained(ON, dataclasses.replace(MUON, train_stem=True), seed=3).model
    assert not torch.equal(trained.stem.weight, fresh.stem.weight)


def _after_the_weights(seed: int) -> torch.Generator:
    generator = torch.Generator().manual_seed(seed)
    build_model("compact", 10, generator)
    return generator


def test_a_training_that_is_left_leaves_every_weight_trainable() -> None:
    model = tiny.trained(ON, tiny.SHORT, seed=9).model
    steps = train("compact", ON, MUON, 3, into=model)
    next(steps)
    assert not model.stem.weight.requires_grad
    steps.close()
    assert all(weight.requires_grad for weight in model.parameters())


def test_labels_are_smoothed_until_the_clean_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    plain = F.cross_entropy

    def spy(*arguments, label_smoothing):
        found.append(label_smoothing)
        return plain(*arguments, label_smoothing=label_smoothing)

    monkeypatch.setattr(F, "cross_entropy", spy)
    tiny.trained(ON, MUON)
    assert found == [0.1] * 12 + [0.0] * 12


def test_alternating_each_image_is_mirrored_every_other_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turned: list[tuple[torch.Tensor, torch.Tensor]] = []

    def spy(images, crop, generator, mirrored):
        turned.append((images, mirrored))
        return augment(images, crop, generator, mirrored)

    monkeypatch.setattr("core.training.loop.augment", spy)
    tiny.trained(ON, MUON)
    assert len(turned) == 12
    epochs = []
    for epoch in range(3):
        images, mirrored = map(torch.cat, zip(*turned[4 * epoch : 4 * epoch + 4], strict=True))
        order = [image.numpy().tobytes() for image in images]
        epochs.append(dict(zip(order, mirrored.tolist(), strict=True)))
    first, second, third = epochs
    assert first == third == {image: not was for image, was in second.items()}
    assert 10 < sum(first.values()) < 40


def test_mirrored_as_asked() -> None:
    pictures = tiny.dataset(2, 10).train_images
    out = augment(pictures, 0, torch.Generator(), torch.tensor([True, False]))
    assert torch.equal(out[0], pictures[0].flip(2))
    assert torch.equal(out[1], pictures[1])


# Muon


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 12)])
def test_orthogonalised_changes_the_singular_values_alone(shape: tuple[int, int]) -> None:
    """To those of the polynomial, three times over; not small ones come near 1."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    a, b, c = COEFFICIENTS
    found = s / s.norm()
    for _ in range(3):
        found = a * found + b * found**3 + c * found**5
    expected = u @ torch.diag(found) @ v
    torch.testing.assert_close(orthogonalised(matrix).double(), expected, atol=1e-4, rtol=1e-3)
    large = found[s > 0.1 * s.max()]
    assert (large > 0.5).all()
    assert (large < 1.5).all()


def test_orthogonalised_does_not_see_the_scale() -> None:
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(orthogonalised(matrix), orthogonalised(1000 * matrix))
    assert torch.equal(orthogonalised(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_steps_of_muon_written_out() -> None:
    draw = torch.Generator().manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(4, 3, 3, 3, generator=draw))
    idle = torch.nn.Parameter(torch.ones(2, 1, 1, 1))
    muon = Muon([kernel, idle], lr=0.1, momentum=0.5)
    expected, momentum = kernel.detach().clone(), torch.zeros(4, 3, 3, 3)
    for _ in range(3):
        kernel.grad = torch.randn(4, 3, 3, 3, generator=draw)
        momentum = 0.5 * momentum + kernel.grad
        direction = orthogonalised((kernel.grad + 0.5 * momentum).reshape(4, 27)).reshape(
            4, 3, 3, 3
        )
        expected = 2 * expected / expected.norm() - 0.1 * direction
        muon.step()
        torch.testing.assert_close(kernel.detach(), expected)
    assert torch.equal(idle.detach(), torch.ones(2, 1, 1, 1))


def test_weight_decay_spares_biases_and_norms() -> None:
    model = tiny.trained(ON, tiny.SHORT).model
    decayed, spared = make_optimiser(model, 0.1, 0.9, 0.01).param_groups
    assert decayed["weight_decay"] == 0.01
    assert spared["weight_decay"] == 0
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in spared["params"]} == {1}
    assert len(decayed["params"]) + len(spared["params"]) == len(list(model.parameters()))


def test_recipes() -> None:
    assert recipe_for("compact", "digits") == ARCHITECTURES["compact"].on_digits
    assert Recipe.from_dict(MUON.to_dict()) == MUON
    # Manifests, states and shards are named by what the first recipes had.
    assert not set(SGD.to_dict()) & {"optimiser", "flip", "train_stem", "label_smoothing"}
    assert recipe_for("compact", "cifar10-tuning") == ARCHITECTURES["compact"].recipe
    with pytest.raises(BadRequest, match="no model 'vgg'"):
        recipe_for("vgg", "cifar10")
    for recipe in [each.recipe for each in ARCHITECTURES.values()]:
        assert Recipe(**recipe.to_dict()) == recipe
