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

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
SHORT = (
    "unlearn", "--dataset", "digits", "--forget", "class:1", "--method", "neg_grad", "--set",
    "epochs=0.1", "--json=-",
)  # fmt: skip
Python = Callable[..., str]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def follow(tmp_path: Path) -> Callable[..., Python]:
    """Writes files of CONTRIBUTING.md into a copy of the project; gives a Python that runs there
    and answers what it printed."""

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def write(*names: str) -> Python:
        for folder in ("core", "tests", "ui"):
            shutil.copytree(
                ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        (tmp_path / "models_cache").mkdir()
        shutil.copytree(
            ROOT / "models_cache/compact-digits", tmp_path / "models_cache/compact-digits"
        )
        files = dict(FILES.findall((ROOT / "CONTRIBUTING.md").read_text()))
        for name in names:
            assert not (tmp_path / name).exists()
            (tmp_path / name).write_text(files[name])
        return python

    return write


def passed(printed: str) -> int:
    """How many tests pytest says have passed."""
    found = re.search(r"(\d+) passed", printed)
    return int(found[1]) if found else 0


def test_a_new_method_is_one_file_and_its_test(follow: Callable[..., Python]) -> None:
    python = follow("core/unlearners/confuse.py", "tests/fidelity/test_confuse.py")
    listed = {method["name"] for method in json.loads(python("-m", "core", "methods", "--json=-"))}
    assert "confuse" in listed
    printed = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/core/test_unlearners.py",
        "tests/fidelity/test_confuse.py", "-k", "confuse",
    )  # fmt: skip
    assert passed(printed) >= 10  # the conformance suite took it


def test_a_new_metric_and_a_new_attack_are_a_file_and_a_test_each(
    follow: Callable[..., Python],
) -> None:
    """They are measured of all three models of a run that the shell makes (one was kept with what
    needs no logits), and stand in the app's table with their words."""
    tests = ["tests/core/test_forget_confidence.py", "tests/core/test_gap_attack.py"]
    metrics = ["forget_confidence", "gap_attack", "gap_attack_class_matched"]
    python = follow("core/metrics/forget_confidence.py", "core/attacks/gap_attack.py", *tests)
    for test in tests:
        assert passed(python("-m", "pytest", "-q", "-p", "no:cacheprovider", test))
    run = json.loads(python("-m", "core", *SHORT))
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
    shown = python("-c", table).split()
    assert set(metrics) <= set(shown)


def test_every_file_of_contributing_is_followed() -> None:
    named = {name for name, _ in FILES.findall((ROOT / "CONTRIBUTING.md").read_text())}
    assert all(name in Path(__file__).read_text() for name in named)
    assert len(named) == 6
