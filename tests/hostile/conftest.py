"""Bad inputs meet the app, the shell and the library; what was there before is there afterwards.

The fixtures of `tests/app` hold here too, among them a cache folder for each test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core import __main__ as cli
from core.runs.store.store import Store
from tests.app import fakes
from tests.app.conftest import keep, open_page, own_folders, runner, ship
from tests.e2e.conftest import start

__all__ = ["keep", "open_page", "own_folders", "runner", "ship", "start"]

FOREIGN = "https://example.invalid"
PICTURE = f"![x]({FOREIGN}/x.png)"
Shell = Callable[..., tuple[int, str]]


@pytest.fixture
def cache(tmp_path: Path, own_folders: None) -> Path:
    """The test's cache folder, made."""
    folder = tmp_path / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def nothing_lost(cache: Path) -> Iterator[None]:
    """A finished run that is still whole when the test has ended."""

    def store() -> Store:
        return Store(f"sqlite:///{cache / 'runs.sqlite'}", cache / "runs")

    run = fakes.run("kept")
    before = store()
    before.save(run)
    before.close()
    yield
    after = store()
    found = after.load("kept")
    assert found.plan == run.plan
    assert len(found.replay) == len(run.replay)
    after.close()


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a command that goes wrong: gives its exit code and the one line that it said."""

    def run(*arguments: object) -> tuple[int, str]:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as left:  # argparse's way out
            code = int(left.code or 0)
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: "), said.err
        assert said.err.count("\n") == 1, said.err
        assert len(said.err) < 600
        return code, said.err

    return run
