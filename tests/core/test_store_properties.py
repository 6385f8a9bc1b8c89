"""Whatever is done to the store, in whatever order: no finished run is ever lost or changed.

Hypothesis saves and deletes runs in two databases of one folder, kills at any write, loses and
damages database files, resets, recovers with old and new files, and damages array files. After each
step every run that was saved is loaded (from a database that is made again where it is damaged).
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy.engine.default import DefaultDialect

from core.errors import RunMissing, StoreCorrupt
from core.runs.run import Run
from core.runs.store import liveness
from core.runs.store.reset import reset_aside
from core.runs.store.store import Store
from tests.core.test_store import a_run, flat

DATABASES = st.sampled_from(("runs.sqlite", "other.sqlite"))
IDS = st.sampled_from(("a", "a.b", "c"))
KILLS = st.one_of(st.none(), st.integers(0, 12))
"""At which write the process is killed; None: not at all."""


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it, and no write comes after it."""


class Death:
    """Counts the writes of a process, and lets none through after the one at which it dies."""

    def __init__(self) -> None:
        self.left: int | None = None

    def write(self, real: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if self.left is not None:
            if self.left <= 0:
                raise Killed
            self.left -= 1
        return real(*given, **named)


@functools.cache
def made(id: str, seed: int) -> tuple[Run, dict[str, Any]]:
    run = a_run(id, seed=seed)
    return run, flat(run)


class Lab(RuleBasedStateMachine):
    """runs: per database and id what may be found there; None among it: nothing (or, of a run that
    was killed before it was saved, no result)."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runs: dict[tuple[str, str], list[dict[str, Any] | None]] = {}
        self.damaged: dict[tuple[str, str], bytes] = {}
        self.stores: dict[str, Store] = {}
        self.death = Death()
        self.seed = 0
        self.patch = pytest.MonkeyPatch()
        for owner, name in ((os, "replace"), (os, "fsync"), (os, "utime"), (os, "link")):
            self.patch.setattr(
                owner, name, functools.partial(self.death.write, getattr(owner, name))
            )
        for kind, name in ((Path, "unlink"), (DefaultDialect, "do_commit")):
            self.patch.setattr(kind, name, self.writing(getattr(kind, name)))
        self.patch.setattr(liveness, "_held", {})

    def writing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def method(this: Any, *given: Any, **named: Any) -> Any:
            return self.death.write(real, this, *given, **named)

        return method

    def teardown(self) -> None:
        for store in self.stores.values():
            store.close()
        liveness._held.clear()
        self.patch.undo()
        shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def dying(self, writes: int | None) -> Iterator[list[bool]]:
        """A stretch of work that dies after so many writes; gives [True] if it did."""
        died = [False]
        self.death.left = writes
        try:
            yield died
        except Killed:
            died[0] = True
            liveness._held.clear()  # as the system lets go of the locks of a process that ends
            for store in self.stores.values():
                store.close()
            self.stores.clear()
        finally:
            self.death.left = None

    def store(self, name: str) -> Store:
        """The open database, as a start of the server opens it."""
        if name not in self.stores:
            url = f"sqlite:///{self.folder}/{name}"
            try:
                self.stores[name] = Store(url)
            except StoreCorrupt:
                self.stores[name] = reset_aside(url)
            self.stores[name].recover()
        return self.stores[name]

    def forget(self, name: str) -> None:
        if name in self.stores:
            self.stores.pop(name).close()

    @rule(name=DATABASES, id=IDS, kill=KILLS)
    def save(self, name: str, id: str, kill: int | None) -> None:
        self.seed += 1
        run, content = made(id, self.seed)
        before = self.runs.get((name, id), [None])
        store = self.store(name)
        with self.dying(kill) as died:
            if before == [None]:
                store.begin(run)
            store.save(run)
        self.runs[name, id] = [*before, content] if died[0] else [content]
        if not died[0]:
            self.damaged.pop((name, id), None)

    @rule(name=DATABASES, id=IDS, kill=KILLS)
    def delete(self, name: str, id: str, kill: int | None) -> None:
        store = self.store(name)
        with self.dying(kill) as died, contextlib.suppress(RunMissing):
            store.delete(id)
        before = self.runs.get((name, id), [None])
        self.runs[name, id] = [*before, None] if died[0] else [None]
        self.damaged.pop((name, id), None)

    @rule(name=DATABASES, harm=st.sampled_from(("gone", "empty", "garbage", "log gone")))
    def harm_database(self, name: str, harm: str) -> None:
        self.forget(name)
        file = self.folder / name
        if not file.exists():
            return
        if harm == "gone":
            file.rename(self.folder / f"{name}.moved-{self.seed}")
        elif harm == "log gone":
            (self.folder / f"{name}-wal").unlink(missing_ok=True)
        else:
            file.write_bytes(b"" if harm == "empty" else b"no database\n" * 1000)

    @rule(name=DATABASES, kill=KILLS)
    def reset(self, name: str, kill: int | None) -> None:
        self.forget(name)
        with self.dying(kill):
            self.stores[name] = reset_aside(f"sqlite:///{self.folder}/{name}")

    @rule(name=DATABASES, old=st.booleans(), kill=KILLS)
    def recover(self, name: str, old: bool, kill: int | None) -> None:
        store = self.store(name)
        if old:
            for path in store.folder.glob("*"):
                changed = path.stat().st_mtime_ns - 7200 * 10**9
                os.utime(path, ns=(changed, changed))
        with self.dying(kill):
            store.recover()

    @rule(name=DATABASES, id=IDS)
    def damage_arrays(self, name: str, id: str) -> None:
        for path in self.store(name).folder.glob(f"{id}.????????????.npz"):
            content = path.read_bytes()
            path.write_bytes(content[:100] + b"damage" + content[106:])
            self.damaged[name, id] = path.read_bytes()

    @invariant()
    def every_run_is_there(self) -> None:
        for (name, id), allowed in self.runs.items():
            store = self.store(name)
            if (name, id) in self.damaged:
                kept = [path.read_bytes() for path in store.folder.rglob("*.npz")]
                assert self.damaged[name, id] in kept
                continue
            found: dict[str, Any] | None = None
            with contextlib.suppress(RunMissing):
                run = store.load(id)
                if run.status == "finished":
                    found = flat(run)
            assert found in allowed, (name, id)


TestLab = Lab.TestCase
TestLab.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, derandomize=True
)
