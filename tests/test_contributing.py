"""CONTRIBUTING.md's steps, followed on a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
SHORT = (
    "unlearn", "--dataset", "digits", "--forget", "class:1", "--method", "neg_grad", "--set",
    "epochs=0.1", "--json=-",
)  # fmt: skip
Python = Callable[..., str]

pytestmark = pytest.mark.timeout(600)


def copied(folder: Path, *names: str) -> Python:
    """Writes files of CONTRIBUTING.md into a copy of the project; gives a Python that runs there
    and answers what it printed."""
    for part in ("core", "tests", "ui"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    digits = "models_cache/compact-digits"
    shutil.copytree(ROOT / digits, folder / digits)
    files = dict(FILES.findall((ROOT / "CONTRIBUTING.md").read_text()))
    for name in names:
        assert not (folder / name).exists()
        (folder / name).write_text(files[name])

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return python


def passed(printed: str) -> int:
    """How many tests pytest says have passed."""
    found = re.search(r"(\d+) passed", printed)
    return int(found[1]) if found else 0


def test_a_new_method_is_one_file_and_its_test(tmp_path: Path) -> None:
    python = copied(tmp_path, "core/unlearners/confuse.py", "tests/fidelity/test_confuse.py")
    listed = {method["name"] for method in json.loads(python("-m", "core", "methods", "--json=-"))}
    assert "confuse" in listed
    printed = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/core/test_unlearners.py",
        "tests/fidelity/test_confuse.py", "-k", "confuse",
    )  # fmt: skip
    assert passed(printed) >= 10  # the conformance suite took it


ADDED = {
    "core/metrics/forget_confidence.py": (
        "tests/core/test_forget_confidence.py", ["forget_confidence"],
    ),
    "core/attacks/gap_attack.py": (
        "tests/core/test_gap_attack.py", ["gap_attack", "gap_attack_class_matched"],
    ),
}  # fmt: skip
"""A metric and an attack, each with its test and the names of the metrics that it makes."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Python, dict[str, Any]]:
    """Both, in one copy, and a run that its shell makes."""
    python = copied(tmp_path_factory.mktemp("copy"), *ADDED, *(test for test, _ in ADDED.values()))
    return python, json.loads(python("-m", "core", *SHORT))


@pytest.mark.parametrize("file", ADDED)
def test_a_new_metric_or_attack_is_one_file_and_its_test(
    measured: tuple[Python, dict[str, Any]], file: str
) -> None:
    """It is measured of all three models (one was kept with what needs no logits), and stands in
    the app's table with its words."""
    python, run = measured
    test, metrics = ADDED[file]
    assert passed(python("-m", "pytest", "-q", "-p", "no:cacheprovider", test))
    for model in ("before", "after", "retrained"):
        for metric in metrics:
            found = run["intervals"][model][metric]
            assert found["low"] <= found["value"] <= found["high"]
    table = (
        "import sys; from core.runs.store.store import Store; from ui import report;"
        f"from ui.wording import terms; words = [*map(terms.term, {metrics})];"
        "assert not any('_' in word for word in words);"
        f"run = Store().load({run['id']!r}); page = report.page(run, '', {{}});"
        "assert all(word in page for word in words);"
        "print(*report.metrics_table(run).metric)"
    )
    assert set(metrics) <= set(python("-c", table).split())


def test_every_file_of_contributing_is_followed() -> None:
    named = {name for name, _ in FILES.findall((ROOT / "CONTRIBUTING.md").read_text())}
    assert all(name in Path(__file__).read_text() for name in named)
    assert len(named) == 6
