"""The benchmark of robustness: every question is asked once, and its sentences have its numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import robustness as bench
from benchmarks.log import Line, Log
from benchmarks.robustness_table import apart, sentences
from core.data.dataset import ImageDataset
from core.data.requests import ForgetRequest
from core.data.splits import split
from tests.core.test_robustness_shell import DATA, base, folds  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_compact", "base", "folds")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """The benchmark on the tiny images, with a log of its own."""
    found = Log("robustness.jsonl")
    found.file = tmp_path / "robustness.jsonl"
    wrong = np.isin(np.arange(64), split(DATA, ForgetRequest.random(24)).forget)

    def load(name: str, folder: Any) -> ImageDataset:
        return dataclasses.replace(DATA, wrong_labels=torch.from_numpy(wrong))

    for name, value in {
        "LOG": found,
        "RESULTS": tmp_path,
        "CASES": {"tiny": ("random:24",)},
        "BAD": {"tiny": ("tiny",)},
        "SIZES": {"tiny": 6},
        "HARD": ("worst",),
        "SEQUENCE": "random:24",
        "load_dataset": load,
    }.items():
        monkeypatch.setattr(bench, name, value)
    return found


def test_every_question_is_asked_once(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, models_of = [], bench.models_of
    monkeypatch.setattr(
        bench, "models_of", lambda task, show: made.append(task) or models_of(task, show)
    )
    command = ["--dataset", "tiny", "--methods", "do_nothing", "--measures", *bench.MEASURES]
    bench.main(command)
    asked = [bench.Question(**{k: line[k] for k in QUESTION}) for line in log.lines()]
    assert len(asked) == len(set(asked)) == 3 + 1 + 1 + 2 + 1
    assert len(made) == 2  # once for all questions about it
    text = (tmp_path / "robustness.md").read_text()
    for title in ("## Does what was forgotten come back? (tiny)", "| *Doing nothing* |"):
        assert title in text
    assert "Forgetting the images of which each method left most" in text
    assert "Trained with 24 images that are wrong on purpose" in text
    assert "None" not in text
    assert "nan" not in text
    capsys.readouterr()
    bench.main(command)
    assert len(log.lines()) == len(asked)
    assert "min left" not in capsys.readouterr().out


def test_what_cannot_be_asked_is_said_and_asked_again(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--dataset", "tiny", "--methods", "unsir", "--measures", "sequence"]
    for _ in range(2):
        bench.main(command)
        assert "UNSIR forgets whole classes" in capsys.readouterr().out
    assert [line["method"] for line in log.lines()] == ["do_nothing"]


QUESTION = ("measure", "dataset", "case", "method")


def measure(value: float, width: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width, "n": 100}


def line(method: str, difference: float) -> Line:
    row = {
        "before": measure(0.5),
        "after": measure(0.6 + difference),
        "retrained": measure(0.6),
        "difference": measure(difference),
    }
    return {
        "measure": "corruptions",
        "dataset": "tiny",
        "case": "class:1",
        "method": method,
        "images": 100,
        "mean": row,
    }


def test_surely_is_said_of_what_is_sure() -> None:
    lines = [line("do_nothing", -0.1), line("fine_tune", 0.005), line("scrub", 0.02)]
    said = apart(lines, lambda each: each["mean"], "worse", "better")
    assert said == (
        "Surely worse than retrained: *Doing nothing*. Surely better than retrained: SCRUB. "
        "1 of 3 cannot be told from it."
    )
    text = sentences(lines)
    assert "before 50.0 % (49.0 to 51.0) are right, retrained 60.0 % (59.0 to 61.0)" in text
    assert "| SCRUB | 62.0 % (61.0 to 63.0) | 2.0 (1.0 to 3.0) |" in text
