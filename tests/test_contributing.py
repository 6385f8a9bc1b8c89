"""CONTRIBUTING.md's steps, followed on a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.timeout(600)
def test_a_new_method_is_one_file_and_its_test(tmp_path: Path) -> None:
    files = dict(FILES.findall((ROOT / "CONTRIBUTING.md").read_text()))
    assert sorted(files) == ["core/unlearners/confuse.py", "tests/fidelity/test_confuse.py"]
    for folder in ("core", "tests"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "models_cache").mkdir()
    for name, text in files.items():
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(text)

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    listed = {method["name"] for method in json.loads(python("-m", "core", "methods", "--json=-"))}
    assert "confuse" in listed
    passed = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/core/test_unlearners.py",
        "tests/fidelity/test_confuse.py", "-k", "confuse",
    )  # fmt: skip
    assert re.search(r"(\d+) passed", passed)
    assert int(re.search(r"(\d+) passed", passed)[1]) >= 10  # the conformance suite took it
