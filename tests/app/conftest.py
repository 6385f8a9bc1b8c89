"""Each test gets a cache folder, a store and a queue of its own, and a runner that does no work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import core.runs.queue
from core.runs.run import Run
from core.runs.run_files import run_to_files
from core.runs.store.store import Store
from tests.app import fakes
from ui.services import jobs, shipped

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("FORGETTING_LAB_DATA", "FORGETTING_LAB_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "0")
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "shipped")
    monkeypatch.chdir(ROOT)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakes.Runner]:
    """What the queue's jobs do; it waits half-way until `release` is set."""
    fake = fakes.Runner()
    real = core.runs.queue.JobQueue
    monkeypatch.setattr(
        core.runs.queue, "JobQueue", lambda store, **more: real(store, fake, **more)
    )
    yield fake
    fake.release.set()
    assert jobs.queue().join(10)


@pytest.fixture
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser sends with each new session; put a cookie in to have one."""
    jar: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: jar))
    return jar


@pytest.fixture
def ship(tmp_path: Path) -> Callable[[Run], None]:
    """Puts a run among those that ship with the project."""
    return lambda run: run_to_files(run, tmp_path / "shipped" / "runs") and None


@pytest.fixture
def keep() -> Callable[[Run], None]:
    """Puts a run into the store, as an earlier process would have."""

    def save(run: Run) -> None:
        store = Store()
        store.begin(run)
        store.save(run)
        store.close()

    return save


@pytest.fixture
def open_page() -> Open:
    """Opens the app at a page with query parameters, as a link does."""

    def open_at(page: str = "app.py", **params: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
        if page != "app.py":
            at.switch_page(page)
        for name, value in params.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception, at.exception
        return at

    return open_at


def viewed(open_page: Open, id: str, view: str) -> AppTest:
    """The result of a run, with one of the views of what the spies see."""
    at = open_page("pages/2_Unlearn.py", run=id)
    at.session_state[f"result-{id}-view"] = view
    at.run()
    assert not at.exception, at.exception
    return at
