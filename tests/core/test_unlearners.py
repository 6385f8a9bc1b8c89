"""What every registered method has to hold, whatever it does inside.

A new method is met by all of this as soon as it is registered. Where its defaults are out of scale
for the small network here, its test in tests/fidelity names others: `SMALL = {name: settings}`.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import json
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from core.data.images import Images
from core.data.requests import ForgetRequest
from core.data.splits import Split, split
from core.errors import BadRequest, BadSetting, UnknownMethod
from core.models.classifier import Classifier
from core.models.precision import float32_only
from core.models.sisa import Sisa
from core.runs.offered_data import forgotten_classes
from core.unlearners import METHODS, describe, make
from core.unlearners.base import Need, Step, UndeclaredRead, UnlearningData
from core.unlearners.presets import BY_HAND, CASES, PRESETS, Preset
from tests import fidelity, tiny

pytestmark = pytest.mark.usefixtures("small_compact")


def _small_settings() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(Path(fidelity.__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"{fidelity.__name__}.{file.stem}")
        found |= getattr(module, "SMALL", {})
    return found


SETTINGS = _small_settings()
"""For a network of a few thousand weights and 64 images; others run with defaults."""

DATA = tiny.dataset()
SCATTERED: Split = split(DATA, ForgetRequest.random(16))
CLASS: Split = split(DATA, ForgetRequest.of_classes("a"))
EVERYTHING = tiny.images(DATA)

TUNING = Path(__file__).parents[2] / "benchmarks" / "results" / "tuning.jsonl"

every_method = pytest.mark.parametrize("name", list(METHODS))


@pytest.fixture(scope="module", autouse=True)
def small_ensemble(small_compact: None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sisa, "SHARDS", 2)
        patch.setattr(Sisa, "NARROWER", 1)
        yield


@functools.cache
def model_for(shards: bool, images: Images = EVERYTHING, seed: int = 0) -> Classifier:
    """A network that knows these images by heart, or an ensemble of two, each half of them.

    In float32, so that in each precision the methods meet the same one: theirs is what is tested.
    """
    with float32_only():
        if shards:
            return tiny.ensemble(images, tiny.SHARDS, seed)[0]
        return tiny.trained(images, seed=seed).model


@pytest.fixture
def base(name: str, small_ensemble: None) -> Classifier:
    """The kind of model that the method is for, trained on all of `DATA`; one for all tests."""
    return trained_on_all("shards" in METHODS[name].needs)


@functools.cache
def trained_on_all(shards: bool) -> Classifier:
    return model_for(shards)


@functools.cache
def retrained(shards: bool, by_class: bool) -> Classifier:
    parts = CLASS if by_class else SCATTERED
    return model_for(shards, tiny.images(DATA, parts.retain), 1)


def parts_of(name: str) -> Split:
    """What a method is asked to forget here: what it is meant for."""
    return CLASS if METHODS[name].suits == "classes" else SCATTERED


def offered(
    name: str,
    base: Classifier,
    without: Need | None = None,
    images: torch.Tensor = DATA.train_images,
    labels: torch.Tensor = DATA.train_labels,
    parts: Split | None = None,
) -> UnlearningData:
    """What a method needs and no more, or one need fewer."""
    parts = parts or parts_of(name)
    needs = METHODS[name].needs - {without}
    indices: dict[Need, np.ndarray[Any, Any]] = {"retain": parts.retain, "forget": parts.forget}
    return UnlearningData(
        {
            need: Images(images, labels, torch.from_numpy(chosen))
            for need, chosen in indices.items()
            if need in needs
        },
        "sisa" if "shards" in needs else "compact",
        10,
        tiny.SHARDS if "shards" in needs else tiny.RECIPE,
        forgotten_classes=forgotten_classes(DATA, parts),
        records=tiny.records(base, EVERYTHING, needs),
    )


def unlearn(
    name: str, base: Classifier, data: UnlearningData | None = None, seed: int = 0
) -> tuple[Classifier, list[Step]]:
    method, model = make(name, SETTINGS.get(name)), copy.deepcopy(base)
    data = data or offered(name, base)
    return model, list(method.run(model, data, torch.Generator().manual_seed(seed)))


def forget_loss(model: Classifier, parts: Split) -> float:
    chosen = torch.from_numpy(parts.forget)
    with torch.inference_mode():
        logits = copy.deepcopy(model).eval()(DATA.train_images[chosen])
    return float(torch.nn.functional.cross_entropy(logits, DATA.train_labels[chosen]))


# What it says of itself


@every_method
def test_it_describes_itself(name: str) -> None:
    method = METHODS[name]
    assert method.name == name
    assert dataclasses.is_dataclass(method)
    assert method.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert method.needs <= set(get_args(Need))
    assert method.suits in ("samples", "classes", "both")
    assert method.label
    assert method.sentence.endswith(".")
    assert method.paper
    assert method.__doc__
    with pytest.raises(dataclasses.FrozenInstanceError):
        method().name = "other"  # type: ignore[misc]


@every_method
def test_every_field_can_be_drawn(name: str) -> None:
    (described,) = (entry for entry in describe() if entry["name"] == name)
    for about in described["parameters"]:
        assert about["label"]
        assert about["help"].endswith(".")
        assert about["low"] <= about["default"] <= about["high"]
        assert not about["log"] or about["high"] > 0
        assert isinstance(about["default"], (int, float))
        assert set(about["presets"]) <= {"random", "class", "digits"}
        for preset in about["presets"].values():
            assert about["low"] <= preset <= about["high"]
            assert type(preset) is type(about["default"])


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: f"{row.method}-{row.dataset}-{row.kind}")
def test_a_preset_is_what_its_trial_says(row: Preset) -> None:
    """Each is of a known method and case, once; a trial that is named was run with exactly what
    `make` gives for that case."""
    key = (row.architecture, row.dataset, row.kind)
    (case,) = (case for case, means in CASES.items() if means == key)
    assert [r.method for r in PRESETS if (r.architecture, r.dataset, r.kind) == key].count(
        row.method
    ) == 1
    settings = make(row.method, None, case).settings()
    assert settings | row.settings == settings
    if not (line := re.fullmatch(r"(by hand, near )?tuning\.jsonl:(\d+)", row.trial)):
        assert row.trial == BY_HAND
        return
    trial = json.loads(TUNING.read_text().splitlines()[int(line[2]) - 1])
    plan = trial["plan"]
    assert plan["method"] == row.method
    assert plan["request"]["kind"] in (row.kind, f"{row.kind}es")
    differ = [key for key, value in settings.items() if plan["settings"].get(key) != value]
    assert 0 < len(differ) <= 2 if line[1] else not differ


@every_method
@pytest.mark.parametrize("case", ["random", "class"])
def test_settings_survive_json(name: str, case: str) -> None:
    method = make(name, None, case)
    again = json.loads(json.dumps(method.settings()))
    assert make(name, again) == method
    assert make(name, {key: str(value) for key, value in again.items()}) == method
    assert again == method.settings()


@every_method
def test_what_is_out_of_range_is_refused(name: str) -> None:
    method = METHODS[name]
    for field in dataclasses.fields(method):
        low, high = field.metadata["low"], field.metadata["high"]
        ends = [make(name, {field.name: end}) for end in (low, high)]
        assert [getattr(end, field.name) for end in ends] == [low, high]
        for value in (low - 1, high + 1, float("nan"), float("inf"), "much", None, "", [1]):
            with pytest.raises(BadSetting, match=field.name):
                make(name, {field.name: value})
            with pytest.raises(BadSetting, match=field.name):
                method(**{field.name: value})
        if isinstance(field.default, int):
            with pytest.raises(BadSetting, match="whole number"):
                make(name, {field.name: low + 0.5})
            with pytest.raises(BadSetting, match="whole number"):
                method(**{field.name: low + 0.5})
    with pytest.raises(BadSetting, match="no setting 'colour'"):
        make(name, {"colour": 1})


def test_an_unknown_method() -> None:
    with pytest.raises(UnknownMethod, match=r"no method 'nothing'\. There are retrain, "):
        make("nothing")


def test_the_description_is_json() -> None:
    described = json.loads(json.dumps(describe(), allow_nan=False))
    assert [entry["name"] for entry in described] == list(METHODS)
    for entry in described:
        assert set(entry) == {
            "name",
            "label",
            "group",
            "needs",
            "suits",
            "precision",
            "sentence",
        } | {
            "paper",
            "parameters",
        }
        fields = dataclasses.fields(METHODS[entry["name"]])
        assert [p["name"] for p in entry["parameters"]] == [field.name for field in fields]
        for parameter, field in zip(entry["parameters"], fields, strict=True):
            assert parameter["default"] == field.default
            assert parameter["type"] in ("int", "float")
            assert {"label", "help", "low", "high", "log", "presets"} < set(parameter)
    groups = [entry["group"] for entry in described]
    assert groups == sorted(groups, key=groups.index)  # each group in one piece


# What it does


@every_method
def test_same_seed_same_bits(name: str, base: Classifier) -> None:
    draws = torch.get_rng_state()
    first, again = unlearn(name, base)[0], unlearn(name, base)[0]
    assert tiny.same(first, again)
    assert not tiny.same(first, base)
    assert tiny.same(first, unlearn(name, base, seed=1)[0]) != METHODS[name].draws
    assert torch.equal(torch.get_rng_state(), draws)


@every_method
def test_its_precision_is_what_it_says(
    name: str, base: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What declares float32 gives the same bits whatever is asked for; the others follow."""
    data = offered(name, base)

    def asked(precision: str) -> Classifier:
        monkeypatch.setenv("FORGETTING_LAB_PRECISION", precision)
        return unlearn(name, base, data)[0]

    same = tiny.same(asked("float32"), asked("bfloat16"))
    assert same == (METHODS[name].precision == "float32")


@every_method
def test_the_original_is_untouched(name: str, base: Classifier) -> None:
    before = copy.deepcopy(base)
    unlearn(name, base)
    assert tiny.same(base, before)
    assert all(p.grad is None and p.requires_grad for p in before.parameters())
    fresh = tiny.dataset()
    assert torch.equal(DATA.train_images, fresh.train_images)
    assert torch.equal(DATA.train_labels, fresh.train_labels)


@every_method
def test_it_reads_what_it_declares(name: str, base: Classifier) -> None:
    needs = METHODS[name].needs
    for missing in needs:
        with pytest.raises(UndeclaredRead, match=missing):
            unlearn(name, base, offered(name, base, without=missing))


@every_method
def test_it_reads_nothing_else(name: str, base: Classifier) -> None:
    """All that it does not declare is replaced by random bytes."""
    parts = parts_of(name)
    read = np.concatenate(
        [getattr(parts, need) for need in METHODS[name].needs & {"retain", "forget"}]
    )
    other = tiny.dataset(seed=9)
    images, labels = other.train_images.clone(), other.train_labels.clone()
    images[read], labels[read] = DATA.train_images[read], DATA.train_labels[read]
    poisoned = offered(name, base, images=images, labels=labels)
    assert tiny.same(unlearn(name, base)[0], unlearn(name, base, poisoned)[0])


@pytest.mark.parametrize("name", [n for n in METHODS if METHODS[n].suits == "classes"])
def test_a_method_for_classes_refuses_scattered_images(name: str, base: Classifier) -> None:
    method = make(name)
    method.check(offered(name, base))
    with pytest.raises(BadRequest, match="forgets whole classes"):
        method.check(offered(name, base, parts=SCATTERED))


@every_method
def test_progress_is_known_and_reached(name: str, base: Classifier) -> None:
    _, steps = unlearn(name, base)
    assert len(steps) > 1
    assert {step.total for step in steps} == {steps[-1].done}
    assert [step.done for step in steps] == sorted({step.done for step in steps})
    assert all(step.phase for step in steps)
    assert all(step.loss is None or np.isfinite(step.loss) for step in steps)


@every_method
def test_it_ends_within_a_batch_and_leaves_nothing(name: str, base: Classifier) -> None:
    method, model = make(name, SETTINGS.get(name)), copy.deepcopy(base)
    read = 0
    plain = Images.batch

    def count(self, *arguments):
        nonlocal read
        read += 1
        return plain(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Images, "batch", count)
        steps = method.run(model, offered(name, base), torch.Generator().manual_seed(0))
        next(steps)
        next(steps)
        before = read
        next(steps)
        assert read - before <= 2  # a step is at most one batch of each part
        steps.close()
    kept = copy.deepcopy(model)
    assert next(steps, None) is None
    assert tiny.same(model, kept)
    modules = list(model.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in modules)
    assert not any(m._backward_hooks for m in modules)
    assert all(p.requires_grad for p in model.parameters())
    # A run after one that was cut off is like any other.
    assert tiny.same(unlearn(name, base)[0], unlearn(name, copy.deepcopy(base))[0])


@every_method
def test_it_forgets(name: str, base: Classifier) -> None:
    """The loss on what is to be forgotten goes from that of the network that learned it by heart
    toward that of one that never saw it."""
    parts = parts_of(name)
    shards = "shards" in METHODS[name].needs
    goal = forget_loss(retrained(shards, METHODS[name].suits == "classes"), parts)
    before = forget_loss(base, parts)
    # Of two that vote one never saw the image: by heart is a loss of about ln 2.
    assert before < (1.0 if shards else 0.3) < goal
    after = forget_loss(unlearn(name, base)[0], parts)
    assert after > before + 0.1 * (goal - before)
