"""From plan to record: what is watched on the way, what is measured, and what is never touched."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core import evaluation, unlearners
from core.checkpoints import storage
from core.checkpoints.references import train_model
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import (
    BadRequest,
    BadSetting,
    CheckpointMissing,
    EmptyForgetSet,
    EverythingForgotten,
    UnknownClass,
    UnknownMethod,
)
from core.evaluation import evaluate_model
from core.metrics.registry import METRICS
from core.runs import live, offered_data, task
from core.runs.estimates import evaluation_of
from core.runs.offered_data import case_of
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from core.runs.task import prepare
from core.runs.verdicts import verdict_of
from core.unlearners import make
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
REQUEST = ForgetRequest.random(16)
SETTINGS = {"epochs": 10, "batch_size": 16, "learning_rate": 0.3}
PLAN = Plan("compact", "tiny", REQUEST, "fine_tune", SETTINGS)
STEPS = 30


def train_base(data: ImageDataset = DATA, **options: Any) -> Checkpoint:
    *_, kept = train_model("compact", data, tiny.SHORT, **options)
    assert isinstance(kept, Checkpoint)
    return kept


@pytest.fixture
def base(own_models: Path) -> Checkpoint:
    return train_base()


def finish(plan: Plan = PLAN, data: ImageDataset = DATA, **options: Any):
    """The snapshots, and the finished run; the other items are as `Task.run` promises."""
    task = prepare(plan, dataset=data, device="cpu")
    first, started, *rest, run = task.run(**options)
    first_verdict, judged = (item for item in rest if isinstance(item, Run))
    snapshots = [item for item in rest if isinstance(item, Snapshot)]
    assert isinstance(first, Snapshot)
    assert isinstance(started, Run)
    assert isinstance(run, Run)
    assert judged.status == "running"
    assert judged.after.forget_losses.tolist() == run.after.forget_losses.tolist()
    assert judged.after["test_accuracy"] == run.after["test_accuracy"]
    # First what the outputs say, then what slower spies do, last what needs the images to keep.
    late = {name for name, metric in METRICS.items() if "retained" in metric.needs}
    quick = {name for name, metric in METRICS.items() if not metric.slow} - late
    assert set(first_verdict.after.measures) == quick
    assert set(judged.after.measures) == set(METRICS) - late
    assert list(run.after.measures) == list(METRICS)
    for name, measure in judged.after.measures.items():
        assert run.after[name] == measure or math.isnan(measure.value)
    signals = {s.name for s in verdict.signals} if (verdict := verdict_of(first_verdict)) else set()
    assert signals <= quick
    assert started.status == "running"
    assert started.after is None
    # The look inside the two fixed models comes after the last step.
    assert started.before is not None
    inside = {name for name, metric in METRICS.items() if metric.needs & {"features", "mirrored"}}
    for early, whole in ((started.before, run.before), (started.retrained, run.retrained)):
        if early is not None and whole is not None:
            assert set(early.measures) == set(METRICS) - inside
            assert list(whole.measures) == list(METRICS)
            for name, measure in early.measures.items():
                assert whole[name] == measure or math.isnan(measure.value)
    assert (started.id, started.plan, started.created) == (run.id, run.plan, run.created)
    return [first, *snapshots], run


def files(folder: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


# What comes out


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", ["fine_tune", "scrub"])
def test_the_precision_that_was_used_is_in_the_run(
    base: Checkpoint, monkeypatch: pytest.MonkeyPatch, asked: str, method: str
) -> None:
    """Asked for, but by SCRUB's own declaration."""
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", asked)
    settings = {"batch_size": 16} | ({"epochs": 2} if method == "fine_tune" else {"rounds": 1})
    run = finish(dataclasses.replace(PLAN, method=method, settings=settings))[1]
    assert run.versions["training_precision"] == ("float32" if method == "scrub" else asked)


def test_the_precision_of_training_is_in_the_manifest(
    own_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "bfloat16")
    assert train_base().manifest["versions"]["training_precision"] == "bfloat16"


def test_an_unknown_precision_is_said_before_any_work(
    base: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "half")
    with pytest.raises(BadRequest, match="FORGETTING_LAB_PRECISION is 'half'"):
        prepare(PLAN, dataset=DATA, device="cpu")


def test_a_finished_run(base: Checkpoint, tmp_path: Path) -> None:
    before = files(base.weights.parent)
    snapshots, run = finish(weights_file=tmp_path / "out.safetensors", run_id="abc")
    assert files(base.weights.parent) == before  # the base's own files are as they were
    assert (run.id, run.status, run.plan) == ("abc", "finished", PLAN)
    assert (run.steps_done, run.total_steps) == (STEPS, STEPS)
    assert run.settings == make("fine_tune", SETTINGS).settings()
    assert run.retrained is None
    assert run.reference == ""
    assert set(run.seconds) == {"unlearning", "measuring", "watching"}
    assert 0 <= run.seconds["watching"] <= run.seconds["measuring"]
    assert {"torch", "threads", "machine", "training_precision"} <= set(run.versions)
    assert run.data["fingerprint"] == DATA.fingerprint
    assert run.data["model_trained_on_same_pixels"] is True
    assert [run.data[part] for part in ("forget", "retain", "test")] == [16, 48, 40]

    parts = split(DATA, REQUEST)
    assert run.data["forget_digest"] == parts.digest
    assert run.before is not None
    assert run.before.metrics() == evaluate_model(base.load(), DATA, parts).metrics()
    unlearned = base.load()
    unlearned.load_state_dict(load_file(tmp_path / "out.safetensors"))
    assert run.after is not None
    assert run.after.metrics() == evaluate_model(unlearned.eval(), DATA, parts).metrics()
    assert run.weights_sha256 == storage.save_weights(unlearned, tmp_path / "again")
    assert run.after.metrics() != run.before.metrics()
    assert snapshots[-1].phase == "measuring"


def test_the_weights_are_those_of_the_method_alone(base: Checkpoint, tmp_path: Path) -> None:
    """Probes, rolling samples and the clock beside it change no bit."""
    parts = split(DATA, REQUEST)
    method, model = make("fine_tune", SETTINGS), base.load()
    data = offered_data.offered_data(DATA, parts, method.needs, base)
    list(method.run(model, data, torch.Generator().manual_seed(3)))
    digest = storage.save_weights(model, tmp_path / "direct")

    plan = dataclasses.replace(PLAN, seed=3)
    runs = [finish(plan, weights_file=tmp_path / "out")[1] for _ in range(2)]
    assert [run.weights_sha256 for run in runs] == [digest, digest]
    other = finish(dataclasses.replace(plan, seed=4), weights_file=tmp_path / "out")[1]
    assert other.weights_sha256 != digest


OWN_MODEL = [name for name, m in unlearners.METHODS.items() if "shards" in m.needs]


@pytest.mark.parametrize("method", [m for m in unlearners.METHODS if m not in OWN_MODEL])
def test_every_method_runs(base: Checkpoint, method: str) -> None:
    before = files(base.weights.parent)
    by_class = unlearners.METHODS[method].suits == "classes"
    request = ForgetRequest.of_classes("a") if by_class else PLAN.request
    plan = dataclasses.replace(PLAN, method=method, settings={}, request=request)
    snapshots, run = finish(plan)
    assert run.status == "finished"
    assert run.steps_done == run.total_steps == snapshots[-1].step > 0
    assert {name: files(base.weights.parent)[name] for name in before} == before


def test_a_retrained_reference_is_measured_beside(base: Checkpoint) -> None:
    reference = train_base(without=REQUEST)
    _, run = finish()
    assert run.reference == reference.sha256
    assert run.retrained is not None
    assert (
        run.retrained.metrics()
        == evaluate_model(reference.load(), DATA, split(DATA, REQUEST)).metrics()
    )


def test_a_retraining_is_never_its_own_ideal(base: Checkpoint) -> None:
    """It becomes the ideal of other runs, under the seed that it was trained from."""
    plan = dataclasses.replace(PLAN, method="retrain", settings={}, seed=5)
    half = iter([False, False, True])
    _, partial = finish(plan, stop=lambda: next(half))
    assert partial.status == "partial"
    assert (partial.retrained, partial.reference) == (None, "")
    _, run = finish(plan)
    assert (run.retrained, run.reference) == (None, "")
    _, later = finish()
    assert later.retrained is not None
    assert run.after is not None
    assert later.retrained.metrics() == run.after.metrics()

    role = storage.retrained_role(split(DATA, REQUEST).digest, 5)
    kept = storage.find("compact", "tiny", role)
    assert (kept.sha256, kept.manifest["seed"]) == (later.reference, 5)
    _, again = finish(plan)  # the same seed gives the same model: no ideal for it either
    assert again.retrained is None
    # Trained from that seed by the shell, it is the same model.
    same = train_base(without=REQUEST, seed=5, root=base.weights.parents[2] / "elsewhere")
    assert tiny.same(same.load(), kept.load())
    _, other = finish(dataclasses.replace(plan, seed=6))
    assert other.reference == kept.sha256


# What is seen on the way


def test_the_stream_of_snapshots(base: Checkpoint) -> None:
    snapshots, run = finish()
    first, last = snapshots[0], snapshots[-1]
    assert (first.step, first.seconds, first.training_loss) == (0, 0, None)
    assert first.probe is not None
    probes = [snapshot for snapshot in snapshots if snapshot.probe]
    looked = [snapshot.step for snapshot in probes]
    # Before, at each quarter, at the end; where looking is cheap, at twelfths too.
    assert {0, 8, 15, 22, 30} <= set(looked) <= {round(STEPS * k / 12) for k in range(13)}
    assert len(looked) == len(set(looked))
    assert run.replay == tuple(probes)
    assert [s.step for s in snapshots] == sorted(s.step for s in snapshots)
    assert {s.total_steps for s in snapshots[1:]} == {STEPS}
    assert [s.seconds for s in snapshots] == sorted(s.seconds for s in snapshots)
    assert last.seconds == pytest.approx(run.seconds["unlearning"], abs=1e-3)
    assert snapshots[1].step == 1  # at once, not after a quarter of a second
    assert snapshots[1].remaining is None
    assert all(s.remaining is not None and s.remaining >= 0 for s in snapshots if s.step >= 3)
    assert all(s.training_loss is not None for s in snapshots[1:])
    for snapshot in probes:
        assert snapshot.probe is not None
        assert snapshot.probe.forget_losses.shape == (16,)
        assert snapshot.probe.test_losses.shape == (40,)
        assert 0 <= snapshot.probe.forget_accuracy <= 1
        assert snapshot.probe.mia is not None
    # The fixed subsample is in a fixed order: the last probe is what the evaluation finds.
    assert run.after is not None
    final = probes[-1].probe
    assert final is not None
    np.testing.assert_array_equal(final.forget_losses, run.after.forget_losses)
    assert run.before is not None
    np.testing.assert_array_equal(first.probe.forget_losses, run.before.forget_losses)


def test_a_probe_counts_what_is_kept_by_class(base: Checkpoint) -> None:
    """At the end as the full evaluation has it: the class to forget has no images there."""
    for request_, seen in (
        (REQUEST, [4] * 10),
        (ForgetRequest.of_classes("a", "b"), [0, 0, *[4] * 8]),
    ):
        snapshots, run = finish(dataclasses.replace(PLAN, request=request_))
        probes = [snapshot.probe for snapshot in snapshots if snapshot.probe]
        for probe in probes:
            assert probe.class_right is not None
            assert probe.class_seen is not None
            assert probe.class_seen.tolist() == seen
            assert (probe.class_right <= probe.class_seen).all()
            share = probe.class_right.sum() / probe.class_seen.sum()
            assert share == pytest.approx(probe.test_accuracy)
        assert run.after is not None
        assert share == pytest.approx(run.after["retained_test_accuracy"].value)


def test_a_probe_is_of_at_most_500(base: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live.PROBE_IMAGES == 500
    assert live.ROLLING_IMAGES == 24
    monkeypatch.setattr(live, "PROBE_IMAGES", 12)
    monkeypatch.setattr(live, "ROLLING_IMAGES", 4)
    monkeypatch.setattr(live, "ROLLING_SECONDS", 0)
    monkeypatch.setattr(live, "WATCHING_SHARE", 10)
    monkeypatch.setattr(live, "SNAPSHOT_SECONDS", 0)
    snapshots, _ = finish()
    *steps, measuring, _first, _rest, last = snapshots
    assert [snapshot.step for snapshot in steps] == list(range(STEPS + 1))
    assert measuring.probe is measuring.rolling is None
    samples = []
    for snapshot in (*steps, last):
        if snapshot.probe is not None:
            assert len(snapshot.probe.forget_losses) == len(snapshot.probe.test_losses) == 12
            assert snapshot.rolling is None
        else:
            assert snapshot.rolling is not None
            found = snapshot.rolling
            assert len(found.forget_losses) == len(found.test_losses) == found.useful == 4
            samples.append(found.forget_losses.tobytes())
        looked = snapshot.probe or snapshot.rolling
        assert len(looked.photo_losses) == len(looked.photo_predictions) == 12
    assert len(set(samples)) > 10  # other images each time


@pytest.mark.parametrize(
    "request_", [ForgetRequest.of_classes("a", "b"), ForgetRequest.of_indices(range(20))]
)
def test_probes_of_chosen_classes_ask_the_fair_question(
    base: Checkpoint, monkeypatch: pytest.MonkeyPatch, request_: ForgetRequest
) -> None:
    """Against test images of the same classes; and what stays useful is the retained classes."""
    snapshots, run = finish(dataclasses.replace(PLAN, request=request_))
    first, last = snapshots[0].probe, snapshots[-1].probe
    for probe, measured in ((first, run.before), (last, run.after)):
        assert probe is not None
        assert measured is not None
        assert probe.matched
        np.testing.assert_array_equal(probe.test_losses, measured.class_matched_losses)
        np.testing.assert_array_equal(probe.forget_losses, measured.forget_losses)
        assert probe.test_accuracy == pytest.approx(measured["retained_test_accuracy"].value)
        assert probe.forget_accuracy == pytest.approx(measured["forget_accuracy"].value)
        spy = evaluation_of(probe)["margin_auc"]
        own = measured["margin_auc"]  # None where there are too few of these
        assert (spy is None) == (own is None)
        assert spy is None or spy.value == pytest.approx(own.value, abs=1e-3)
    middle = next(s.probe for s in snapshots[1:-2] if s.probe)
    assert middle.test_losses.shape == last.test_losses.shape  # type: ignore[union-attr]
    monkeypatch.setattr(live, "PROBE_IMAGES", 9)
    snapshots, _ = finish(dataclasses.replace(PLAN, request=request_))
    sizes = {len(s.probe.test_losses) for s in snapshots if s.probe}
    assert sizes == {6}  # three samples cost what two of nine do


class Clock:
    """Stands still but for what a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (task, live):
        monkeypatch.setattr(module, "time", found)
    return found


def test_measuring_is_not_unlearning(
    base: Checkpoint, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"look": live.per_image, "pass": evaluation.Passes.see}
    looks = {"look": 0, "pass": 0}

    def costly(kind: str) -> Callable[..., Any]:
        def measure(*arguments: Any, **options: Any) -> Any:
            looks[kind] += 1
            clock.now += 0.5
            return plain[kind](*arguments, **options)

        return measure

    def slow_steps(self: Any, *arguments: Any) -> Iterator[Any]:
        for step in plain_run(self, *arguments):
            clock.now += 0.25
            yield step

    monkeypatch.setattr(live, "per_image", costly("look"))
    monkeypatch.setattr(evaluation.Passes, "see", costly("pass"))
    kind = unlearners.METHODS["fine_tune"]
    plain_run = kind.run
    monkeypatch.setattr(kind, "run", slow_steps)
    snapshots, run = finish()
    assert looks["look"] >= 3  # at the quarters
    assert run.seconds["unlearning"] == 0.25 * STEPS
    assert run.seconds["watching"] == 0.5 * looks["look"]
    assert run.seconds["measuring"] == 0.5 * sum(looks.values())
    assert snapshots[-1].measuring_seconds == run.seconds["measuring"]


def test_watching_keeps_to_its_share(
    base: Checkpoint, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it only the probes at the quarters cost anything."""
    plain_look, plain_run = live.per_image, unlearners.METHODS["fine_tune"].run
    looks = []

    def costly(model: Any, images: Any, *arguments: Any) -> Any:
        looks.append(len(images))
        clock.now += 0.02 * len(images)
        return plain_look(model, images, *arguments)

    def slow_steps(self: Any, *arguments: Any) -> Iterator[Any]:
        for step in plain_run(self, *arguments):
            clock.now += 4.0
            yield step

    monkeypatch.setattr(live, "per_image", costly)
    monkeypatch.setattr(live, "ROLLING_IMAGES", 4)
    monkeypatch.setattr(unlearners.METHODS["fine_tune"], "run", slow_steps)
    _, run = finish()
    of_photos = 4 + 4 + live.PHOTOS
    probe, rolling = 0.02 * max(looks), 0.02 * of_photos
    assert looks.count(of_photos) >= 3  # it does roll, in what the quarters leave
    allowed = live.WATCHING_SHARE * run.seconds["unlearning"] + 3 * probe
    assert 3 * probe < run.seconds["watching"] <= allowed + rolling


def test_the_clock_stands_still_while_a_consumer_looks(base: Checkpoint, clock: Clock) -> None:
    for item in prepare(PLAN, dataset=DATA, device="cpu").run():
        clock.now += 1000
        if isinstance(item, Run):
            run = item
    assert run.seconds == {"unlearning": 0, "measuring": 0, "watching": 0}


@pytest.mark.parametrize("after", [1, 7])
def test_stopped_after_a_step(base: Checkpoint, tmp_path: Path, after: int) -> None:
    asked = itertools.count(1)
    snapshots, run = finish(
        stop=lambda: next(asked) >= after, weights_file=tmp_path / "out.safetensors"
    )
    assert run.status == "partial"
    assert (run.steps_done, run.total_steps) == (after, STEPS)
    assert next(asked) == after + 1  # no batch was done after it
    assert run.replay[-1].step == after  # what it had come to is shown
    unlearned = base.load()
    unlearned.load_state_dict(load_file(tmp_path / "out.safetensors"))
    assert run.after is not None
    expected = evaluate_model(unlearned.eval(), DATA, split(DATA, REQUEST))
    assert run.after.metrics() == expected.metrics()
    assert run.before is not None
    assert snapshots[-1].phase == "measuring"


def test_stopped_at_the_last_step_is_finished(base: Checkpoint) -> None:
    asked = itertools.count(1)
    _, run = finish(stop=lambda: next(asked) >= STEPS)
    assert run.status == "finished"


def test_closed_in_the_middle(base: Checkpoint) -> None:
    before = files(base.weights.parent)
    stream = prepare(PLAN, dataset=DATA, device="cpu").run()
    next(stream)
    next(stream)
    stream.close()
    assert files(base.weights.parent) == before


# Plans that cannot be run


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"method": "nothing"}, UnknownMethod),
        ({"settings": {"colour": 1}}, BadSetting),
        ({"settings": {"epochs": -1}}, BadSetting),
        ({"request": ForgetRequest.of_classes("zebra")}, UnknownClass),
        ({"request": ForgetRequest.of_indices([])}, EmptyForgetSet),
        ({"request": ForgetRequest.random(0)}, EmptyForgetSet),
        ({"request": ForgetRequest.random(1.0)}, EverythingForgotten),
        ({"request": ForgetRequest.of_indices([64])}, BadRequest),
        ({"model": "vgg"}, BadRequest),
        ({"base": "other"}, CheckpointMissing),
    ],
)
def test_a_plan_that_cannot_be_run(
    base: Checkpoint, monkeypatch: pytest.MonkeyPatch, changes: dict, kind: type[Exception]
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("work was done before the plan was refused")

    before = files(base.weights.parents[1])
    monkeypatch.setattr(live, "per_image", work)
    monkeypatch.setattr("core.runs.task.evidence_of", work)
    monkeypatch.setattr(Checkpoint, "load", work)
    with pytest.raises(kind) as caught:
        next(prepare(dataclasses.replace(PLAN, **changes), dataset=DATA, device="cpu").run())
    assert "\n" not in str(caught.value)
    assert files(base.weights.parents[1]) == before


def test_other_images_are_refused(base: Checkpoint) -> None:
    with pytest.raises(BadRequest, match=r"trained on other images.*core train"):
        finish(data=tiny.dataset(seed=1))


def test_other_pixels_in_the_same_order_are_said(own_models: Path) -> None:
    train_base(tiny.dataset(index_order="torchvision"))
    pixels = tiny.dataset(seed=1, index_order="torchvision")
    _, run = finish(data=pixels)
    assert run.data["model_trained_on_same_pixels"] is False
    assert run.data["fingerprint"] == pixels.fingerprint
    with pytest.raises(BadRequest, match="other images"):
        finish(data=tiny.dataset(seed=1, index_order="torchvision-tuning"))


def test_which_preset_fits() -> None:
    labels = DATA.train_labels.numpy()
    some = split(DATA, REQUEST)
    whole = split(DATA, ForgetRequest.of_classes("c"))
    part = split(DATA, ForgetRequest.of_classes("c", fraction=0.5))
    by_hand = split(DATA, ForgetRequest.of_indices([*np.flatnonzero(labels == 4), 0, 1]))
    found = [case_of(DATA, parts) for parts in (some, whole, part, by_hand)]
    assert found == ["random", "class", "random", "class"]
