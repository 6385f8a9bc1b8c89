"""The measurements that ship: every row complete and of a method that there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import LabError
from core.runs.measured import measured_methods
from core.unlearners import METHODS

ROW = {
    "method": "fine_tune", "case": "random:0.1", "gap": 2.5, "seconds": 50.0, "share": 0.06,
    "low": 1.5, "high": 3.5, "seeds": 1, "tied": False, "control": "", "no_nearer_than": "",
}  # fmt: skip


def test_rows_come_as_they_were_written(tmp_path: Path) -> None:
    assert measured_methods(tmp_path) == []
    (tmp_path / "methods.json").write_text(json.dumps([ROW]))
    assert measured_methods(tmp_path) == [ROW]


@pytest.mark.parametrize("damage", ["{", "[1]", '[{"method": "fine_tune"}]', "\\xff"])
def test_a_damaged_file_is_said(tmp_path: Path, damage: str) -> None:
    (tmp_path / "methods.json").write_text(damage)
    with pytest.raises(LabError, match="cannot be read"):
        measured_methods(tmp_path)


def test_what_ships_is_of_methods_that_there_are() -> None:
    rows = measured_methods()
    assert {row["method"] for row in rows if not row["control"]} <= set(METHODS)


@pytest.mark.parametrize(
    ("case", "tricks"),
    [
        ("random:0.1", {"doing nothing", "dividing the logits by 20"}),
        (
            "class:automobile",
            {"doing nothing", "dividing the logits by 20", "masking the class's answer"},
        ),
    ],
)
def test_controls_and_ties_ship(case: str, tricks: set[str]) -> None:
    """What forgets nothing stands in the table, and what cannot be told apart is called a tie."""
    rows = [row for row in measured_methods() if row["case"] == case]
    assert {row["control"] for row in rows if row["control"]} == tricks
    assert all(row["low"] <= row["gap"] <= row["high"] for row in rows)
    methods = [row for row in rows if not row["control"] and row["method"] != "retrain"]
    nearest = min(methods, key=lambda row: row["gap"])
    assert nearest["tied"]
    for row in methods:
        if row["low"] > nearest["high"]:  # intervals apart: no tie
            assert not row["tied"]
        if row["gap"] <= nearest["high"] and nearest["gap"] >= row["low"]:
            assert row["tied"]
    trick = min((row for row in rows if row["control"]), key=lambda row: row["gap"])
    for row in methods:
        if row["gap"] >= trick["gap"]:
            assert row["no_nearer_than"] == trick["control"]


def test_masking_is_nearer_than_every_method_for_a_class() -> None:
    """The reason why a class's ranking is called no proof of forgetting."""
    rows = [row for row in measured_methods() if row["case"] == "class:automobile"]
    mask = next(row for row in rows if row["method"] == "mask")
    assert mask["gap"] < min(r["gap"] for r in rows if r["method"] in METHODS and r["share"] < 1)
