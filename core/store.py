"""Finished runs: rows in a database, and beside each row one compressed npz file with its arrays.

SQLite by default; any database that SQLAlchemy knows through `FORGETTING_LAB_DATABASE`. A run's
array file is complete on disk, under a name made from its content, before the row that names it is
committed: a process killed at any moment leaves at most a file without a row, never a row without
its arrays. The file also carries the row's own fields, so a damaged or lost database can be made
again from it, and a file without a row is entered again. A complete array file is deleted in two
cases only: its run is deleted, or saved anew.

Each database has an array folder of its own: two never mistake each other's files for leftovers.

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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Engine,
    Select,
    String,
    Text,
    create_engine,
    delete,
    event,
    func,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from core import array_files
from core.array_files import ArrayFile
from core.errors import BadRequest, LabError, RunMissing, StoreCorrupt, StoreUnavailable
from core.folders import SHIPPED, cache_folder
from core.forget_sets import BriefRequest, ForgetRequest
from core.results import MODELS, Run
from core.run_files import (
    Arrays,
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
)

__all__ = ["RunSummary", "Store", "run_from_files", "run_to_files", "shipped_runs"]

log = logging.getLogger(__name__)

SCHEMA_VERSION = 2
"""2: lists of chosen images stand apart from the rows; version 1 is changed when it is opened."""
LEFTOVER_SECONDS = 3600.0
"""An array file without a row is entered again at this age, and an unfinished one deleted; younger
ones are still somebody's."""
WAIT_SECONDS = 5
"""How long a database may take to answer, or an SQLite file be locked by another process."""
SILENT_SECONDS = 3600.0
"""A run on another host counts as dead after this long without progress."""

_DELETED = "deleted"  # the status of a run whose files are being deleted; it is shown nowhere
_PARTS = ("", "-wal", "-shm")  # what an SQLite database is made of
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


class _Listed(_Base):
    """The forget request of a run with its list of chosen images, of which the row has the brief
    form: a list of 25,000 would be read with every table of runs."""

    __tablename__ = "run_requests"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    request: Mapped[str] = mapped_column(Text)


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
        """Sets the columns from a run's fields; see `_write`."""
        rest = {k: v for k, v in fields.items() if k not in (*self.PLAIN, *self.JSON)}
        rest["plan"] = plan = dict(fields["plan"])
        for name in self.PLAIN:
            setattr(self, name, fields[name])
        for name in self.JSON:
            setattr(self, name, to_json(fields[name]))
        for name in self.PLAN:
            setattr(self, name, plan.pop(name))
        self.forget = ForgetRequest.from_dict(plan.pop("request")).brief().to_json()
        size = fields["data"].get("forget")
        self.forget_size = size if isinstance(size, int) else None
        self.rest = to_json(rest)

    def fields(self, listed: _Listed | None = None) -> Fields:
        """The inverse of `fill`; without `listed` the request is brief. Raises StoreCorrupt."""
        try:
            fields = json.loads(self.rest)
            request = json.loads(listed.request if listed else self.forget)
            brief = "digest" in request
            fields["plan"]["request"] = BriefRequest.from_dict(request) if brief else request
            fields["plan"] |= {name: getattr(self, name) for name in self.PLAN}
            fields |= {name: getattr(self, name) for name in self.PLAIN}
            return {**fields, **{name: json.loads(getattr(self, name)) for name in self.JSON}}
        except (ValueError, TypeError, KeyError, BadRequest) as error:
            raise _unreadable(self.id) from error

    def summary(self, listed: _Listed | None = None) -> RunSummary:
        """What tables show of it. Raises StoreCorrupt."""
        try:
            return summary_of(self.fields(listed), self.owner)
        except (TypeError, KeyError, AttributeError, BadRequest) as error:
            raise _unreadable(self.id) from error


def _unreadable(id: str) -> StoreCorrupt:
    return StoreCorrupt(f"The record of run {id} cannot be read.")


class Store:
    """The runs of one database. Safe to share between threads, and the database between processes.

    url: a SQLAlchemy address; else `FORGETTING_LAB_DATABASE`; else SQLite in the cache folder.
    folder: where the array files are; by default one that belongs to this database alone, beside
    an SQLite file, for others in the cache folder.
    shipped: the folder of the runs that come with the project.
    notes: sentences about array files that recovery or a reset met, for a person to read.
    Raises StoreCorrupt (see `reset_aside`), StoreUnavailable or BadRequest (an unusable address).
    """

    def __init__(
        self,
        url: str | URL | None = None,
        folder: str | Path | None = None,
        shipped: str | Path = SHIPPED / "runs",
    ) -> None:
        address = _address(url)
        self.shipped = Path(shipped)
        self.notes: list[str] = []
        self._file = _sqlite_file(address)
        self.folder = _array_folder(address, folder)
        self._common = _common_folder(address) if folder is None else self.folder
        self._engine = self._connect(address)
        try:
            with array_files.locked(self.folder):
                self._open()
                self._take_over()
                # A database that has its folder needs none of the runs that an older version kept
                # for all: without one a reset would enter another database's runs here.
                with suppress(OSError):
                    self.folder.mkdir(parents=True, exist_ok=True)
        except BaseException:
            self.close()
            raise

    @classmethod
    def reset_aside(cls, url: str | URL | None = None, folder: str | Path | None = None) -> Store:
        """Renames a damaged SQLite file to NAME.broken-DATE and puts a new one in its place; also
        where the file is gone. Takes what `Store` takes.

        The finished runs whose array files are whole are entered again; the store's `notes` say
        which could not be. The new file is complete before it gets its name, so that a reset that
        is cut off can be done again. A database that is not damaged (another process was faster)
        is opened as it is.
        """
        address = _address(url)
        file = _sqlite_file(address)
        if file is None:
            raise BadRequest("Only an SQLite file can be moved aside.")
        where = _array_folder(address, folder)
        with array_files.locked(where):
            try:
                store = cls(address, folder)
                try:
                    with store._session() as session:
                        session.scalars(select(_Row)).all()
                except BaseException:
                    store.close()
                    raise
                return store
            except StoreCorrupt as error:
                log.warning("%s", error)
            common = _common_folder(address)
            if folder is None and not where.exists():
                # Made by an older version: its runs are among these, and its rows cannot say which.
                for old in array_files.listed(common):
                    array_files.share(old.path, where)
            try:
                notes = cls._rebuild(file, where)
            except OSError as error:
                raise StoreUnavailable(
                    f"The database of finished runs cannot be made again: {error.strerror}."
                ) from error
            store = cls(address, folder)
            store.notes = notes
            return store

    @classmethod
    def _rebuild(cls, file: Path, folder: Path) -> list[str]:
        """Makes an SQLite file again from the array files in `folder`; what is there goes aside."""
        new = file.with_name(f"{file.name}.new")
        for suffix in _PARTS:  # of a reset that was cut off
            new.with_name(new.name + suffix).unlink(missing_ok=True)
        address = URL.create("sqlite", database=str(new))
        # Tables first: `Store` takes a file without any for a lost database.
        empty = create_engine(address)
        _Base.metadata.create_all(empty)
        empty.dispose()
        rebuilt = cls(address, folder)
        try:
            rebuilt._enter_all()
            with rebuilt._engine.connect() as connection:  # all into the one file that is renamed
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            rebuilt.close()
        aside = array_files.unused(
            file.with_name(f"{file.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        )
        # The file itself first: between here and the end it is gone, which the next start says and
        # mends. Without its log it could look whole, and lack the latest runs without a word.
        for suffix in _PARTS:
            part = file.with_name(file.name + suffix)
            if part.exists():
                os.replace(part, aside.with_name(aside.name + suffix))
        os.replace(new, file)
        return rebuilt.notes

    def close(self) -> None:
        """Closes the database's connections."""
        self._engine.dispose()

    def begin(self, run: Run, owner: str = "") -> None:
        """Notes that this process starts work on `run`, so that a later start knows what was lost.

        owner: sha256 of the starter's token, kept with the run.
        """
        empty = dict.fromkeys(MODELS)
        start = dataclasses.replace(run, status="running", replay=(), **empty)  # type: ignore[arg-type]
        checked_id(run.id)
        with self._session() as session:
            row = _write(session, fields_of(start))
            row.owner = owner or row.owner
            row.pid, row.host = os.getpid(), socket.gethostname()
            row.process_start = _process_start(row.pid) or ""
            row.last_progress = time.time()

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
        try:
            name, sha256 = array_files.keep(self.folder, id, pack(run))
        except OSError as error:
            raise StoreUnavailable(f"Run {id} cannot be saved: {error.strerror}.") from error
        self._put(fields_of(run), name, sha256, owner)
        self._unlink(file for file in array_files.listed(self.folder, id) if file.path.name != name)

    def mark_unsaved(self, run: Run, reason: str) -> None:
        """Notes in the row of a begun run how it ended, for those who read it once this process,
        which alone has the result, is gone. reason: a sentence, why `save` failed."""
        ended, error = "interrupted", f"This run finished, but it could not be saved. {reason}"
        if run.status == "partial":
            error = f"This run was stopped, and what it had done could not be saved. {reason}"
        elif run.status == "failed":
            ended, error = "failed", run.error
        with self._session() as session:
            session.execute(
                update(_Row)
                .where(_Row.id == run.id, _Row.status == "running")
                .values(
                    status=ended,
                    error=error,
                    steps_done=run.steps_done,
                    total_steps=run.total_steps,
                )
            )

    def load(self, id: str) -> Run:
        """A run with its arrays, from the database or from those that ship with the project.

        Raises RunMissing, or StoreCorrupt where its arrays are lost (`summary` still works then).
        """
        with self._session() as session:
            row, listed = _find(session, id)
        if row is None:
            return run_from_files(self.shipped, id)
        fields = row.fields(listed)
        found: tuple[list[Fields], Arrays] = ([], {})
        if row.arrays_file:  # else it is begun, and not saved yet
            found = read_arrays(self.folder / row.arrays_file, row.arrays_sha256, id)
        try:
            return assemble(fields, *found)
        except (TypeError, KeyError, AttributeError, BadRequest) as error:
            raise _unreadable(id) from error

    def summary(self, id: str) -> RunSummary:
        """A run without its arrays, from the database or shipped. Raises RunMissing."""
        with self._session() as session:
            row, listed = _find(session, id)
        if row is not None:
            return row.summary(listed)
        return summary_of(read_fields(self.shipped / f"{id}.json")[0], shipped=True)

    def summaries(
        self, limit: int | None = None, offset: int = 0, statuses: Iterable[str] = ()
    ) -> list[RunSummary]:
        """The runs in the database, the newest first; shipped ones are in `shipped_runs`.

        limit, offset: a page of them. statuses: only these. Their plans' requests are brief.
        A row that cannot be understood is left out and logged, so that a page may be short.
        """
        wanted = _of_status(select(_Row), statuses)
        with self._session() as session:
            rows = session.scalars(
                wanted.order_by(_Row.created.desc(), _Row.id).limit(limit).offset(offset)
            ).all()
        summaries = []
        for row in rows:
            try:
                summaries.append(row.summary())
            except LabError as error:
                log.warning("%s", error)
        return summaries

    def count(self, statuses: Iterable[str] = ()) -> int:
        """How many runs the database has. statuses: only these."""
        with self._session() as session:
            return session.scalar(_of_status(select(func.count(_Row.id)), statuses)) or 0

    def delete(self, id: str) -> None:
        """Removes a run and its arrays. Raises RunMissing; shipped runs cannot be deleted.

        The row says first that the run is deleted, then the files go, then the row: cut off in
        between, the next recovery goes on. Were the database lost in that very moment, the run
        would be back after a reset; it would never be half there.
        """
        with self._session() as session:
            row, _ = _find(session, id)
            if row is not None:
                row.status = _DELETED
        if row is None:
            if (self.shipped / f"{id}.json").exists():
                raise BadRequest("This run comes with the project and cannot be deleted.")
            raise RunMissing(f"There is no run {id!r}.")
        try:
            self._remove(id)
        except LabError as error:
            log.warning("the rest of run %s is deleted at the next start: %s", id, error)

    def recover(self) -> list[RunSummary]:
        """Marks the runs whose process has died as "interrupted", says at which step, returns them.

        A run whose array file was complete is entered instead. Also puts the array files in order
        (`_tidy`) and goes on with deletions that were cut off. For the start of a process; harmless
        at any time.
        """
        with array_files.locked(self.folder):
            with self._session() as session:
                running = session.scalars(select(_Row).where(_Row.status == "running")).all()
                deleted = session.scalars(select(_Row.id).where(_Row.status == _DELETED)).all()
            lost = self._end([row.id for row in running if not _alive(row)])
            for id in deleted:
                self._remove(id)
            self._tidy()
        return lost

    def settle(self, id: str) -> bool:
        """Ends a running run whose process has died, as `recover` does; False where it lives."""
        with self._session() as session:
            row, _ = _find(session, id)
        if row is None or row.status != "running" or _alive(row):
            return False
        with array_files.locked(self.folder):
            self._end([id])
        return True

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
        if self._file is not None:
            there = self._file.exists()
            # SQLite would begin a new database: all runs would be gone without a word.
            if not (there and self._file.stat().st_size) and any(self.folder.glob("*.npz")):
                raise self._damaged("it is empty" if there else "its file is gone")
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
        elif schema.version < SCHEMA_VERSION:
            self._list_apart()

    def _list_apart(self) -> None:
        """Moves the lists of chosen images of a version 1 database out of its rows."""
        with self._session() as session:
            rows = session.scalars(select(_Row).where(_Row.forget.contains('"indices"')))
            for row in rows.all():
                try:
                    _write(session, row.fields())
                except (LabError, KeyError, TypeError, AttributeError) as error:
                    log.warning("run %s stays as it was: %s", row.id, error)
            session.execute(update(_Schema).values(version=SCHEMA_VERSION))

    def _take_over(self) -> None:
        """Takes this database's array files out of the folder that an older version kept for all
        databases of a place; there they stay, because another database may have them too."""
        if self._common == self.folder or not self._common.is_dir():
            return
        with self._session() as session:
            names = session.scalars(select(_Row.arrays_file).where(_Row.arrays_file != "")).all()
        for name in names:
            if not (self.folder / name).exists() and (self._common / name).exists():
                array_files.share(self._common / name, self.folder)

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

    def _put(self, fields: Fields, file: str, sha256: str, owner: str) -> None:
        """Commits the row of a run whose array file is in place."""
        with self._session() as session:
            row = _write(session, fields)
            row.owner = owner or row.owner
            row.arrays_file, row.arrays_sha256 = file, sha256

    def _enter(self, file: ArrayFile, unread: list[str]) -> bool:
        """Enters an array file's run; a file that cannot be read is kept, and goes to `unread`."""
        try:
            fields, sha256 = array_files.read(file)
            self._put(fields, file.path.name, sha256, "")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, BadRequest) as error:
            # What cannot be read now may be readable later; what is damaged will not.
            aside = None if isinstance(error, OSError) else array_files.set_aside(file.path)
            kept = str(aside.relative_to(self.folder)) if aside else file.path.name
            log.warning("array file %s is not entered and kept as %s: %s", file.path, kept, error)
            unread.append(kept)
            return False
        log.info("run %s is entered again from its array file", file.id)
        return True

    def _note(self, unread: list[str]) -> None:
        if len(unread) == 1:
            self.notes.append(f"1 array file could not be read and was kept as {unread[0]}.")
        elif unread:
            self.notes.append(
                f"{len(unread)} array files could not be read and were kept as "
                f"{', '.join(sorted(unread))}."
            )

    def _enter_all(self) -> None:
        """Enters every run that has a readable array file, from its newest one."""
        entered: set[str] = set()
        unread: list[str] = []
        for file in array_files.listed(self.folder):
            if file.id not in entered and self._enter(file, unread):
                entered.add(file.id)
        self._note(unread)

    def _end(self, dead: list[str]) -> list[RunSummary]:
        """Ends the rows of runs whose process has died: from the array file, where it is complete,
        else as "interrupted". Returns the latter."""
        unread: list[str] = []
        for id in dead:
            files = array_files.listed(self.folder, id)
            if files:
                self._enter(files[0], unread)
        self._note(unread)
        lost = []
        with self._session() as session:
            for id in dead:
                row, listed = _find(session, id)
                if row is None or row.status != "running":  # entered
                    continue
                row.status = "interrupted"
                row.error = _lost(row.steps_done, row.total_steps)
                try:
                    lost.append(row.summary(listed))
                except LabError as error:
                    log.warning("%s", error)
        return lost

    def _tidy(self) -> None:
        """Gives each array file that no row names its place: entered again where its run has no
        other, else in orphans/. Deletes the unfinished files of dead processes, nothing else."""
        with self._session() as session:
            found = session.execute(select(_Row.id, _Row.status, _Row.arrays_file)).all()
        rows = {id: (status, name) for id, status, name in found}
        before = time.time() - LEFTOVER_SECONDS
        unread: list[str] = []
        for file in array_files.listed(self.folder):  # the newest first: older ones of its run go
            status, name = rows.get(file.id, ("", ""))
            if name == file.path.name:
                continue
            ended = status not in ("", "running") and not name
            if file.changed / 1e9 > before and not ended:
                continue  # it may be about to get its row
            if status in ("running", _DELETED):
                continue  # its process says what becomes of it; or it could not be deleted yet
            if name:
                log.info("array file %s is of a run that was saved anew", file.path.name)
                array_files.set_aside(file.path)
            elif self._enter(file, unread):
                rows[file.id] = ("entered", file.path.name)
        self._note(unread)
        for part in self.folder.glob(".*.part"):
            try:
                if part.stat().st_mtime < before:
                    part.unlink()
            except OSError as error:  # another process was faster, or may not be ours to delete
                log.info("leftover %s stays: %s", part.name, error)

    def _remove(self, id: str) -> None:
        """Removes the files, then the row, of a run that is marked as deleted."""
        if not self._unlink(array_files.listed(self.folder, id)):
            return
        with self._session() as session:
            row = session.get(_Row, id)
            if row is not None and row.status == _DELETED:
                session.delete(row)
                session.execute(delete(_Listed).where(_Listed.id == id))

    @staticmethod
    def _unlink(files: Iterable[ArrayFile]) -> bool:
        """Deletes the files of a run that is deleted or saved anew; False where one stays."""
        gone = True
        for file in files:
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                gone = False
                log.warning("array file %s cannot be deleted: %s", file.path.name, error)
        return gone


def _find(session: Session, id: str) -> tuple[_Row | None, _Listed | None]:
    """A run's row and the list of its chosen images, as far as there are any."""
    row = session.get(_Row, checked_id(id))
    if row is None or row.status == _DELETED:
        return None, None
    return row, session.get(_Listed, id)


def _write(session: Session, fields: Fields) -> _Row:
    """Writes a run's fields into its row, and its chosen images beside it."""
    id = fields["id"]
    row = session.get(_Row, id) or _Row(owner="", arrays_file="")
    row.fill(fields)
    session.add(row)
    request = fields["plan"]["request"]
    if request["kind"] == "indices":
        session.merge(_Listed(id=id, request=to_json(request)))
    return row


def _of_status(chosen: Select[Any], statuses: Iterable[str]) -> Select[Any]:
    wanted = list(statuses)
    return chosen.where(_Row.status.in_(wanted) if wanted else _Row.status != _DELETED)


def _address(url: str | URL | None) -> URL:
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
    return Path(str(address.database)).expanduser().resolve()


def _common_folder(address: URL) -> Path:
    """Where an older version kept the array files of all databases of a place."""
    file = _sqlite_file(address)
    return (cache_folder() if file is None else file.parent) / "runs"


def _array_folder(address: URL, named: str | Path | None) -> Path:
    """The folder of a database's array files, no other database's."""
    if named is not None:
        return Path(named)
    file = _sqlite_file(address)
    common = _common_folder(address)
    if file is None:
        # Where it is and who asks, which decides what tables are seen; not the password or driver.
        parts = (address.get_backend_name(), address.username, address.host, address.port)
        place = json.dumps([*parts, address.database, address.query.get("options")])
        return common.with_name(f"runs-{hashlib.sha256(place.encode()).hexdigest()[:12]}")
    return common if file.name == "runs.sqlite" else file.with_name(f"{file.name}.runs")


def _exists_already(error: Exception) -> bool:
    return "already exists" in str(error)


def _lost(steps_done: int, total_steps: int) -> str:
    """What is known of a run whose process died: not whether its last step was done."""
    noted = "no step was noted"
    if steps_done:
        noted = f"the last that was noted is step {steps_done:,}"
        noted += f" of {total_steps:,}" if total_steps else ""
    return (
        f"The process of this run ended before the run was saved, so its result is lost; {noted}. "
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
