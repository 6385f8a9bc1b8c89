"""The measurements that ship: every row complete and of a method that there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import LabError
from core.measured import measured_methods
from core.unlearners import METHODS

ROW = {"method": "fine_tune", "case": "random:0.1", "gap": 2.5, "seconds": 50.0, "share": 0.06}


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
    assert {row["method"] for row in measured_methods()} <= set(METHODS)
