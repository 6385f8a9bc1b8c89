"""Finished runs: rows in a database, and beside each row one compressed npz file with its arrays.

SQLite by default; any database that SQLAlchemy knows through `FORGETTING_LAB_DATABASE`. A run's
array file is complete on disk, under a name made from its content, before the row that names it is
committed: a process killed at any moment leaves at most an unused file, never a row without its
arrays. The file also carries the row's own fields, so a damaged database can be made again from it.

The runs that ship with the project are such npz files with a JSON file for a row (run_files.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Engine,
    String,
    Text,
    create_engine,
    event,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from core.errors import BadRequest, LabError, RunMissing, StoreCorrupt, StoreUnavailable
from core.folders import SHIPPED, cache_folder
from core.results import MODELS, Run
from core.run_files import (
    Fields,
    RunSummary,
    assemble,
    checked_id,
    fields_of,
    pack,
    read_arrays,
    read_fields,
    run_from_files,
    run_to_files,
    shipped_runs,
    summary_of,
    to_json,
    unpack,
    write_file,
)

__all__ = ["RunSummary", "Store", "run_from_files", "run_to_files", "shipped_runs"]

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
LEFTOVER_SECONDS = 3600.0
"""An array file without a row is deleted at this age; a younger one may be about to get its row."""
WAIT_SECONDS = 5
"""How long a database may take to answer, or an SQLite file be locked by another process."""
SILENT_SECONDS = 3600.0
"""A run on another host counts as dead after this long without progress."""

_SQLITE_DAMAGE = {
    sqlite3.SQLITE_ERROR,  # a table or column is not there
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_NOTADB,
}


class _Base(DeclarativeBase):
    pass


class _Schema(_Base):
    __tablename__ = "forgetting_lab_schema"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]


class _Row(_Base):
    """One run. JSON stands as text, so that every database keeps it as it is, NaN included."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    created: Mapped[str] = mapped_column(String(40), index=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    owner: Mapped[str] = mapped_column(String(64), default="")
    model: Mapped[str] = mapped_column(String(80))
    dataset: Mapped[str] = mapped_column(String(200))
    method: Mapped[str] = mapped_column(String(80))
    seed: Mapped[int] = mapped_column(BigInteger)
    forget: Mapped[str] = mapped_column(Text)
    forget_size: Mapped[int | None]
    settings: Mapped[str] = mapped_column(Text)
    seconds: Mapped[str] = mapped_column(Text)
    versions: Mapped[str] = mapped_column(Text)
    metrics: Mapped[str] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)
    steps_done: Mapped[int]
    total_steps: Mapped[int]
    rest: Mapped[str] = mapped_column(Text)  # the fields of a run that have no column, as JSON
    arrays_file: Mapped[str] = mapped_column(String(120), default="")
    arrays_sha256: Mapped[str] = mapped_column(String(64), default="")
    # Who works on it, while it runs
    pid: Mapped[int] = mapped_column(default=0)
    host: Mapped[str] = mapped_column(String(255), default="")
    process_start: Mapped[str] = mapped_column(String(80), default="")
    last_progress: Mapped[float] = mapped_column(default=0.0)  # seconds since 1970

    PLAIN = ("id", "created", "status", "error", "steps_done", "total_steps")
    JSON = ("settings", "seconds", "versions", "metrics")
    PLAN = ("model", "dataset", "method", "seed")

    def fill(self, fields: Fields) -> None:
        """Sets the columns from a run's fields."""
        rest = {k: v for k, v in fields.items() if k not in (*self.PLAIN, *self.JSON)}
        rest["plan"] = plan = dict(fields["plan"])
        for name in self.PLAIN:
            setattr(self, name, fields[name])
        for name in self.JSON:
            setattr(self, name, to_json(fields[name]))
        for name in self.PLAN:
            setattr(self, name, plan.pop(name))
        self.forget = to_json(plan.pop("request"))
        size = fields["data"].get("forget")
        self.forget_size = size if isinstance(size, int) else None
        self.rest = to_json(rest)

    def fields(self) -> Fields:
        """The inverse of `fill`. Raises StoreCorrupt."""
        try:
            fields = json.loads(self.rest)
            fields["plan"]["request"] = json.loads(self.forget)
            fields["plan"] |= {name: getattr(self, name) for name in self.PLAN}
            fields |= {name: getattr(self, name) for name in self.PLAIN}
            return {**fields, **{name: json.loads(getattr(self, name)) for name in self.JSON}}
        except (ValueError, TypeError, KeyError) as error:
            raise StoreCorrupt(f"The record of run {self.id} cannot be read.") from error


class Store:
    """The runs of one database. Safe to share between threads, and the database between processes.

    url: a SQLAlchemy address; else `FORGETTING_LAB_DATABASE`; else SQLite in the cache folder.
    folder: where the array files are; beside an SQLite file by default, else in the cache folder.
    shipped: the folder of the runs that come with the project.
    Raises StoreCorrupt (see `reset_aside`), StoreUnavailable or BadRequest (an unusable address).
    """

    def __init__(
        self,
        url: str | None = None,
        folder: str | Path | None = None,
        shipped: str | Path = SHIPPED / "runs",
    ) -> None:
        address = _address(url)
        self.shipped = Path(shipped)
        self._file = _sqlite_file(address)
        beside = cache_folder() if self._file is None else self._file.parent
        self.folder = Path(folder) if folder is not None else beside / "runs"
        self._engine = self._connect(address)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @classmethod
    def reset_aside(cls, url: str | None = None, folder: str | Path | None = None) -> Store:
        """Renames a damaged SQLite file to NAME.broken-DATE and starts a new one in its place.

        The finished runs whose array files are whole are entered again. Takes what `Store` takes.
        """
        file = _sqlite_file(_address(url))
        if file is None:
            raise BadRequest("Only an SQLite file can be moved aside.")
        aside = file.with_name(f"{file.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        for suffix in ("-wal", "-shm", ""):  # the file itself last: with it gone, all is done
            part = file.with_name(file.name + suffix)
            if part.exists():
                os.replace(part, aside.with_name(aside.name + suffix))
        store = cls(url, folder)
        store._enter_array_files()
        return store

    def close(self) -> None:
        """Closes the database's connections."""
        self._engine.dispose()

    def begin(self, run: Run, owner: str = "") -> None:
        """Notes that this process starts work on `run`, so that a later start knows what was lost.

        owner: sha256 of the starter's token, kept with the run.
        """
        empty = dict.fromkeys(MODELS)
        start = dataclasses.replace(run, status="running", replay=(), **empty)  # type: ignore[arg-type]
        with self._session() as session:
            row = session.get(_Row, checked_id(run.id)) or _Row(owner="")
            row.fill(fields_of(start))
            row.owner = owner or row.owner
            row.pid, row.host = os.getpid(), socket.gethostname()
            row.process_start = _process_start(row.pid) or ""
            row.last_progress = time.time()
            session.add(row)

    def progress(self, id: str, steps_done: int, total_steps: int) -> None:
        """Notes how far a run is: one small write, meant for about once a second."""
        with self._session() as session:
            session.execute(
                update(_Row)
                .where(_Row.id == id)
                .values(steps_done=steps_done, total_steps=total_steps, last_progress=time.time())
            )

    def save(self, run: Run, owner: str = "") -> None:
        """Keeps a run, whatever its status, in place of what stood under its id."""
        id = checked_id(run.id)
        content = pack(run)
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"{id}.{sha256[:12]}.npz"
        try:
            write_file(self.folder / name, content)
        except OSError as error:
            raise StoreUnavailable(
                f"Run {id} cannot be saved in {self.folder}: {error.strerror}."
            ) from error
        before = self._put(fields_of(run), name, sha256, owner)
        if before and before != name:
            (self.folder / before).unlink(missing_ok=True)

    def load(self, id: str) -> Run:
        """A run with its arrays, from the database or from those that ship with the project.

        Raises RunMissing, or StoreCorrupt where its arrays are lost (`summary` still works then).
        """
        with self._session() as session:
            row = session.get(_Row, checked_id(id))
        if row is None:
            return run_from_files(self.shipped, id)
        fields = row.fields()
        if not row.arrays_file:  # begun, and not saved yet
            return assemble(fields, [], {})
        return assemble(fields, *read_arrays(self.folder / row.arrays_file, row.arrays_sha256, id))

    def summary(self, id: str) -> RunSummary:
        """A run without its arrays, from the database or shipped. Raises RunMissing."""
        with self._session() as session:
            row = session.get(_Row, checked_id(id))
        if row is not None:
            return summary_of(row.fields(), row.owner)
        return summary_of(read_fields(self.shipped / f"{id}.json")[0], shipped=True)

    def summaries(self) -> list[RunSummary]:
        """The runs in the database, the newest first; shipped ones are in `shipped_runs`.

        A row that cannot be understood is left out and logged.
        """
        with self._session() as session:
            rows = session.scalars(select(_Row).order_by(_Row.created.desc(), _Row.id)).all()
        summaries = []
        for row in rows:
            try:
                summaries.append(summary_of(row.fields(), row.owner))
            except LabError as error:
                log.warning("%s", error)
        return summaries

    def delete(self, id: str) -> None:
        """Removes a run and its arrays. Raises RunMissing; shipped runs cannot be deleted."""
        with self._session() as session:
            row = session.get(_Row, checked_id(id))
            if row is not None:
                session.delete(row)
        if row is None:
            if (self.shipped / f"{id}.json").exists():
                raise BadRequest("This run comes with the project and cannot be deleted.")
            raise RunMissing(f"There is no run {id!r}.")
        if row.arrays_file:
            (self.folder / row.arrays_file).unlink(missing_ok=True)

    def recover(self) -> list[RunSummary]:
        """Marks the runs whose process has died as "interrupted", says at which step, returns them.

        Also deletes array files that a killed process left without a row. For the start of a
        process; harmless at any time.
        """
        with self._session() as session:
            running = session.scalars(select(_Row).where(_Row.status == "running")).all()
            dead = [row for row in running if not _alive(row)]
            for row in dead:
                row.status = "interrupted"
                row.error = _lost(row.steps_done, row.total_steps)
            known = set(session.scalars(select(_Row.arrays_file)))
        self._delete_leftovers(known)
        return [summary_of(row.fields(), row.owner) for row in dead]

    def _connect(self, address: URL) -> Engine:
        try:
            if self._file is None:
                return create_engine(
                    address, pool_pre_ping=True, connect_args=_connect_args(address)
                )
            self._file.parent.mkdir(parents=True, exist_ok=True)
            address = address.set(database=str(self._file))
            engine = create_engine(address, connect_args={"timeout": WAIT_SECONDS})
        except ImportError as error:
            raise BadRequest(
                f"The database {address.render_as_string()} needs the Python package {error.name}.",
                "Install it, or unset FORGETTING_LAB_DATABASE.",
            ) from error
        except ArgumentError as error:
            raise _bad_address() from error
        except OSError as error:
            raise StoreUnavailable(
                f"The folder {address.database} of the database cannot be made: {error.strerror}."
            ) from error

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            # WAL: readers go on while a run is saved. FULL: what is committed outlives a power cut.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

        return engine

    def _open(self) -> None:
        """Checks an SQLite file, and makes the tables where there are none."""
        if self._file is not None and self._file.exists() and not self._file.stat().st_size:
            # SQLite takes an empty file for a new database: all runs would be gone without a word.
            lost = any(self.folder.glob("*.npz"))
            if lost:
                raise self._damaged("it is empty")
        give_up = time.monotonic() + WAIT_SECONDS
        for attempt in (1, 2, 3, 4, 5):
            try:
                if self._file is not None:
                    self._check_pages()
                _Base.metadata.create_all(self._engine)
                break
            except (DBAPIError, sqlite3.Error) as error:
                explained = self._explained(error)
                if isinstance(explained, StoreCorrupt) and not _exists_already(error):
                    raise explained from error
                if attempt == 5 or time.monotonic() > give_up:
                    raise explained from error
                time.sleep(0.05 * attempt)  # another process makes the same tables
        with self._session() as session:
            schema = session.get(_Schema, 1)
        if schema is None:
            try:
                with Session(self._engine) as session, session.begin():
                    session.add(_Schema(id=1, version=SCHEMA_VERSION))
            except DBAPIError as error:
                log.info("another process wrote the schema's version: %s", error)
        elif schema.version > SCHEMA_VERSION:
            raise StoreUnavailable(
                "The database of finished runs was made by a newer version of Forgetting Lab.",
                "Update it, or set FORGETTING_LAB_DATABASE to another database.",
            )

    def _check_pages(self) -> None:
        with self._engine.connect() as connection:
            answer = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if answer != "ok":
            raise self._damaged(" ".join(str(answer).replace("*", "").split()))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A transaction; its rows stay readable after it. The database's errors become ours."""
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except (DBAPIError, sqlite3.Error) as error:
            raise self._explained(error) from error

    def _explained(self, error: DBAPIError | sqlite3.Error) -> LabError:
        origin = error.orig if isinstance(error, DBAPIError) else error
        reason = str(origin).strip().splitlines()[0] if str(origin).strip() else "no reason given"
        code = getattr(origin, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind of error
        if self._file is not None and code in _SQLITE_DAMAGE:
            return self._damaged(reason)
        return StoreUnavailable(f"The database of finished runs cannot be used now: {reason}.")

    def _damaged(self, reason: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"The database of finished runs {self._file} is damaged ({reason}).",
            "It can be set aside and made again from the array files beside it; "
            "nothing is deleted.",
        )

    def _put(self, fields: Fields, file: str, sha256: str, owner: str) -> str:
        """Commits a row, and returns the name of the array file that it named before."""
        with self._session() as session:
            row = session.get(_Row, fields["id"]) or _Row(owner="", arrays_file="")
            before = row.arrays_file
            row.fill(fields)
            row.owner = owner or row.owner
            row.arrays_file, row.arrays_sha256 = file, sha256
            session.add(row)
        return before

    def _enter_array_files(self) -> None:
        for path in sorted(self.folder.glob("*.npz"), key=lambda path: path.stat().st_mtime):
            try:
                content = path.read_bytes()
                fields, _ = unpack(content)
                del fields["replay"]
                self._put(fields, path.name, hashlib.sha256(content).hexdigest(), "")
            except (OSError, ValueError, KeyError) as error:
                log.warning("array file %s is not entered again: %s", path.name, error)

    def _delete_leftovers(self, known: set[str]) -> None:
        for path in [*self.folder.glob("*.npz"), *self.folder.glob(".*.part")]:
            try:
                old = time.time() - path.stat().st_mtime > LEFTOVER_SECONDS
                if path.name not in known and old:
                    path.unlink()
            except OSError as error:  # another process was faster, or may not be ours to delete
                log.info("leftover %s stays: %s", path.name, error)


def _address(url: str | None) -> URL:
    named = url or os.environ.get("FORGETTING_LAB_DATABASE")
    try:
        return (
            make_url(named)
            if named
            else URL.create("sqlite", database=str(cache_folder() / "runs.sqlite"))
        )
    except ArgumentError as error:
        raise _bad_address() from error


def _connect_args(address: URL) -> dict[str, Any]:
    """What tells a driver to give up on a server that takes the connection and never answers."""
    name = {
        "psycopg": "connect_timeout",
        "psycopg2": "connect_timeout",
        "pymysql": "connect_timeout",
        "mysqldb": "connect_timeout",
        "mysqlconnector": "connection_timeout",
        "pg8000": "timeout",
    }.get(address.get_dialect().driver)
    return {name: WAIT_SECONDS} if name and name not in address.query else {}


def _bad_address() -> BadRequest:
    # Without the address itself: it may hold a password.
    return BadRequest(
        "The address of the database of runs cannot be used.",
        "Give one like sqlite:////folder/runs.sqlite or postgresql+psycopg://user@host/name.",
    )


def _sqlite_file(address: URL) -> Path | None:
    """The file of an SQLite database, None for other databases."""
    if address.get_backend_name() != "sqlite":
        return None
    if address.database in (None, "", ":memory:"):
        raise BadRequest("Runs are kept in a file.", "Give an address like sqlite:////folder/runs.")
    return Path(str(address.database)).expanduser().absolute()


def _exists_already(error: Exception) -> bool:
    return "already exists" in str(error)


def _lost(steps_done: int, total_steps: int) -> str:
    where = "before its first step"
    if steps_done:
        where = f"at step {steps_done:,}" + (f" of {total_steps:,}" if total_steps else "")
    return (
        f"This run was cut off {where} when its process ended, and what it had done is lost. "
        "Start it again with the same settings."
    )


def _alive(row: _Row) -> bool:
    """Whether the process that works on a row may still do so."""
    if row.host != socket.gethostname() or not row.process_start:
        return time.time() - row.last_progress < SILENT_SECONDS
    return _process_start(row.pid) == row.process_start


def _process_start(pid: int) -> str | None:
    """When a process began, in a form that no other process of this machine shares with its pid.

    None where there is no such process (or it has ended and only waits to be collected).
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # After the name, which may hold anything, in brackets: state, ..., field 22 start time
            values = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id")  # the start time counts from the boot
        named = boot.read_text().strip() if boot.exists() else ""
        return None if values[0] in "ZX" else f"{named} {values[19]}"
    if sys.platform == "win32":
        return ""  # there `_alive` goes by progress alone
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or None
