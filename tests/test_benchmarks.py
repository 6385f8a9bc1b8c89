"""The benchmarks: plans that become runs once and lines for good, and what tables say of lines."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import (
    RESULTS,
    controls,
    ensembles,
    ideal,
    methods,
    methods_table,
    precision,
    report,
    sisa,
    story,
    sweeps,
    training,
    trials,
    tune,
)
from benchmarks.controls import CONTROLS, Divided, Masked
from benchmarks.log import Line, Log
from core.checkpoints.references import train_model
from core.checkpoints.spread import fold_error
from core.checkpoints.storage import Checkpoint
from core.data.digits import digits
from core.data.request_text import parse_request
from core.data.requests import FOLDS, ForgetRequest
from core.files import SHIPPED, cache_folder
from core.metrics.average_gap import TERMS
from core.models.recipe import NAMED
from core.unlearners import make
from tests import tiny

# What is committed


def test_what_ships_is_made_from_the_logs() -> None:
    logged = methods.LOG.lines(), controls.LOG.lines()
    told = story.LOG.lines()
    precisions = {name: log.lines() for name, log in precision.LOGS.items()}
    for name, text in {
        "methods": methods_table.table(*logged),
        "story": story.table(told),
        "sisa": sisa.table(sisa.LOG.lines()),
        "precision": precision.table(precisions),
    }.items():
        assert text == (RESULTS / f"{name}.md").read_text()
    assert methods_table.for_the_app(*logged) == json.loads((SHIPPED / "methods.json").read_text())
    assert story.summary(told) == json.loads((SHIPPED / "story.json").read_text())


def test_a_plan_has_one_line() -> None:
    logs = (methods.LOG, tune.LOG, story.LOG, sisa.LOG, *precision.LOGS.values())
    for log in logs:
        ids = [line["id"] for line in log.lines()]
        assert len(ids) == len(set(ids)) > 0


def test_the_story_begins_with_the_preset() -> None:
    method, settings = story.RUNS["preset fine-tune"]
    preset = make(method, {}, "class").settings()
    assert preset == preset | settings


# Runs, on digits with a small network


class Bench:
    """Where the benchmarks write in a test."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, patch
        folder.mkdir()
        for module in (methods, story, sisa, precision, report, trials):
            patch.setattr(module, "RESULTS", folder)
        for module in (methods, story):
            patch.setattr(module, "SUMMARY", folder / f"{module.__name__}.json")
        for module in (methods, story, sisa, precision, tune, trials, report):
            patch.setattr(module, "DATASET", "digits")
        for module in (methods, story, sisa, tune, trials, controls, report):
            patch.setattr(module, "LOG", self.log(module.LOG.file.name))
        for module in (controls, methods_table):
            patch.setattr(module, "CASES", ("random:0.1",))

    def log(self, name: str) -> Log:
        return Log(str(self.folder / name))

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def forbid(self) -> None:
        """From now on a run fails the test."""

        def never(*_: object) -> None:
            raise AssertionError("a plan is run again")

        self._patch.setattr(sweeps, "retraining_seconds", never)


def forget_the_store() -> None:
    for file in cache_folder().glob("benchmarks*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, small_compact: None) -> Path:
    """A cache folder with a base and its reference."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGETTING_LAB_CACHE", str(folder))
        patch.setattr("core.checkpoints.memorisation.SHIPPED", folder)
        for options in ({}, {"without": parse_request("random:0.1")}):
            list(train_model("compact", digits(), tiny.SHORT, **options))
    return folder


@pytest.fixture
def bench(tmp_path: Path, own_models: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    shutil.copytree(models, cache_folder(), dirs_exist_ok=True)
    return Bench(tmp_path / "results", monkeypatch)


METHODS = ["--methods", "fine_tune", "neg_grad"]


def test_methods(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    methods.main(METHODS)
    lines = methods.LOG.lines()
    assert [line["plan"]["method"] for line in lines] == ["fine_tune", "neg_grad"]
    for line in lines:
        assert line["status"] == "finished"
        assert line["interval"][0] <= line["gap"] <= line["interval"][1]
        assert line["verdict"]["word"]
        assert 0 < line["seconds"]["unlearning"] < 60
        assert line["seconds"]["retraining"] > 0
        assert line["metrics"]["after"]["retain_accuracy"]["n"] == 807
    assert {line["row"] for line in controls.LOG.lines()} == {"before", "divide"}
    table = bench.text("methods.md")
    assert table in capsys.readouterr().out
    assert "| random:0.1 | fine_tune | 1 |" in table
    assert "| random:0.1 | control: doing nothing |" in table
    assert "~" not in table.split("| --- |")[-1]  # every interval is a paired one
    bench.forbid()
    forget_the_store()
    methods.main([*METHODS, "--best", "1"])
    assert methods.LOG.lines() == lines
    assert bench.text("methods.md") == table


def test_broken_off_between_the_run_and_its_line(bench: Bench) -> None:
    tune.main([*METHODS[:2], "--cases", "random:0.1"])
    (line,) = tune.LOG.lines()
    tune.LOG.file.unlink()
    bench.forbid()
    tune.main([*METHODS[:2], "--cases", "random:0.1"])
    assert tune.LOG.lines() == [line]


def test_other_settings_are_another_trial(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*METHODS[:2], "--cases", "random:0.1", "--set", "epochs=0.5"]
    tune.main(arguments)
    tune.main([*arguments, "--set", "learning_rate=0.01"])
    tune.main(arguments)
    found = [line["plan"]["settings"] for line in tune.LOG.lines()]
    assert [(s["epochs"], s["learning_rate"] == 0.01) for s in found] == [(0.5, False), (0.5, True)]
    assert found[0] == found[0] | {"batch_size": 32, "momentum": 0.9}
    capsys.readouterr()
    tune.main(["--methods", "unsir", "--cases", "random:0.1"])  # which forgets classes alone
    assert "1 of 1: a random 10 % of the training images, unsir, seed 0:" in capsys.readouterr().out
    assert len(tune.LOG.lines()) == 2


def test_the_rate_of_retraining_is_its_own(bench: Bench) -> None:
    """As many seconds as a retraining takes, from a few of its steps; no model is left behind."""
    before = sorted(cache_folder().rglob("*.safetensors"))
    plan = sweeps.planned(digits(), "random:0.1", "neg_grad")
    guessed = sweeps.retraining_seconds(plan, None)
    retrain = sweeps.planned(digits(), "random:0.1", "retrain")
    took = sweeps.compute(retrain, None).seconds["unlearning"]
    assert took / 4 < guessed < took * 4
    assert sorted(cache_folder().rglob("*.safetensors")) == before


def test_story(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {"slow": ("fine_tune", {"learning_rate": 0.01}), "none": ("fine_tune", {"epochs": 7.0})}
    monkeypatch.setattr(story, "RUNS", {"slow": runs["slow"]})
    monkeypatch.setattr(story, "CASE", "random:0.1")
    story.main(["--seeds", "2"])
    monkeypatch.setattr(story, "RUNS", runs)
    shown = json.loads(story.SUMMARY.read_text())
    assert [row["name"] for row in shown] == ["slow", "slow", "before", "retrained"]
    assert [row.get("seed") for row in shown] == [0, 1, None, None]
    after = [line["metrics"]["after"]["mia"]["value"] for line in story.LOG.lines()]
    assert [row["mia"] for row in shown[:2]] == after
    text = story.table(story.LOG.lines())
    assert text == bench.text("story.md")
    low, high = 100 * min(after), 100 * max(after)
    assert f"{(low + high) / 2:.1f} ({low:.1f}-{high:.1f})" in text
    assert "| slow | 2 |" in text
    assert "| none |" not in text


def test_trials_are_the_same_wherever_they_were_broken_off(bench: Bench) -> None:
    """First the preset, then within the space; what stands in the log decides what comes next."""
    asked = ["--cases", "random:0.1", "--methods", "neg_grad", "boundary_shrink"]
    trials.main([*asked, "--trials", "4"])
    lines = trials.LOG.lines()
    assert [line["method"] for line in lines] == ["neg_grad"] * 4  # the other is for classes alone
    first = lines[0]
    assert first["settings"] == make("neg_grad", {}, "digits").settings()
    space = trials.space_of("neg_grad", first["searched"])["learning_rate"]
    rates = [line["searched"]["learning_rate"] for line in lines]
    assert len(set(rates)) == 4
    for rate in rates:
        assert space.low <= rate <= space.high
    shares = [line["share"] for line in lines]
    assert abs(shares[-1] / 0.1 - 1) < abs(shares[0] / 0.1 - 1)  # it takes its time from then on
    best = min(lines, key=lambda line: line["distance"])
    row = next(r for r in bench.text("trials.md").splitlines() if r.startswith("| neg_grad"))
    assert row.endswith(f"| {lines.index(best) + 1} |")
    trials.LOG.file.write_text("".join(json.dumps(line) + "\n" for line in lines[:3]))
    trials.main([*asked, "--trials", "4"])
    again = trials.LOG.lines()[3]
    for key in ("searched", "distance", "numbers"):
        assert again[key] == lines[3][key]
    trials.main([*asked, "--trials", "1", "--budget", "0.2"])
    longer = trials.LOG.lines()[-1]
    assert longer["searched"] == best["searched"]
    assert longer["settings"]["epochs"] > lines[-1]["settings"]["epochs"]


def test_every_method_is_searched_within_its_range() -> None:
    assert trials.SEARCHED.keys() == trials.LENGTHS.keys() == set(sweeps.COMPARED)
    for name in trials.SEARCHED:
        for case in ("random", "class"):
            start = make(name, {}, case).settings()
            space = trials.space_of(name, start)
            assert space.keys() == set(trials.SEARCHED[name])
            line = {"settings": start, "share": 0.04}
            longer = trials.lengths(name, line, 0.1)
            assert longer.keys() == set(trials.LENGTHS[name])
            assert all(longer[field] > start[field] for field in longer)
            make(name, longer)
            for setting, values in space.items():
                assert values.low <= start[setting] <= values.high
                make(name, {setting: values.low})
                make(name, {setting: values.high})


def test_the_report(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run stands where it belongs, a claim is a question to the numbers of the table, and the
    pictures outlive the store."""
    list(train_model("compact", digits(), tiny.SHORT, without=parse_request("class:1")))
    short = {"compact": {"epochs": 1.0}}
    anchored = {"compact": {"epochs": 1.0, "anchor": 0.02}}
    runs = {
        "random": ("random:0.1", "fine_tune", short),
        "class": ("class:1", "fine_tune", short),
        "anchored": ("class:1", "anchored_fine_tune", anchored),
    }
    monkeypatch.setattr(report, "RUNS", runs)
    report.main(["--seeds", "2"])
    text = bench.text("report.md")
    lines = report.LOG.lines()
    assert [report.name_of(line) for line in lines] == [*runs, *runs]
    kept = [
        {
            report.name_of(line): line["metrics"]["after"]["retained_test_accuracy"]["value"]
            for line in some
        }
        for some in (lines[:3], lines[3:])
    ]
    low, high = sorted(100 * found["anchored"] for found in kept)
    shown = f"{(low + high) / 2:.1f} ({low:.1f}-{high:.1f})"
    assert f"| 4 | kept classes after, anchored | 85.8 |  | {shown} |" in text
    better = sum(found["anchored"] - found["class"] for found in kept) > 0
    assert f"| the penalty gives some of it back | {'yes' if better else 'no'} |" in text
    picture = (bench.folder / "report-compact.svg").read_text()
    assert "A class, anchored: its own test images" in picture
    for file in cache_folder().glob(f"{report.STORE}*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    report.main(["--table"])
    assert bench.text("report.md") == text
    assert (bench.folder / "report-compact.svg").read_text() == picture


def test_ensembles(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doing nothing erases nothing; retraining again erases all of it, to what luck leaves."""
    monkeypatch.setattr(ensembles, "SEEDS", (1, 2, 3))
    monkeypatch.setattr(ensembles, "CASES", ("class:1",))
    monkeypatch.setattr(ensembles, "_recipe", lambda: tiny.SHORT)
    for name, value in (("LOG", bench.log("ensembles.jsonl")), ("RESULTS", bench.folder)):
        monkeypatch.setattr(ensembles, name, value)
    ensembles.main(["--methods", ensembles.AGAIN, "do_nothing", "mask"])
    found = {line["method"]: line for line in ensembles.LOG.lines()}
    assert found["do_nothing"]["erasure"] == 0
    assert found[ensembles.AGAIN]["erasure"] > 0.5
    assert found[ensembles.AGAIN]["epsilon"] <= found["mask"]["epsilon"]
    assert found["mask"]["score"] == 0
    text = bench.text("ensembles.md")
    assert "| *mask* |" in text
    monkeypatch.setattr(ensembles, "_measure", None)  # every row has its line
    ensembles.main(["--methods", "mask"])
    assert bench.text("ensembles.md") == text


def test_sisa(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    list(train_model("sisa", digits(), tiny.SHORT))
    monkeypatch.setattr(sisa, "CASES", {"one": ("random:1", 2), "a tenth": ("random:0.1", 1)})
    sisa.main([])
    lines = sisa.LOG.lines()
    shares = [line["seconds"]["unlearning"] / line["seconds"]["retraining"] for line in lines]
    assert max(shares[:2]) < 0.4  # one shard of four, from one of two slices on
    assert shares[2] == pytest.approx(1)  # each shard and slice has lost some
    one, tenth = bench.text("sisa.md").splitlines()[-2:]
    assert one.startswith("| one |")
    assert "| - |" in one
    assert tenth.endswith("| 100 % |")


def test_precision(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")
    logs = {name: bench.log(log.file.name) for name, log in precision.LOGS.items()}
    monkeypatch.setattr(precision, "LOGS", logs)
    queue = [("fine_tune", "random:0.1", 0), ("puma", "random:0.1", 0)]
    monkeypatch.setattr(precision, "QUEUE", queue)
    precision.main([])
    used = {
        name: [(x["plan"]["method"], x["versions"]["training_precision"]) for x in log.lines()]
        for name, log in logs.items()
    }
    assert used["bfloat16"] == [("fine_tune", "bfloat16")]
    assert used["float32"] == [("fine_tune", "float32"), ("puma", "float32")]
    text = bench.text("precision.md")
    assert text.count("| random:0.1 | fine_tune | 0 |") == 2
    assert "so one run: puma (random:0.1)." in text
    bench.forbid()
    precision.main([])
    assert bench.text("precision.md") == text


# The table of methods


class Given(nn.Module):
    """Gives its input back as logits."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits


def test_the_controls_change_the_output_alone() -> None:
    logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    kept = logits.clone()
    masked = Masked(Given(), (3,))(logits)
    assert (masked.argmax(1) != 3).all()
    others = [i for i in range(10) if i != 3]
    assert torch.equal(masked[:, others], logits[:, others])
    divided = Divided(Given(), 20)(logits)
    assert torch.equal(divided.argmax(1), logits.argmax(1))
    torch.testing.assert_close(divided * 20, logits)
    assert torch.equal(logits, kept)


CASE = "random:0.1"


def line(method: str, gap: float, seed: int = 0, seconds: Any = (5.0, 100.0), **more: Any) -> Line:
    """Of a log; the gap is all in the forget accuracy."""
    ideal = dict.fromkeys((*TERMS[False], "retained_test_accuracy"), 0.5)
    after = ideal | {"forget_accuracy": 0.5 + 4 * gap / 100}
    models = {"after": after, "retrained": ideal}
    return {
        "plan": {"method": method, "seed": seed, "request": parse_request(CASE).to_dict()},
        "metrics": {model: {k: {"value": v} for k, v in x.items()} for model, x in models.items()},
        "gap": gap,
        "seconds": dict(zip(("unlearning", "retraining"), seconds, strict=True)),
        **more,
    }


def control(row: str, gap: float, n: int) -> Line:
    return {
        "case": CASE,
        "row": row,
        "numbers": sweeps.numbers(line("", gap)["metrics"]["after"]),
        "gap": gap,
        "interval": [gap - 0.1, gap + 0.1],
        "counts": dict.fromkeys(TERMS[False], n),
    }


def read(n: int, *lines: Line) -> dict[str, methods_table.Row]:
    beside = [control("before", 6.0, n), control("divide", 3.0, n)]
    return {row.name: row for row in methods_table.rows(lines, beside, CASE)}


def test_more_images_untie() -> None:
    lines = line("scrub", 1.0), line("salun", 2.0), line("ssd", 2.9), line("fisher", 5.0)
    few, many = read(3000, *lines), read(1_000_000, *lines)
    assert [row.tied for row in few.values() if row.gaps] == [True, True, True, False]
    assert [row.tied for row in many.values() if row.gaps] == [True, False, False, False]
    assert {name for name, row in many.items() if row.no_nearer_than} == {"ssd", "fisher"}
    assert many["fisher"].no_nearer_than == CONTROLS["divide"] == few["salun"].no_nearer_than
    said = " ".join(methods_table.sentences(list(few.values())))
    assert "tied for nearest are scrub (1.00), salun (2.00), ssd (2.90)." in said
    said = " ".join(methods_table.sentences(list(many.values())))
    assert "nearest is scrub (1.00)." in said
    assert "nearer than dividing the logits by 20 (3.00), which forgets nothing, are scrub" in said


def test_a_logged_interval_is_taken_and_seeds_are_averaged() -> None:
    old = line("scrub", 4.0, interval=[3.9, 4.1])
    lines = line("scrub", 1.0, interval=[0.9, 1.1]), line("scrub", 2.0, 1, interval=[1.9, 2.1])
    row = read(500, old, *lines)["scrub"]
    assert row.gap == pytest.approx((1.5, 1.4, 1.6))
    assert row.gaps == [1.0, 2.0]


def test_seconds_of_machines_that_differ_compare() -> None:
    """Half as fast, the same share of retraining: the same seconds."""
    lines = line("scrub", 1.0), line("salun", 2.0, seconds=(10.0, 200.0)), line("ssd", 2.9)
    found = read(500, *lines)
    assert found["scrub"].seconds == found["salun"].seconds == found["ssd"].seconds == 5.0
    assert found["salun"].share == 0.05


def test_recipes_as_a_table_and_as_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means over seeds, medians of seconds, and the share of the SGD recipe's."""

    def line(recipe: str, seed: int, seconds: float, tests: Sequence[float]) -> dict[str, Any]:
        epochs = [
            {"epoch": n, "test": test, "seconds": seconds * n / len(tests)}
            for n, test in enumerate(tests, 1)
        ]
        found = {"test": tests[-1], "train": 0.99, "mia": 0.6, "seconds": seconds}
        return found | {"recipe": NAMED[recipe].to_dict(), "seed": seed, "epochs": epochs}

    released = line("sgd", 0, 88.0, [0.5, 0.88]) | {"name": "airbench94", "recipe": {}}

    lines = [
        line("sgd", 0, 100.0, [0.5, 0.8, 0.86, 0.88]),
        line("sgd", 1, 120.0, [0.5, 0.8, 0.84, 0.9]),
        line("muon", 0, 44.0, [0.7, 0.84]),
        line("muon", 1, 900.0, [0.7, 0.86]) | {"busy": True},  # only its accuracies count
    ]
    monkeypatch.setattr(training, "RESULTS", tmp_path)
    training.write(lines)
    text = (tmp_path / "training.md").read_text()
    rows = [row.split(" | ") for row in text.splitlines() if row.startswith("| ")]
    by_name = {cells[0].strip("| "): cells for cells in rows}
    assert by_name["as it is: SGD"][1:] == [
        "2", "89.00 ± 1.41", "99.00 ± 0.00", "0.600 ± 0.000", "98", "110", "110", "1.00 |",
    ]  # fmt: skip
    muon = next(cells for name, cells in by_name.items() if "muon" in name)
    assert muon[1:3] == ["2", "85.00 ± 1.41"]
    assert muon[5:] == ["not reached", "not reached", "44", "0.40 |"]
    assert "training.svg" in text
    assert "seconds of training" in (tmp_path / "training.svg").read_text()
    points = training.curves(lines).to_dict()["data"]["values"]
    assert [point["test accuracy"] for point in points] == [
        row["test"] for each in lines[:3] for row in each["epochs"]
    ]
    assert "airbench94" not in text
    said = training.beside_released([*lines, released])
    assert "airbench94 ends +3.0 points of test accuracy" in said
    assert "in 2.00 of its time" in said


def test_the_folds_against_two_retrainings(
    own_models: Path, small_compact: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The difference is to the mean of the two, the bracket how far these lie apart."""
    data = tiny.dataset()
    for request in (None, *map(ForgetRequest.of_fold, range(FOLDS))):
        kept = list(train_model("compact", data, tiny.SHORT, without=request, keep="logits"))
        assert isinstance(kept[-1], Checkpoint)
    line = ideal.measured(data, "random:2", 3)
    assert line["images"] == 2
    assert len(line["retrained"]) == 2
    both = [model["forget_accuracy"] for model in line["retrained"]]
    about = {"dataset": "tiny", "request": "random:2", "forget_seed": 3}
    row = next(row for row in ideal.table([about | line]).splitlines() if "random:2" in row)
    off = 100 * (line["folds"]["forget_accuracy"] - sum(both) / 2)
    assert row.split(" | ")[4] == f"{off:+.1f} ({100 * abs(both[0] - both[1]):.1f})"
    shipped = ideal.for_the_app([about | line, about | line | {"offered": False}])
    (tmp_path / "ideal.json").write_text(json.dumps(shipped))
    error = fold_error("compact", "tiny", "random", tmp_path)
    assert error is not None
    assert error.sets == 1
    assert error.largest["forget_accuracy"] == pytest.approx(abs(off) / 100, abs=1e-4)
    assert fold_error("compact", "tiny", "memorised", tmp_path) is None


def test_the_nearest_images_are_the_like_of_the_first(
    own_models: Path, small_compact: None
) -> None:
    data = tiny.dataset()
    list(train_model("compact", data, tiny.SHORT))
    chosen = ideal.request_of(data, "nearest:4", 0).indices
    assert len(chosen) == 4
    assert 0 in chosen
    doubled = dataclasses.replace(data, train_images=data.train_images.clone())
    doubled.train_images[7] = data.train_images[0]
    assert {0, 7} <= set(ideal.request_of(doubled, "nearest:4", 0).indices)
