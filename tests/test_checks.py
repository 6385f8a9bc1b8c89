"""Style, types and layers: the same tools that an editor runs, as tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
    ],
    ids=["ruff", "format", "mypy", "layers"],
)
def test_check_passes(command: list[str]) -> None:
    found = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("pattern", "most"),
    [("app.py", 100), ("pages/*.py", 60), ("ui/**/*.py", 250), ("core/**/*.py", 250)],
)
def test_a_file_fits_on_a_few_screens(pattern: str, most: int) -> None:
    """A page reads state, calls core and draws; what it is made of stands in ui/."""
    lines = {file: len(file.read_text().splitlines()) for file in ROOT.glob(pattern)}
    assert lines
    assert {file.name: n for file, n in lines.items() if n > most} == {}


def test_only_ui_state_touches_the_session_and_the_address() -> None:
    files = [ROOT / "app.py", *ROOT.glob("pages/*.py"), *ROOT.glob("ui/**/*.py")]
    found = {
        file.relative_to(ROOT).parent.as_posix()
        for file in files
        if re.search(r"\b(session_state|query_params)\b", file.read_text())
    }
    assert found == {"ui/state"}


def test_no_cifar_image_is_committed() -> None:
    """Images in the repository are screenshots of charts and digits; CIFAR-10 stays outside."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [name for name in tracked if name.endswith((".parquet", ".tar.gz", ".jpg"))] == []
