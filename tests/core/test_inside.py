"""A look inside, where it is known without it: functions of numbers, the networks that runs leave,
and a whole look at small networks."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from core.checkpoints import storage
from core.checkpoints import unlearned as kept
from core.checkpoints.outcomes import outcomes
from core.checkpoints.references import train_model
from core.checkpoints.storage import Checkpoint
from core.data.requests import FOLDS, ForgetRequest
from core.data.splits import fold_of_each, split
from core.errors import CheckpointMissing
from core.ideal import Ideal
from core.inside.chosen import chosen
from core.inside.look_inside import look_inside
from core.inside.subject import Subject
from core.layers import layers_of, weights_of
from core.metrics.confusion import confusion, of_each_class
from core.metrics.evidence import Outcome
from core.metrics.movement import relative_movement
from core.metrics.projection import plane_of, turned_to
from core.metrics.representation import cka, read_out
from core.models.classifier import Classifier
from core.models.registry import build_model
from core.runs.inside import subject_of
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.task import prepare
from tests import tiny

DATA = tiny.dataset()
PLAN = Plan(
    "compact", "tiny", ForgetRequest.random(16), "fine_tune", {"epochs": 2, "batch_size": 16}
)


def noise(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_cka_where_it_is_known() -> None:
    one = noise(400, 12)
    assert cka(one, one) == pytest.approx(1)
    assert cka(one, 3 * one @ ortho_group.rvs(12, random_state=1)) == pytest.approx(1)
    assert abs(cka(one, noise(400, 12, 7))) < 0.05


def test_a_read_out_of_separable_features_is_always_right() -> None:
    labels = np.arange(200) % 4
    features = noise(200, 12) + 20 * np.eye(4, 12, dtype=np.float32)[labels]
    fitted = read_out(features[:100], labels[:100])
    assert (fitted.predict(features[100:]) == labels[100:]).all()


def test_movement() -> None:
    weights = [noise(3, 4), noise(5, 1)]
    assert relative_movement(weights, weights) == 0
    assert relative_movement(weights, [2 * w for w in weights]) == pytest.approx(1)
    one = np.array([3.0, 4.0], np.float32)
    assert relative_movement([one], [one + np.array([0, 2], np.float32)]) == pytest.approx(0.4)
    assert np.isnan(relative_movement([0 * one], [one]))


def test_a_plane_has_what_lies_in_it() -> None:
    flat = noise(50, 2).astype(np.float64) * [3, 1]
    turn = ortho_group.rvs(9, random_state=0)[:2]
    plane = plane_of(flat @ turn + 5)
    assert plane.share == pytest.approx(1)
    places = plane.places(flat @ turn + 5)
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.testing.assert_allclose(distances, np.linalg.norm(flat[:, None] - flat, axis=2), atol=1e-9)


def test_a_turned_network_is_turned_back_and_what_moved_is_seen() -> None:
    own = noise(60, 8).astype(np.float64)
    turn = ortho_group.rvs(8, random_state=3)
    other = 2 * own @ turn + 1
    np.testing.assert_allclose(turned_to(other, other, own), own, atol=1e-6)
    moved = other.copy()
    moved[:5] += 2 * np.ones(8) @ turn
    back = turned_to(moved, other[5:], own[5:])
    np.testing.assert_allclose(back[:5] - own[:5], 1, atol=1e-6)
    np.testing.assert_allclose(back[5:], own[5:], atol=1e-6)


def test_what_few_images_do_not_show_is_not_turned() -> None:
    """The same network, whose kept images lie in three of eight dimensions."""
    every, kept = noise(20, 8).astype(np.float64), noise(4, 8, 1).astype(np.float64)
    np.testing.assert_allclose(turned_to(every, kept, kept), every, atol=1e-6)


def test_confusion() -> None:
    labels, said = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, -1])
    counts = confusion(labels, said, 3)
    assert counts.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(of_each_class(counts)[:2], [[2 / 3, 1 / 3, 0], [0, 1, 0]])
    assert np.isnan(of_each_class(counts)[2]).all()


@pytest.mark.parametrize(("architecture", "count"), [("compact", 8), ("resnet18", 10)])
def test_every_depth_is_read_in_one_pass(architecture: str, count: int) -> None:
    model = build_model(architecture, generator=torch.Generator().manual_seed(0)).eval()
    images = DATA.test_images[:6]
    layers = layers_of(model, images)
    assert next(iter(layers)) == "stem"
    assert list(layers)[-2:] == ["features", "answer"]
    assert len(layers) == count
    with torch.no_grad():
        half = (model.features(images).half().float(), model(images).half().float())
    np.testing.assert_allclose(layers["features"], half[0], rtol=1e-3)
    np.testing.assert_allclose(layers["answer"], half[1], atol=1e-3)
    assert not any(module._forward_pre_hooks for module in model.modules())
    every = sum(w.size for depth in model.depths() for w in weights_of(depth))
    assert every == sum(weight.numel() for weight in model.parameters())


def test_fewest_folds_that_have_enough_are_asked() -> None:
    many = tiny.dataset(train=6_000, test=20)
    own = fold_of_each(6_000)
    half = split(many, ForgetRequest.random(0.75))
    found = chosen(many, half, put_together=True)
    assert len(found.folds) == 1
    assert set(own[found.forget]) == set(found.folds) == set(found.test_judges)
    few = split(many, ForgetRequest.of_indices(range(30)))
    assert set(chosen(many, few, put_together=True).forget) == set(range(30))
    some = split(many, ForgetRequest.of_indices(range(300)))
    assert len(chosen(many, some, put_together=True).folds) == 4
    assert chosen(many, some, put_together=False).folds == ()


def test_the_oldest_networks_make_room(
    own_models: Path, small_compact: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_model("compact")
    base = Checkpoint(own_models / "none", {"architecture": "compact", "classes": 10})
    some = Outcome.blank(64, None), Outcome.blank(40, None)

    def keep(run: str, at: int) -> None:
        found = kept.keep_unlearned(model, run, base, DATA, *some)
        assert found is not None
        os.utime(found.weights.parent, (at, at))

    keep("one", 1)
    monkeypatch.setattr(kept, "ROOM", 2.5 * kept._size(kept._folder("one")))
    keep("two", 2)
    assert tiny.same(kept.unlearned("one").load(), model)
    keep("three", 3)
    assert [kept.unlearned(run) is not None for run in ("one", "two", "three")] == [0, 1, 1]
    monkeypatch.setattr(kept, "ROOM", 0)
    keep("four", 4)  # whatever there is room for, the newest stays
    assert [kept.unlearned(run) is not None for run in ("two", "three", "four")] == [0, 0, 1]


@pytest.fixture
def base(own_models: Path, small_compact: None, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A base that is judged on as few images as there are."""
    for module in ("metrics.representation", "inside.chosen", "inside.look_inside"):
        monkeypatch.setattr(f"core.{module}.FEWEST", 6)
    *_, trained = train_model("compact", DATA, tiny.SHORT)
    assert isinstance(trained, Checkpoint)
    return trained


PARTS = split(DATA, PLAN.request)


def subject(base: Checkpoint, left: Classifier, ideal: Ideal | None) -> Subject:
    """Of a run that left these weights, and answers as the base does."""
    answers = outcomes(base, None, DATA)
    found = kept.keep_unlearned(left, "a-run", base, DATA, *answers)
    assert found is not None
    return Subject(DATA, PARTS, base, ideal, found.sha256, found, answers)


def with_channels_in_another_order(base: Checkpoint, folder: Path) -> Checkpoint:
    """The same network, in which the last block's channels have changed places."""
    model = base.load()
    block, order = model.blocks[-1], torch.randperm(8, generator=torch.Generator().manual_seed(0))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for name, value in block.state_dict().items():
        if value.ndim:
            changed = value[order]
            state[f"blocks.2.{name}"] = changed[:, order] if name == "conv2.weight" else changed
    state["head.weight"] = state["head.weight"][:, order]
    model.load_state_dict(state)
    about = {name: base.manifest[name] for name in ("architecture", "classes", "fingerprint")}
    return storage.save(model, folder, "turned", about)


def test_a_network_that_has_not_changed_has_not_changed_inside(
    base: Checkpoint, tmp_path: Path
) -> None:
    """The ideal is the same network as well, with the last block's channels in another order: that
    is no difference in what it knows, and none in where its photos lie."""
    turned = with_channels_in_another_order(base, tmp_path)
    seen: list[tuple[str, float]] = []
    about = subject(base, base.load(), Ideal((turned,)))
    found = look_inside(about, lambda model, share: seen.append((model, share)))
    assert (found.moved == 0).all()
    np.testing.assert_allclose(found.alike, 1, atol=1e-4)
    assert found.judged == 16
    np.testing.assert_allclose(found.excess[0], found.excess[1])
    np.testing.assert_allclose(found.excess[0, :, 0], found.excess[2, :, 0], atol=0.13)
    np.testing.assert_allclose(found.away[1, :, 0], 0, atol=0.13)
    size = np.abs(found.places[0]).max(axis=(1, 2))[:, None, None]
    for model in (1, 2):
        np.testing.assert_allclose(found.places[model] / size, found.places[0] / size, atol=0.02)
        np.testing.assert_allclose(found.probabilities[model], found.probabilities[0], atol=1e-2)
        np.testing.assert_array_equal(found.confusions[1], found.confusions[0])
    assert found.confusions[0, 0].sum() == 16
    assert found.confusions[0, 1].sum() == 40
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    assert {model for model, _ in seen} == {"before", "after", "retrained", "reading"}


def test_each_image_is_asked_of_the_network_of_its_own_fold(base: Checkpoint) -> None:
    """All ten networks are the base: whoever is asked, each photo lies where it lay before."""
    found = look_inside(subject(base, base.load(), Ideal((base,) * FOLDS)))
    assert found.networks == len(np.unique(fold_of_each(64)[PARTS.forget]))
    size = np.abs(found.places[0]).max(axis=(1, 2))[:, None, None]
    np.testing.assert_allclose(found.places[2] / size, found.places[0] / size, atol=1e-4)
    np.testing.assert_allclose(found.probabilities[2], found.probabilities[0], atol=1e-5)


def test_without_an_ideal_the_rest_is_seen(base: Checkpoint) -> None:
    other = build_model("compact", generator=torch.Generator().manual_seed(5))
    found = look_inside(subject(base, other, None))
    assert found.networks == 0
    assert np.isnan(found.excess[2]).all()
    assert np.isnan(found.places[2]).all()
    assert np.isfinite(found.excess[:2]).all()
    assert (found.moved[[0, 1, -1]] > 0.1).all()
    assert not found.confusions[2].any()


def test_a_run_is_looked_into_once(base: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, run = prepare(PLAN, dataset=DATA, device="cpu").run(run_id="one", keep=True)
    assert isinstance(run, Run)
    left = kept.unlearned("one")
    assert left is not None
    assert run.weights_sha256 == left.sha256
    first = look_inside(subject_of(run, DATA))
    said = first.confusions[1, 1]
    assert said.diagonal().sum() / said.sum() == pytest.approx(run.after.value("test_accuracy"))
    assert 0 < first.moved[-1] < 2

    shutil.rmtree(left.weights.parent)  # it has made room: what was found in it is still known
    again = subject_of(run, DATA).found()
    assert again is not None
    for field in dataclasses.fields(again):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(first, field.name))
    with pytest.raises(CheckpointMissing, match="not kept here"):
        look_inside(subject_of(run, DATA))
    with pytest.raises(CheckpointMissing, match="not the network it left"):
        subject_of(dataclasses.replace(run, id="old", weights_sha256=""), DATA)


def test_what_cannot_be_kept_costs_no_run(base: Checkpoint, own_models: Path) -> None:
    (own_models.parent / "unlearned").write_text("a file, where the folder should be")
    *_, run = prepare(PLAN, dataset=DATA, device="cpu").run(run_id="one", keep=True)
    assert run.status == "finished"
    assert run.weights_sha256 == ""
