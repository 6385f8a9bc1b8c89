"""Databases of older versions: their runs are all there after the opening, however that goes."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine.default import DefaultDialect

from core.data.requests import ForgetRequest
from core.errors import RunMissing, StoreCorrupt
from core.metrics.measures import Measure
from core.runs.run import Run
from core.runs.run_files import fields_of, pack, to_json
from core.runs.store import address as addresses
from core.runs.store import array_files, tables
from core.runs.store.store import Store
from tests.core.test_store import a_run, flat
from tests.databases import both

OLD_TABLES = """
CREATE TABLE forgetting_lab_schema (
    id INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (id)
);
CREATE TABLE run_requests (id VARCHAR(80) NOT NULL, request TEXT NOT NULL, PRIMARY KEY (id));
CREATE TABLE runs (
    id VARCHAR(80) NOT NULL,
    created VARCHAR(40) NOT NULL,
    status VARCHAR(16) NOT NULL,
    owner VARCHAR(64) NOT NULL,
    model VARCHAR(80) NOT NULL,
    dataset VARCHAR(200) NOT NULL,
    method VARCHAR(80) NOT NULL,
    seed BIGINT NOT NULL,
    forget TEXT NOT NULL,
    forget_size INTEGER,
    settings TEXT NOT NULL,
    seconds TEXT NOT NULL,
    versions TEXT NOT NULL,
    metrics TEXT NOT NULL,
    error TEXT NOT NULL,
    steps_done INTEGER NOT NULL,
    total_steps INTEGER NOT NULL,
    rest TEXT NOT NULL,
    arrays_file VARCHAR(120) NOT NULL,
    arrays_sha256 VARCHAR(64) NOT NULL,
    pid INTEGER NOT NULL,
    host VARCHAR(255) NOT NULL,
    process_start VARCHAR(80) NOT NULL,
    last_progress DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_runs_created ON runs (created);
CREATE INDEX ix_runs_status ON runs (status);
"""


def old_row(run: Run, version: int, folder: Path) -> dict[str, Any]:
    """A run as that version kept it: its row, and its array file in `folder`."""
    fields = fields_of(run)
    for numbers in fields["metrics"].values():
        if numbers and not numbers["overlap"]["n"]:
            numbers["overlap"] = math.nan  # as it stood there
    row: dict[str, Any] = {"owner": f"owner of {run.id}", "forget_size": fields["data"]["forget"]}
    for name in ("id", "created", "status", "error", "steps_done", "total_steps"):
        row[name] = fields.pop(name)
    for name in ("settings", "seconds", "versions", "metrics"):
        row[name] = to_json(fields.pop(name))
    for name in ("model", "dataset", "method", "seed"):
        row[name] = fields["plan"].pop(name)
    del fields["plan"]["request"]
    request = run.plan.request
    row["forget"] = (request if version == 1 else request.brief()).to_json()
    row["rest"] = to_json(fields)
    row |= {"arrays_file": "", "arrays_sha256": "", "pid": 0, "host": "", "process_start": ""}
    row["last_progress"] = 0.0
    if run.status == "running":
        row |= {"pid": 1, "host": socket.gethostname(), "process_start": "x"}
        row["last_progress"] = time.time()
    else:
        row["arrays_file"], row["arrays_sha256"] = array_files.keep(folder, run.id, pack(run))
    return row


def with_request(run: Run, request: ForgetRequest) -> Run:
    return dataclasses.replace(run, plan=dataclasses.replace(run.plan, request=request))


@pytest.fixture
def runs() -> list[Run]:
    nan = a_run("nan", seed=3)
    assert nan.after is not None
    unknown = {**nan.after.measures, "overlap": Measure(math.nan, math.nan, math.nan, 0)}
    nothing: Any = {"before": None, "after": None, "replay": ()}
    return [
        a_run("finished", seed=1),
        a_run("partial", "partial", seed=2, error="Stopped."),
        dataclasses.replace(nan, after=dataclasses.replace(nan.after, measures=unknown)),
        with_request(a_run("long", seed=4), ForgetRequest.of_indices(range(25_000))),
        with_request(a_run("random", seed=2**40), ForgetRequest.random(0.1, seed=5)),
        with_request(a_run("classes", seed=6), ForgetRequest.of_classes("1", "é")),
        a_run("failed", "failed", error="It failed.", **nothing),
        a_run("running", "running", seed=8, steps_done=3, **nothing),
    ]


@pytest.fixture
def older(url: str) -> Any:
    """Makes the database of an older version, with some runs, a deleted one and one of which no
    sense can be made, and gives its address."""

    def make(version: int, runs: list[Run]) -> str:
        folder = addresses.array_folder_of(addresses.address_of(url), None)
        rows = [old_row(run, version, folder) for run in runs]
        rows.append(old_row(a_run("deleted"), version, folder) | {"status": tables.DELETED})
        rows.append(old_row(a_run("bad"), version, folder) | {"metrics": '{"before": '})
        requests = [
            {"id": run.id, "request": run.plan.request.to_json()}
            for run in [*runs, a_run("deleted"), a_run("bad")]
            if run.plan.request.kind == "indices"
        ]
        with connected(url) as connection, connection.begin():
            for statement in OLD_TABLES.split(";\n"):
                connection.execute(text(statement))
            schema = "INSERT INTO forgetting_lab_schema VALUES (1, :version)"
            connection.execute(text(schema), {"version": version})
            for row in rows:
                names = ", ".join(row)
                places = ", ".join(f":{name}" for name in row)
                connection.execute(text(f"INSERT INTO runs ({names}) VALUES ({places})"), row)
            if version == 1:
                connection.execute(text("DROP TABLE run_requests"))
            else:
                connection.execute(
                    text("INSERT INTO run_requests VALUES (:id, :request)"), requests
                )
        return url

    return make


@contextlib.contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def assert_all_there(url: str, runs: list[Run]) -> None:
    """Every run as it was, in the tables of today and no others."""
    with contextlib.closing(Store(url)) as store:
        for run in runs:
            assert flat(store.load(run.id)) == flat(run)
            assert store.summary(run.id).owner == f"owner of {run.id}"
        assert {summary.id for summary in store.summaries()} == {run.id for run in runs}
        assert store.recover() == []  # the running one was heard of a moment ago
        with pytest.raises(RunMissing):
            store.load("deleted")
        assert not list(store.folder.glob("deleted.*"))  # recovery went on with it
        with pytest.raises(StoreCorrupt, match="run bad cannot be read"):
            store.load("bad")
        assert list(store.folder.glob("bad.*"))
        with store.database.engine.connect() as connection:
            records = dict(connection.execute(text("SELECT id, record FROM runs")).all())
            version = connection.execute(text("SELECT version FROM forgetting_lab_schema")).scalar()
        assert version == tables.SCHEMA_VERSION
        assert json.loads(records["bad"])["unread"]["metrics"] == '{"before": '
        assert max(map(len, records.values())) < 20_000  # 25,000 indices are not among it
    with tempfile.TemporaryDirectory() as folder:
        Store(f"sqlite:///{folder}/new.sqlite").close()
        assert tables_of(url) == tables_of(f"sqlite:///{folder}/new.sqlite")


def tables_of(url: str) -> dict[str, Any]:
    """The columns and indexes of each table, by the names of both."""
    with connected(url) as connection:
        look = inspect(connection)
        return {
            table: (
                [(column["name"], column["nullable"]) for column in look.get_columns(table)],
                look.get_pk_constraint(table)["constrained_columns"],
                sorted((index["name"], index["column_names"]) for index in look.get_indexes(table)),
            )
            for table in look.get_table_names()
        }


@both
@pytest.mark.parametrize("version", [1, 2])
def test_every_run_is_there_as_it_was(older: Any, runs: list[Run], version: int) -> None:
    url = older(version, runs)
    for _ in range(2):
        assert_all_there(url, runs)


@both
def test_version_3_learns_of_links_and_owners(url: str, runs: list[Run]) -> None:
    with contextlib.closing(Store(url)) as store:
        newest = tables_of(url)
        for run in runs[:-1]:
            store.save(run, f"owner of {run.id}")
    with connected(url) as connection, connection.begin():
        connection.execute(text("DROP TABLE run_links"))
        connection.execute(text("DROP INDEX ix_runs_owner"))
        connection.execute(text("UPDATE forgetting_lab_schema SET version = 3"))
    with contextlib.closing(Store(url)) as store:
        assert tables_of(url) == newest
        for run in runs[:-1]:
            assert flat(store.load(run.id)) == flat(run)


class Cut(BaseException):
    pass


@contextlib.contextmanager
def cut_off(after: int) -> Any:
    """The process dies before its next write to a database, after so many; gives [True] if it
    did."""
    left, died = after, [False]

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal left
        if not statement.lstrip().startswith(("SELECT", "PRAGMA")):
            if not left:
                died[0] = True
                raise Cut
            left -= 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        with contextlib.suppress(Cut):
            yield died
    finally:
        event.remove(Engine, "before_cursor_execute", count)


@pytest.mark.parametrize("undoes", [True, False], ids=["transaction", "no transaction"])
@pytest.mark.parametrize("version", [1, 2])
def test_what_was_cut_off_goes_on_at_the_next_opening(
    older: Any,
    runs: list[Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    undoes: bool,
) -> None:
    """Also where the database cannot undo changes of tables, so that every write stays."""
    runs = runs[3:5] + runs[-1:]  # a long list, none, and one that runs
    url = older(version, runs)
    kept = tmp_path / "kept"
    before = tables_of(url)
    shutil.copytree(tmp_path, kept)
    for after in itertools.count():
        with cut_off(after) as died, monkeypatch.context() as patch:
            if not undoes:
                patch.setattr(DefaultDialect, "do_rollback", DefaultDialect.do_commit)
            Store(url).close()
        if died[0] and undoes:
            assert tables_of(url) == before
        assert_all_there(url, runs)
        if not died[0]:
            break
        for left in tmp_path.glob("*.sqlite*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    assert after > 10


OPENING = """
import logging, sys
from core.runs.store.store import Store
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
print("ready", flush=True)
input()
Store(sys.argv[1]).close()
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@both
def test_two_that_open_at_once_renew_it_once(older: Any, runs: list[Run]) -> None:
    url = older(2, runs)
    children = [start(OPENING, url) for _ in range(2)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert "".join(said).count("the database of runs was renewed, 10 runs") == 1
    assert_all_there(url, runs)


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from core.runs.store.store import Store
@event.listens_for(Engine, "before_cursor_execute")
def die(conn, cursor, statement, *_):
    if statement.lstrip().startswith("DROP TABLE"):
        os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
Store(sys.argv[1])
"""


@both
def test_one_that_is_killed_leaves_it_as_it_was(older: Any, runs: list[Run]) -> None:
    url = older(2, runs)
    child = start(KILLED, url)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert_all_there(url, runs)
