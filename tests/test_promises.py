"""The promises, on measurements that are made up: what is asked of a row, and what a run says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks import promised, promises
from benchmarks.controls import AGAIN
from benchmarks.controls import LOG as CONTROLS
from benchmarks.promised import MEASUREMENTS, NOT_AGAIN, PROMISES, WHOLE, Promise
from benchmarks.remeasure import Figures, Machine, Measurement

ROOT = Path(__file__).resolve().parent.parent


def squeezed(text: str) -> str:
    """On one line, without the marks of a table."""
    return " ".join(text.replace("|", " ").replace("`", "").split())


# The table


def test_each_promise_has_a_name_a_source_a_limit_and_what_measures_it() -> None:
    names = [promise.name for promise in PROMISES]
    assert len(set(names)) == len(names)
    for promise in PROMISES:
        assert promise.what
        assert promise.source.startswith(("README: ", "issue ", "design.md, "))
        assert math.isfinite(promise.limit)
        assert promise.command() == f"python -m benchmarks.promises --only {promise.name}"
    assert {promise.measurement for promise in PROMISES} == set(MEASUREMENTS)


def test_what_the_readme_promises_stands_there() -> None:
    readme = squeezed((ROOT / "README.md").read_text())
    quoted = [p.source[8:] for p in PROMISES if p.source.startswith("README: ")]
    assert quoted
    assert [words for words in quoted if words not in readme] == []


def test_the_estimates_fit_into_the_time_promised() -> None:
    assert sum(each.about for each in MEASUREMENTS.values()) < WHOLE.limit


def test_the_gap_allowed_is_twice_that_of_two_retrainings() -> None:
    (limit,) = (promise.limit for promise in PROMISES if promise.name == "gap")
    (again,) = (x for x in CONTROLS.lines() if (x["case"], x["row"]) == ("random:0.1", AGAIN))
    assert limit == round(2 * round(again["gap"], 2), 2)


def test_what_is_not_measured_again_says_why_and_where() -> None:
    for what, why, file in NOT_AGAIN:
        assert what
        assert why
        assert (ROOT / file).exists()


# A run


class Fake:
    """Measurements that count how often they are made, and give what a test says."""

    def __init__(self, **figures: Figures | Exception) -> None:
        self.made: list[str] = []
        self.measurements = {
            name: Measurement(f"of {name}", 1, self._measure(name, found))
            for name, found in figures.items()
        }

    def _measure(self, name: str, found: Figures | Exception):
        def measure(machine: Machine) -> Figures:
            self.made.append(name)
            if isinstance(found, Exception):
                raise found
            return found

        return measure


ROWS = [
    Promise("wait", "the wait", "issue 2, acceptance 1", "at most", 3, "s", "app", "front"),
    Promise("drop", "the drop", "issue 2, acceptance 2", "at most", 3, "points", "tune", "drop"),
    Promise("memory", "memory", "issue 2, acceptance 4", "at most", 1.8, "GB", "app", "memory"),
    Promise("rate", "the rate", "issue 2, acceptance 4", "at least", 0.7, "", "tune", "rate"),
    Promise("same", "what differs", "issue 11, acceptance 5", "exactly", 0, "", "tune", "same"),
]
APP, TUNE = {"front": 3.0, "memory": 1.6}, {"drop": 2.9, "rate": 0.7, "same": 0}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(promises, "RESULTS", tmp_path)
    monkeypatch.setattr(promises, "PROMISES", ROWS)
    return tmp_path


def give(monkeypatch: pytest.MonkeyPatch, **figures: Figures | Exception) -> Fake:
    fake = Fake(**figures)
    monkeypatch.setattr(promises, "MEASUREMENTS", fake.measurements)
    return fake


def test_all_hold(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = give(monkeypatch, app=APP, tune=TUNE)
    assert promises.main([]) == 0
    assert fake.made == ["app", "tune"]  # each once, for all its rows
    said = capsys.readouterr()
    assert (
        "wait | 3 s | at most 3 s | holds | python -m benchmarks.promises --only wait" in said.out
    )
    assert "6 of 6 promises hold." in said.out  # this command's own time is one
    assert "FALLS SHORT" not in said.out
    assert NOT_AGAIN[0][0] in said.out
    assert "[2 of 2] of tune: about 1.0 min, 1 min to the end" in said.err


@pytest.mark.parametrize(
    ("changed", "row"),
    [
        ({"drop": 3.01}, "the drop, issue 2, acceptance 2, 3.01 points, at most 3 points"),
        ({"rate": 0.69}, "the rate, issue 2, acceptance 4, 0.69, at least 0.7"),
        ({"rate": math.nan}, "the rate, issue 2, acceptance 4, nan, at least 0.7"),
        ({"same": 1}, "what differs, issue 11, acceptance 5, 1, exactly 0"),
    ],
)
def test_one_falls_short(
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: Figures,
    row: str,
) -> None:
    give(monkeypatch, app=APP, tune={**TUNE, **changed})
    assert promises.main([]) == 1
    said = capsys.readouterr().out
    assert "5 of 6 promises hold." in said
    assert said.splitlines()[-1] == f"FALLS SHORT: {row}"


def test_what_cannot_be_measured_falls_short_and_the_rest_goes_on(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, app=OSError("no browser\nat all"), tune=TUNE)
    assert promises.main([]) == 1
    said = capsys.readouterr().out
    assert "memory | cannot be measured: no browser | at most 1.8 GB | FALLS SHORT" in said
    assert "4 of 6 promises hold." in said
    found = json.loads((results / "promises.json").read_text())["promises"]
    assert [row["measured"] for row in found[:2]] == [None, None]


def test_it_takes_too_long(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ticks = iter(range(0, 100_000, 601))
    monkeypatch.setattr(promises.time, "monotonic", lambda: float(next(ticks)))
    give(monkeypatch, app=APP, tune=TUNE)
    assert promises.main([]) == 1
    said = capsys.readouterr()
    assert "FALLS SHORT: this command" in said.out
    assert "[2 of 2] of tune: about 1.0 min" in said.err  # a minute is too short to go by


def test_only(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = give(monkeypatch, app=APP, tune={**TUNE, "drop": 9})
    assert promises.main(["--only", "rate", "same"]) == 0
    assert fake.made == ["tune"]
    said = capsys.readouterr().out
    assert "2 of 2 promises hold." in said
    assert "drop" not in said
    assert list(results.iterdir()) == []
    assert promises.main(["--only", "drop"]) == 1
    with pytest.raises(SystemExit) as ended:
        promises.main(["--only", "nothing"])
    assert ended.value.code == 2


def test_list(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = give(monkeypatch, app=APP, tune=TUNE)
    assert promises.main(["--list"]) == 0
    assert fake.made == []
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines] == [row.name for row in ROWS]
    assert lines[0] == (
        "wait | the wait | at most 3 s | issue 2, acceptance 1 | "
        "python -m benchmarks.promises --only wait"
    )
    assert list(results.iterdir()) == []


def test_what_is_written(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, app=APP, tune={**TUNE, "drop": 4})
    promises.main([])
    found = json.loads((results / "promises.json").read_text())
    assert found["machine"].keys() >= {"processor", "cores", "torch", "training_precision"}
    names = [row["name"] for row in found["promises"]]
    assert names == ["wait", "memory", "drop", "rate", "same", "all"]
    short = [row for row in found["promises"] if not row["holds"]]
    assert [(row["name"], row["measured"], row["limit"]) for row in short] == [("drop", 4, 3)]
    text = (results / "promises.md").read_text()
    assert (
        "| the drop | issue 2, acceptance 2 | 4 points | at most 3 points | FALLS SHORT |" in text
    )
    assert f"`{promised.COMMAND} --only drop`" in text
    assert all(file in text for _, _, file in NOT_AGAIN)
