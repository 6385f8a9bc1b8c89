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
import logging
import os
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Engine,
    Select,
    create_engine,
    delete,
    event,
    func,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from core.errors import BadRequest, LabError, RunMissing, StoreCorrupt, StoreUnavailable
from core.files import SHIPPED
from core.runs.run import MODELS, Run
from core.runs.run_files import (
    Arrays,
    Fields,
    assemble,
    checked_id,
    fields_of,
    pack,
    read_arrays,
    read_fields,
    run_from_files,
    run_to_files,
    shipped_runs,
    to_json,
)
from core.runs.store import array_files
from core.runs.store.array_files import ArrayFile
from core.runs.store.database import (
    SQLITE_DAMAGE,
    WAIT_SECONDS,
    address_of,
    array_folder_of,
    bad_address,
    common_folder_of,
    connect_args,
    exists_already,
    sqlite_file_of,
)
from core.runs.store.liveness import is_alive, process_start, why_lost
from core.runs.store.tables import DELETED, SCHEMA_VERSION, Base, Listed, Row, Schema, unreadable
from core.runs.summary import RunSummary, summary_of

__all__ = ["RunSummary", "Store", "run_from_files", "run_to_files", "shipped_runs"]


log = logging.getLogger(__name__)


LEFTOVER_SECONDS = 3600.0
"""An array file without a row is entered again at this age, and an unfinished one deleted; younger
ones are still somebody's."""


_PARTS = ("", "-wal", "-shm")  # what an SQLite database is made of


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
        address = address_of(url)
        self.shipped = Path(shipped)
        self.notes: list[str] = []
        self._file = sqlite_file_of(address)
        self.folder = array_folder_of(address, folder)
        self._common = common_folder_of(address) if folder is None else self.folder
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
        address = address_of(url)
        file = sqlite_file_of(address)
        if file is None:
            raise BadRequest("Only an SQLite file can be moved aside.")
        where = array_folder_of(address, folder)
        with array_files.locked(where):
            try:
                store = cls(address, folder)
                try:
                    with store._session() as session:
                        session.scalars(select(Row)).all()
                except BaseException:
                    store.close()
                    raise
                return store
            except StoreCorrupt as error:
                log.warning("%s", error)
            common = common_folder_of(address)
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
        Base.metadata.create_all(empty)
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
            row.process_start = process_start(row.pid) or ""
            row.last_progress = time.time()

    def progress(self, id: str, steps_done: int, total_steps: int) -> None:
        """Notes how far a run is: one small write, meant for about once a second."""
        with self._session() as session:
            session.execute(
                update(Row)
                .where(Row.id == id)
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
                update(Row)
                .where(Row.id == run.id, Row.status == "running")
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
            raise unreadable(id) from error

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
        wanted = _of_status(select(Row), statuses)
        with self._session() as session:
            rows = session.scalars(
                wanted.order_by(Row.created.desc(), Row.id).limit(limit).offset(offset)
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
            return session.scalar(_of_status(select(func.count(Row.id)), statuses)) or 0

    def delete(self, id: str) -> None:
        """Removes a run and its arrays. Raises RunMissing; shipped runs cannot be deleted.

        The row says first that the run is deleted, then the files go, then the row: cut off in
        between, the next recovery goes on. Were the database lost in that very moment, the run
        would be back after a reset; it would never be half there.
        """
        with self._session() as session:
            row, _ = _find(session, id)
            if row is not None:
                row.status = DELETED
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
                running = session.scalars(select(Row).where(Row.status == "running")).all()
                deleted = session.scalars(select(Row.id).where(Row.status == DELETED)).all()
            lost = self._end([row.id for row in running if not is_alive(row)])
            for id in deleted:
                self._remove(id)
            self._tidy()
        return lost

    def settle(self, id: str) -> bool:
        """Ends a running run whose process has died, as `recover` does; False where it lives."""
        with self._session() as session:
            row, _ = _find(session, id)
        if row is None or row.status != "running" or is_alive(row):
            return False
        with array_files.locked(self.folder):
            self._end([id])
        return True

    def _connect(self, address: URL) -> Engine:
        try:
            if self._file is None:
                return create_engine(
                    address, pool_pre_ping=True, connect_args=connect_args(address)
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
            raise bad_address() from error
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
                Base.metadata.create_all(self._engine)
                break
            except (DBAPIError, sqlite3.Error) as error:
                explained = self._explained(error)
                if isinstance(explained, StoreCorrupt) and not exists_already(error):
                    raise explained from error
                if attempt == 5 or time.monotonic() > give_up:
                    raise explained from error
                time.sleep(0.05 * attempt)  # another process makes the same tables
        with self._session() as session:
            schema = session.get(Schema, 1)
        if schema is None:
            try:
                with Session(self._engine) as session, session.begin():
                    session.add(Schema(id=1, version=SCHEMA_VERSION))
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
            rows = session.scalars(select(Row).where(Row.forget.contains('"indices"')))
            for row in rows.all():
                try:
                    _write(session, row.fields())
                except (LabError, KeyError, TypeError, AttributeError) as error:
                    log.warning("run %s stays as it was: %s", row.id, error)
            session.execute(update(Schema).values(version=SCHEMA_VERSION))

    def _take_over(self) -> None:
        """Takes this database's array files out of the folder that an older version kept for all
        databases of a place; there they stay, because another database may have them too."""
        if self._common == self.folder or not self._common.is_dir():
            return
        with self._session() as session:
            names = session.scalars(select(Row.arrays_file).where(Row.arrays_file != "")).all()
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
        if self._file is not None and code in SQLITE_DAMAGE:
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
                row.error = why_lost(row.steps_done, row.total_steps)
                try:
                    lost.append(row.summary(listed))
                except LabError as error:
                    log.warning("%s", error)
        return lost

    def _tidy(self) -> None:
        """Gives each array file that no row names its place: entered again where its run has no
        other, else in orphans/. Deletes the unfinished files of dead processes, nothing else."""
        with self._session() as session:
            found = session.execute(select(Row.id, Row.status, Row.arrays_file)).all()
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
            if status in ("running", DELETED):
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
            row = session.get(Row, id)
            if row is not None and row.status == DELETED:
                session.delete(row)
                session.execute(delete(Listed).where(Listed.id == id))

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


def _find(session: Session, id: str) -> tuple[Row | None, Listed | None]:
    """A run's row and the list of its chosen images, as far as there are any."""
    row = session.get(Row, checked_id(id))
    if row is None or row.status == DELETED:
        return None, None
    return row, session.get(Listed, id)


def _write(session: Session, fields: Fields) -> Row:
    """Writes a run's fields into its row, and its chosen images beside it."""
    id = fields["id"]
    row = session.get(Row, id) or Row(owner="", arrays_file="")
    row.fill(fields)
    session.add(row)
    request = fields["plan"]["request"]
    if request["kind"] == "indices":
        session.merge(Listed(id=id, request=to_json(request)))
    return row


def _of_status(chosen: Select[Any], statuses: Iterable[str]) -> Select[Any]:
    wanted = list(statuses)
    return chosen.where(Row.status.in_(wanted) if wanted else Row.status != DELETED)
