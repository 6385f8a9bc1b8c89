"""What all tests share: a cache folder of their own, and real CIFAR-10 where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: a worker has one core
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.browser import browser  # noqa: F401
from tests.databases import postgres, postgres_server, url  # noqa: F401

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CIFAR10 = DATA / "cifar10"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    """No test touches the user's cache, data or database. One cache a session, so that CIFAR-10 is
    decoded once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGETTING_LAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FORGETTING_LAB_DATA", raising=False)
        patch.delenv("FORGETTING_LAB_DATABASE", raising=False)
        yield


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The folder with CIFAR-10 as Parquet. Without it the test is skipped, in CI it fails."""
    return _there(CIFAR10, "CIFAR-10 is")


@pytest.fixture(scope="session")
def planetoid_folder() -> Path:
    """The folder with the files of Cora and Citeseer, as above."""
    return _there(DATA / "planetoid", "The citation graphs are")


def _there(folder: Path, what: str) -> Path:
    if not folder.is_dir():
        why = f"{what} not in {folder}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{why}, and CI needs it.")
        pytest.skip(f"{why}.")
    return folder


@pytest.fixture(scope="module")
def small_compact():
    """`Compact` with few weights, for tests of what happens around a network."""
    from core.models.compact import Compact
    from tests.tiny import WIDTHS

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compact, "WIDTHS", WIDTHS)
        yield


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for one test, in which no model is, and none ships with the project."""

    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path / "cache"))
    for module in ("storage", "memorisation"):
        monkeypatch.setattr(f"core.checkpoints.{module}.SHIPPED", tmp_path / "shipped")
    return tmp_path / "cache" / "models"


LONGEST = ("test_cifar10.py", "test_app.py", "test_benchmarks.py", "test_cost.py")
"""The files that take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that with two workers, which take a file each, none is left over
    at the end for one of them alone."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else 9)
