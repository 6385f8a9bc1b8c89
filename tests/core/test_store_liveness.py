"""Whether the process of a running run lives: by its lock where that can be asked for, else by its
progress."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from filelock import FileLock, Timeout
from sqlalchemy import update

from core.runs.store import liveness
from core.runs.store.store import Store
from core.runs.store.tables import Row
from tests.core.test_store import a_run, age
from tests.databases import both
from tests.killed import killed

BEGIN = """
import os, sys, time
from core.runs.store.store import Store
from tests.core.test_store import a_run
store = Store(sys.argv[1])
store.begin(a_run("theirs"))
"""
WORK = BEGIN + "print('ready', flush=True); time.sleep(600)"
FORKED_CHILD_ENDS = (
    BEGIN
    + """
child = os.fork()
if not child:
    sys.exit(3 if store.settle("theirs") else 4)  # which closes what it has of its parent's lock
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
time.sleep(600)
"""
)
FORKED_CHILD_STAYS = (
    BEGIN
    + """
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(600)
"""
)
FORKED_CHILD_WORKS = (
    BEGIN
    + """
child = os.fork()
if not child:
    store.database.engine.dispose(close=False)
    store.begin(a_run("forked"))
    print(os.getpid(), flush=True)
    time.sleep(600)
os.wait()
time.sleep(600)
"""
)


@pytest.fixture
def store(url: str) -> Any:
    with contextlib.closing(Store(url)) as store:
        yield store


@contextlib.contextmanager
def working(code: str, url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process, and the first line that it says."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    try:
        yield child, child.stdout.readline().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def kill(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()


def set_row(store: Store, id: str, **columns: Any) -> None:
    with store.database.session() as session:
        session.execute(update(Row).where(Row.id == id).values(columns))


def lock_files(store: Store) -> set[str]:
    return {path.name for path in liveness.lock_folder(store.folder).iterdir()}


@both
def test_another_process_is_alive_until_it_is_killed(store: Store, url: str) -> None:
    with working(WORK, url) as (child, _):
        set_row(store, "theirs", last_progress=0.0)  # its silence says nothing
        assert not store.settle("theirs")
        assert store.recover() == []
        kill(child)
        assert [run.id for run in store.recover()] == ["theirs"]
    assert store.summary("theirs").status == "interrupted"


@both
def test_a_killed_process_that_nobody_has_collected_is_dead(store: Store, url: str) -> None:
    with working(WORK, url) as (child, _):
        child.kill()
        deadline = time.monotonic() + 10
        while not (dead := store.settle("theirs")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert dead


@both
def test_asking_for_ones_own_run_does_not_let_go_of_its_lock(store: Store, url: str) -> None:
    store.begin(a_run("mine"))
    set_row(store, "mine", last_progress=0.0)
    answers: list[bool] = []

    def ask() -> None:
        with contextlib.closing(Store(url)) as other:
            answers.append(other.settle("mine"))

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    store.close()
    ask()
    asked = subprocess.run(
        [
            sys.executable, "-c",
            "import sys; from core.runs.store.store import Store; "
            "print(Store(sys.argv[1]).settle('mine'))",
            url,
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answers == [False, False]
    assert asked.stdout == "False\n"


def test_ones_own_lock_is_never_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """On some network file systems asking would take it, and let go of it."""
    store.begin(a_run("mine"))
    set_row(store, "mine", last_progress=0.0)
    monkeypatch.setattr(liveness, "FileLock", lambda *_, **__: pytest.fail("asked for"))
    assert not store.settle("mine")


def test_somebody_else_who_asks_is_not_taken_for_the_process(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.begin(a_run("run-1"))
    killed(store, "run-1")
    asking = FileLock(liveness.lock_folder(store.folder) / "killed.lock", thread_local=False)
    asking.acquire()
    monkeypatch.setattr(time, "sleep", lambda _: asking.release())
    assert store.settle("run-1")


def test_threads_that_begin_at_once_name_a_lock_that_is_held(store: Store) -> None:
    ready = threading.Barrier(8)
    names: list[str] = []

    def begin() -> None:
        ready.wait()
        names.append(liveness.own_lock(store.folder))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1
    with pytest.raises(Timeout):
        FileLock(liveness.lock_folder(store.folder) / names[0], timeout=0).acquire()


def test_a_forked_child_that_ends_leaves_its_parents_lock(store: Store, url: str) -> None:
    with working(FORKED_CHILD_ENDS, url) as (child, code):
        assert code == "4"  # the child too took its parent for alive
        set_row(store, "theirs", last_progress=0.0)
        assert not store.settle("theirs")
        kill(child)
        assert store.settle("theirs")


def test_a_forked_child_does_not_keep_its_dead_parent_alive(store: Store, url: str) -> None:
    with working(FORKED_CHILD_STAYS, url) as (child, forked):
        kill(child)
        assert store.settle("theirs")
        os.kill(int(forked), 0)  # it lives


def test_a_forked_child_has_a_lock_of_its_own(store: Store, url: str) -> None:
    with working(FORKED_CHILD_WORKS, url) as (_, forked):
        for id in ("theirs", "forked"):
            set_row(store, id, last_progress=0.0)
        os.kill(int(forked), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not (dead := store.settle("forked")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert dead
        assert not store.settle("theirs")


@both
@pytest.mark.parametrize("lock_file", ["", "not-here.lock", "..", "../lab.sqlite"])
def test_where_no_lock_can_be_asked_for_progress_decides(store: Store, lock_file: str) -> None:
    """An older version's run, another disk, or a row that makes no sense."""
    store.save(a_run("kept"))
    store.begin(a_run("run-1"))
    set_row(store, "run-1", lock_file=lock_file)
    assert not store.settle("run-1")
    set_row(store, "run-1", last_progress=time.time() - 7200)
    assert store.settle("run-1")
    assert store.load("kept").status == "finished"


def test_a_run_begins_where_no_lock_can_be_had(store: Store) -> None:
    liveness.lock_folder(store.folder).write_text("a file where the folder should be")
    store.begin(a_run("run-1"))
    assert not store.settle("run-1")
    set_row(store, "run-1", last_progress=time.time() - 7200)
    assert store.settle("run-1")


@both
def test_the_lock_files_of_the_dead_go(store: Store, url: str) -> None:
    store.begin(a_run("mine"))
    mine = liveness.own_lock(store.folder)
    with working(WORK, url):
        (theirs,) = lock_files(store) - {mine}
        place = liveness.lock_folder(store.folder)
        for name in ("old.lock", "young.lock", "elsewhere.lock"):
            (place / name).touch()
        store.begin(a_run("on-another-host"))
        set_row(store, "on-another-host", host="elsewhere", lock_file="elsewhere.lock")
        for path in place.iterdir():
            if path.name != "young.lock":
                age(path, 7200)
        store.recover()
        assert lock_files(store) == {mine, theirs, "young.lock", "elsewhere.lock"}
    store.recover()
    for path in place.iterdir():
        age(path, 7200)
    store.recover()
    assert lock_files(store) == {mine, "elsewhere.lock"}


def test_the_stand_in_of_the_tests_is_dead(store: Store) -> None:
    store.begin(a_run("run-1"))
    assert not store.settle("run-1")
    killed(store, "run-1")
    assert store.settle("run-1")
