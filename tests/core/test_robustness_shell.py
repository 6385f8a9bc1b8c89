"""Robustness from the shell: three models, five measures, one line where something is wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import __main__ as cli
from core.checkpoints import memorisation, storage
from core.checkpoints.references import train_model
from core.checkpoints.storage import Checkpoint
from core.data import load
from core.data.names import BACKDOOR
from core.data.request_text import parse_request
from core.data.requests import FOLDS, ForgetRequest
from core.data.splits import split
from core.errors import BadRequest, CheckpointMissing
from core.evaluation import per_image
from core.files import cache_folder
from core.ideal import find_reference, keep_memorisation
from core.robustness.corruptions import CORRUPTIONS
from core.runs import task
from core.runs.hard_sets import HARD, left_of_each
from core.runs.plan import Plan
from core.runs.robust import models_left, models_of
from core.runs.store.store import Store
from tests import tiny
from tests.core.test_store import a_run

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
REQUEST = ForgetRequest.random(24)
FORGET = ("--forget", "random:24")
NOTHING = ("--method", "do_nothing")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, small_compact: None):
    """A base and a model without the forget set, and their images under the name tiny."""
    folder = tmp_path_factory.mktemp("robustness")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGETTING_LAB_CACHE", str(folder / "cache"))
        for module in (storage, memorisation):
            patch.setattr(module, "SHIPPED", folder / "shipped")
        for module in (task, load):
            patch.setattr(module, "load_dataset", lambda *_: DATA)
        kept, _ = (
            list(train_model("compact", DATA, tiny.SHORT, without=without))[-1]
            for without in (None, REQUEST)
        )
        yield kept


def measured(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    command = ("robustness", *arguments, "--dataset", "tiny", "--images", 8, "--json", "-")
    assert cli.main([str(argument) for argument in command]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def values(row: dict[str, Any]) -> list[float]:
    assert list(row) == ["before", "after", "retrained", "difference"]
    return [measure["value"] for measure in row.values()]


def test_the_networks_of_a_finished_run_are_those_that_it_left(base: Checkpoint) -> None:
    method = Plan("compact", "tiny", REQUEST, "fine_tune", {"epochs": 1, "batch_size": 8})
    made = task.prepare(method, dataset=DATA)
    *_, run = made.run(run_id="left", keep=True)
    again, left = models_of(made, lambda *_: None), models_left(made, run)
    for mine, its in zip(left.after.parameters(), again.after.parameters(), strict=True):
        assert torch.equal(mine, its)
    assert list(left.each) == ["before", "after", "retrained"]
    other = dataclasses.replace(run, data={**run.data, "fingerprint": "another"})
    with pytest.raises(BadRequest, match="not those that this run was made with"):
        models_left(made, other)
    with pytest.raises(CheckpointMissing):
        models_left(made, dataclasses.replace(run, id="never"))


def test_corruptions(base: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, "corruptions", *FORGET, *NOTHING)
    assert (found["measure"], found["plan"]["method"]) == ("corruptions", "do_nothing")
    assert found["reference"]
    assert found["images"] == 8
    assert [len(found[name]) for name in CORRUPTIONS] == [5] * 6
    rows = [found["clean"], found["mean"], *found["jpeg"]]
    for before, after, retrained, difference in map(values, rows):
        assert before == after
        assert difference == pytest.approx(after - retrained)
    assert found["jpeg"][0]["difference"]["n"] == 8


def test_adversarial(base: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, "adversarial", *FORGET, *NOTHING, "--eps", 0)
    assert found["clean"] == found["fgsm"] == found["pgd"]
    found = measured(capsys, "adversarial", *FORGET, *NOTHING, "--eps", 8)
    assert found["eps"] == pytest.approx(8 / 255)
    for clean, fgsm in zip(values(found["clean"])[:3], values(found["fgsm"])[:3], strict=True):
        assert fgsm <= clean


def test_relearning(base: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, "relearning", *FORGET, *NOTHING, "--seed", 2)
    assert found["lesson"]["seed"] == 2
    for name in ("retained", "few"):
        assert found[name]["before"] is None
        assert found[name]["difference"] == found["curves"][name]["excess"]
        assert found["curves"][name]["after"]["steps"][0] == 0


def test_a_sequence(base: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, "sequence", *FORGET, *NOTHING, "--deletions", 3)
    assert found["deletions"] == 3
    assert found["gap"]["between"]["value"] == 0
    assert found["gap"]["in_turn"] == found["gap"]["at_once"]
    assert found["gap"]["in_turn"]["value"] > 0
    row = found["forget_accuracy"]
    assert list(row) == ["in_turn", "at_once", "retrained", "difference"]
    assert row["difference"]["value"] == 0
    fine_tune = ("--method", "fine_tune", "--set", "epochs=1", "--set", "batch_size=8")
    one = measured(capsys, "sequence", *FORGET, *fine_tune, "--deletions", 1)
    assert one["gap"]["between"]["value"] == 0  # the same piece, the same seed
    more = measured(capsys, "sequence", *FORGET, *fine_tune, "--deletions", 3)
    assert more["gap"]["between"]["value"] > 0
    assert more["mia"]["at_once"] == one["mia"]["at_once"]


def test_bad_data(
    base: Checkpoint, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forget set of the reference is said to be what is wrong."""
    wrong = torch.zeros(64, dtype=torch.bool)
    wrong[torch.from_numpy(split(DATA, REQUEST).forget)] = True
    tampered = dataclasses.replace(DATA, wrong_labels=wrong)
    monkeypatch.setattr(load, "load_dataset", lambda *_: tampered)
    found = measured(capsys, "bad-data", *NOTHING)
    assert found["plan"]["request"]["indices"] == np.flatnonzero(wrong.numpy()).tolist()
    assert found["test_accuracy"]["before"] == found["test_accuracy"]["after"]
    assert "backdoor_success" not in found
    assert found["regained"] is None  # of noise nothing is surely lost
    named = dataclasses.replace(tampered, name=BACKDOOR)
    monkeypatch.setattr(load, "load_dataset", lambda *_: named)
    found = measured(capsys, "bad-data", *NOTHING)
    assert found["backdoor_success"]["before"]["n"] == 36
    monkeypatch.setattr(load, "load_dataset", lambda *_: DATA)
    assert cli.main(["robustness", "bad-data", "--dataset", "tiny", *NOTHING]) == 2
    assert "is known to be wrong" in capsys.readouterr().err


def test_weights_and_a_run_stand_for_a_method(
    base: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    attack = ("adversarial", "--eps", 2)
    found = measured(capsys, *attack, *FORGET, *NOTHING)
    brought = measured(capsys, *attack, *FORGET, "--weights", base.weights)
    assert brought["pgd"] == found["pgd"]
    assert len(brought["plan"]["settings"]["weights"]) > 64
    store = Store()
    store.save(a_run("done", plan=Plan("compact", "tiny", REQUEST, "do_nothing")))
    again = measured(capsys, *attack, "--run", "done")
    assert again | {"seconds": 0} == found | {"seconds": 0}
    assert store.count() == 1  # nothing else is kept


def test_on_the_screen(base: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["robustness", "relearning", "--dataset", "tiny", *FORGET, *NOTHING]
    assert cli.main(command) == 0
    said = capsys.readouterr()
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0] == ["before", "after", "retrained", "difference"]
    assert [row[:2] for row in rows[1:3]] == [["retained", "-"], ["few", "-"]]
    assert rows[3][1:] == ["s", "unlearning"]
    assert "batches" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (FORGET, "Give one of --method"),
        ((*FORGET, *NOTHING, "--run", "x"), "Give one of --method"),
        (NOTHING, "Give --forget"),
        ((*FORGET, "--run", "x"), "Give --forget"),
        (("--run", "nosuchrun"), "no run"),
        ((*FORGET, "--weights", "x.pth", "--set", "epochs=1"), "Only a method has settings"),
        ((*FORGET, "--method", "magic"), "no method"),
        (("--forget", "random:12", *NOTHING), "only 12 are forgotten"),
        ((*FORGET, *NOTHING, "--json", "/no/such/folder/out.json"), "does not exist"),
    ],
)
def test_a_bad_request_is_one_line(
    base: Checkpoint, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    command = ["robustness", "relearning", "--dataset", "tiny", *arguments]
    assert cli.main(command) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "batch" not in line]
    assert len([line for line in lines if not line.startswith("note:")]) == 1
    assert said in lines[-1]


# Forget sets that are hard to forget


@pytest.fixture(scope="module")
def folds(base: Checkpoint) -> None:
    """A model without each fold."""
    for fold in range(FOLDS):
        list(train_model("compact", DATA, tiny.SHORT, without=ForgetRequest.of_fold(fold)))
    keep_memorisation("compact", DATA, cache_folder() / "models")


@pytest.mark.parametrize("kind", HARD)
def test_a_hard_set_is_written_and_can_be_forgotten(
    folds: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    file = tmp_path / "hard.txt"
    command = ["forget-set", kind, "--count", "6", "--write", str(file), "--dataset", "tiny"]
    assert cli.main(command) == 0
    assert f"--forget indices:{file}" in capsys.readouterr().err
    request = parse_request(f"indices:{file}")
    assert len(request.indices) == 6
    assert split(DATA, request).forget.tolist() == list(request.indices)
    if kind == "worst":
        assert np.bincount(DATA.train_labels[list(request.indices)]).max() <= 1  # a fifth of 6 or 7
    else:
        of = ["--of", "c", "--count", "2" if kind != "twins" else "1"]
        assert cli.main([*command, *of]) == 0
        chosen = list(parse_request(f"indices:{file}").indices)
        assert set(DATA.train_labels[chosen].tolist()) == {2}


def test_the_worst_case_of_doing_nothing_is_what_the_base_knows_by_heart(
    folds: None, base: Checkpoint
) -> None:
    plan = Plan("compact", "tiny", ForgetRequest.of_fold(0), "do_nothing")
    left = left_of_each(plan, DATA, lambda *_: None)
    model = base.load()
    sure = np.exp(-per_image(model, DATA.train_images, DATA.train_labels).losses)
    unseen = np.empty(64)
    for fold in range(FOLDS):
        parts = split(DATA, ForgetRequest.of_fold(fold))
        without = find_reference("compact", DATA, parts)
        assert without is not None
        losses = per_image(without.load(), DATA.train_images, DATA.train_labels).losses
        unseen[parts.forget] = np.exp(-losses)[parts.forget]
    np.testing.assert_allclose(left, sure - unseen, atol=1e-5)


def test_what_a_hard_set_lacks_is_said(
    base: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["forget-set", "worst", "--count", "6", "--write", "-", "--dataset", "tiny"]
    assert cli.main([*command, "--of", "c"]) == 2
    assert "The worst case is of all classes" in capsys.readouterr().err
    assert cli.main([*command[:-1], "digits", "--of", "3", "--write", "/no/such/x"]) == 2
    assert "does not exist" in capsys.readouterr().err
