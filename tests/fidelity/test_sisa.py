"""SISA: bit for bit what training without the forgotten images gives, and no shard too many."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.checkpoints import memorisation, outside, storage
from core.checkpoints.references import train_model
from core.data.images import Images
from core.data.requests import ForgetRequest
from core.errors import BadRequest, CheckpointCorrupt
from core.models.recipe import Recipe
from core.models.registry import build_model
from core.models.sisa import Sisa
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.task import prepare
from core.training.loop import TrainingProgress
from core.training.shard_states import State
from core.training.shards import Stored, TrainedShards, assign, shards_of, train_shards, train_sisa
from core.unlearners import make
from core.unlearners.base import Step, UnlearningData
from tests import tiny

DATA = tiny.dataset(90)
ALL = np.arange(90)
SEED = 5
RECIPE = Recipe(epochs=4, clean_epochs=2, batch_size=8, learning_rate=0.1)
PER_SLICE = 2  # passes: 2 * 4 / (3 + 1)


@pytest.fixture(scope="module", autouse=True)
def three_by_three(small_compact: None):
    """Three shards of three slices of ten images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sisa, "SHARDS", 3)
        for module in ("core.training.shards", "core.checkpoints.slices"):
            patch.setattr(f"{module}.SLICES", 3)
        yield


def trained(indices: np.ndarray = ALL, images: Tensor = DATA.train_images) -> tuple[Sisa, Stored]:
    return tiny.ensemble(Images(images, DATA.train_labels, torch.from_numpy(indices)), RECIPE, SEED)


@functools.cache
def base() -> tuple[Sisa, Stored]:
    return trained()


def parts(*pairs: tuple[int, int]) -> np.ndarray:
    """The images of these (shard, slice)."""
    return np.flatnonzero(np.isin(assign(90, SEED).numpy(), [3 * a + b for a, b in pairs]))


def without(forget: np.ndarray) -> np.ndarray:
    return np.setdiff1d(ALL, forget)


def offered(forget: np.ndarray, architecture: str = "sisa") -> UnlearningData:
    retain = tiny.images(DATA, without(forget))
    return UnlearningData(
        {"retain": retain}, architecture, 10, RECIPE, records={"shards": lambda: base()[1]}
    )


def unlearn(forget: np.ndarray) -> tuple[Sisa, list[Step]]:
    model = copy.deepcopy(base()[0])
    return model, list(make("sisa").run(model, offered(forget), torch.Generator()))


def bits(model: torch.nn.Module) -> bytes:
    return b"".join(v.contiguous().numpy().tobytes() for v in model.state_dict().values())


# How the images are dealt out


def test_every_image_is_in_one_slice_of_one_shard() -> None:
    assigned = assign(1000, 0)
    assert set(assigned.tolist()) == set(range(9))
    assert set(np.bincount(assigned).tolist()) == {111, 112}
    assert not torch.equal(assigned, assign(1000, 1))
    for shard in shards_of(tiny.images(DATA), RECIPE, SEED, 10):
        for r, part in enumerate(shard.parts):
            chosen = parts(*((shard.number, earlier) for earlier in range(r + 1)))
            assert sorted(part.indices.tolist()) == chosen.tolist()


def test_those_to_keep_stay_where_they_were() -> None:
    forget = parts((1, 1))[:3]
    before = shards_of(tiny.images(DATA), RECIPE, SEED, 10)
    after = shards_of(tiny.images(DATA, without(forget)), RECIPE, SEED, 10)
    for old, new in zip(before, after, strict=True):
        for one, other in zip(old.parts, new.parts, strict=True):
            assert [i for i in one.indices.tolist() if i not in forget] == other.indices.tolist()
    # A state's name holds until the slice that lost an image, in that shard.
    same = [
        [a == b for a, b in zip(x.keys, y.keys, strict=True)]
        for x, y in zip(before, after, strict=True)
    ]
    assert same == [[True, True, True], [True, False, False], [True, True, True]]


@pytest.mark.parametrize(
    "change", [{"seed": 6}, {"classes": 7}, {"recipe": dataclasses.replace(RECIPE, crop=1)}]
)
def test_a_state_of_another_training_has_another_name(change: dict) -> None:
    same = {"recipe": RECIPE, "seed": SEED, "classes": 10}
    names = [
        {key for shard in shards_of(tiny.images(DATA), **found) for key in shard.keys}
        for found in (same, same | change)
    ]
    assert len(names[0] | names[1]) == 18


def test_slices_cost_what_one_training_costs() -> None:
    """Section V: passes of 2 e / (R + 1) a slice, over 1/R, 2/R .. of the images: e passes."""
    steps = make_steps(Recipe(epochs=14, batch_size=1))
    assert steps == 14 * 90


def make_steps(recipe: Recipe) -> int:
    model = copy.deepcopy(base()[0])
    shards = shards_of(tiny.images(DATA), recipe, SEED, 10)
    steps = train_shards(model, shards, recipe, SEED, lambda key: None)
    return next(steps).total_steps


# The vote


def test_the_vote_is_the_mean_probability() -> None:
    model = base()[0].eval()
    x = DATA.test_images
    with torch.inference_mode():
        logits = [member(x).double().numpy() for member in model.members]
        found = model(x).double().numpy()
    shares = [np.exp(a) / np.exp(a).sum(1, keepdims=True) for a in logits]
    expected = np.mean(shares, axis=0)
    assert found.shape == (40, 10)
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-5)


# What each network has seen


def test_a_shard_knows_its_own_images_alone() -> None:
    """Other pixels in one slice: another network for that shard, from that slice on."""
    images = DATA.train_images.clone()
    images[parts((1, 1))] = tiny.dataset(90, seed=9).train_images[parts((1, 1))]
    model, stored = base()
    other, others = trained(images=images)
    for k, (one, two) in enumerate(zip(model.members, other.members, strict=True)):
        assert (bits(one) == bits(two)) == (k != 1)
    for shard in shards_of(tiny.images(DATA), RECIPE, SEED, 10):
        for r, key in enumerate(shard.keys):
            states = stored.find(key), others.find(key)
            assert states[0]
            assert states[1]
            same = all(torch.equal(v, states[1].weights[n]) for n, v in states[0].weights.items())
            assert same == (shard.number != 1 or r == 0)


def test_what_a_slice_taught_is_what_its_training_said() -> None:
    """For `memorised:N`: of the slice that brought the image, the later ones it meets as known."""
    stored = base()[1]
    first, second, _ = shards_of(tiny.images(DATA), RECIPE, SEED, 10)[0].keys
    early, late = stored.find(first), stored.find(second)
    assert early
    assert late
    assert len(early.learned) == 10
    assert len(late.learned) == 20
    assert torch.equal(early.learned, late.learned[:10])
    assert 0 < early.learned.min() <= late.learned.max() < 1
    assert early.seconds < late.seconds


# Unlearning

CASES = {
    "one image of a first slice": (parts, ((0, 0),), 1),
    "one image of a middle slice": (parts, ((1, 1),), 1),
    "one image of a last slice": (parts, ((2, 2),), 1),
    "two shards": (parts, ((0, 2), (2, 1)), 20),
    "a whole first slice": (parts, ((1, 0),), 10),
    "a whole last slice": (parts, ((0, 2),), 10),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_training_without_the_forget_set(case: str) -> None:
    pick, pairs, count = CASES[case]
    forget = pick(*pairs)[:count]
    found, steps = unlearn(forget)
    expected, _ = trained(without(forget))
    assert bits(found) == bits(expected)
    assert bits(found) != bits(base()[0])
    hit = {shard for shard, _ in pairs}
    for k, (one, other) in enumerate(zip(found.members, base()[0].members, strict=True)):
        assert (bits(one) == bits(other)) == (k not in hit)  # untouched: byte-identical
    assert steps[-1].done == steps[-1].total == len(steps)


def test_a_class_is_in_every_shard() -> None:
    forget = np.flatnonzero(DATA.train_labels.numpy() == 3)
    assert bits(unlearn(forget)[0]) == bits(trained(without(forget))[0])


@pytest.mark.parametrize(("slice_", "left"), [(0, (9, 19, 29)), (1, (19, 29)), (2, (29,))])
def test_it_trains_no_more_than_it_must(
    slice_: int, left: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the slice that was hit on, and reads no image to forget and none of another shard."""
    base()
    read: list[int] = []
    plain = Images.batch

    def spy(self: Images, positions: Tensor, device: torch.device):
        read.extend(self.indices[positions].tolist())
        return plain(self, positions, device)

    monkeypatch.setattr(Images, "batch", spy)
    forget = parts((1, slice_))[:1]
    _, steps = unlearn(forget)
    assert len(steps) == sum(PER_SLICE * -(-n // 8) for n in left)
    assert set(read) == set(parts((1, 0), (1, 1), (1, 2))) - set(forget)


def test_broken_off_it_leaves_no_network_that_knows_them() -> None:
    """Every member that was hit is back before its first image to forget at once."""
    forget = np.array([parts((0, 0))[0], parts((1, 1))[0], parts((2, 2))[0]])
    model = copy.deepcopy(base()[0])
    steps = make("sisa").run(model, offered(forget), torch.Generator())
    next(steps)
    steps.close()
    assert all(p.requires_grad for p in model.parameters())
    shards = shards_of(tiny.images(DATA), RECIPE, SEED, 10)
    for k, r in ((1, 0), (2, 1)):
        state = base()[1].find(shards[k].keys[r])
        assert state
        for name, value in model.members[k].state_dict().items():
            assert torch.equal(value, state.weights[name])


def test_it_refuses_what_it_cannot_do() -> None:
    method = make("sisa")
    method.check(offered(parts((0, 0))))
    with pytest.raises(BadRequest, match=r"only an ensemble .* python -m core train --model sisa"):
        method.check(offered(parts((0, 0)), "compact"))
    with pytest.raises(BadRequest, match=r"Shard 2 .* no image left .* fewer"):
        method.check(offered(parts((1, 0), (1, 1), (1, 2))))


# Training, kept on disk


def finish(folder: Path) -> tuple[int, TrainedShards]:
    *steps, last = train_sisa(tiny.images(DATA), RECIPE, SEED, folder=folder)
    assert isinstance(last, TrainedShards)
    return len(steps), last


def test_a_training_goes_on_where_it_was(tmp_path: Path) -> None:
    whole, expected = finish(tmp_path / "whole")
    steps = train_sisa(tiny.images(DATA), RECIPE, SEED, folder=tmp_path / "broken")
    for _ in range(whole // 2):
        assert isinstance(next(steps), TrainingProgress)
    steps.close()
    files = sorted((tmp_path / "broken").glob("*.safetensors"))
    assert 3 < len(files) < 9
    files[0].write_bytes(files[0].read_bytes()[:100])  # this one is trained again
    again, found = finish(tmp_path / "broken")
    assert again < whole
    assert bits(found.model) == bits(expected.model) == bits(base()[0])
    np.testing.assert_array_equal(found.learned, expected.learned)
    assert found.members == expected.members
    assert set(found.states) == set(expected.states)
    assert not (tmp_path / "broken").exists()


def test_a_whole_run_on_what_is_saved(own_models: Path) -> None:
    *_, kept = train_model("sisa", DATA, RECIPE, seed=SEED)
    assert kept == storage.find("sisa", "tiny")
    folder = own_models / "sisa-tiny"
    assert bits(kept.load()) == bits(base()[0])
    assert memorisation.memorisation_scores(DATA).shape == (90,)
    assert not list((own_models.parent / "training").glob("*.slices"))
    assert [*train_model("sisa", DATA, RECIPE, seed=SEED)] == [kept]  # trained once

    forget = parts((2, 1))[:2]
    request = ForgetRequest.of_indices(forget.tolist())
    plan = Plan("sisa", "tiny", request, "sisa")
    weights = folder / "unlearned.safetensors"
    *_, run = prepare(plan, dataset=DATA, device="cpu").run(weights_file=weights)
    assert isinstance(run, Run)
    assert run.status == "finished"
    assert run.steps_done == PER_SLICE * (3 + 4)  # 18 and 28 images in batches of 8
    expected, _ = trained(without(forget))
    assert bits(outside.load_file_as("sisa", weights)) == bits(expected)

    with pytest.raises(BadRequest, match="Fine-tune changes a single network"):
        prepare(dataclasses.replace(plan, method="fine_tune"), dataset=DATA)

    file = folder / "base-slices.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointCorrupt, match="states of the shards in base-slices"):
        next(iter(prepare(plan, dataset=DATA).run()))
    file.unlink()
    with pytest.raises(CheckpointCorrupt, match="damaged or missing"):
        next(iter(prepare(plan, dataset=DATA).run()))
    assert json.loads((folder / "base.json").read_text())["slices"] == 3


def test_a_member_that_meets_an_empty_slice_first_starts_anew() -> None:
    """Its first slice is forgotten whole: the second one whitens the stem and starts training."""
    states: dict[str, State] = {}
    retain = tiny.images(DATA, without(parts((1, 0))))
    shards = shards_of(retain, RECIPE, SEED, 10)
    model = build_model("sisa", generator=torch.Generator().manual_seed(0))
    assert isinstance(model, Sisa)
    list(train_shards(model, shards, RECIPE, SEED, states.get, states.__setitem__))
    assert len(states) == 8
    assert torch.isfinite(model(DATA.test_images)).all()
