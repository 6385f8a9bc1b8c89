"""Finished runs: rows in a database, and beside each row one compressed npz file with its arrays.

A run's array file is complete on disk, under a name made from its content, before the row that
names it is committed: a process killed at any moment leaves at most a file without a row, never a
row without its arrays. The file also carries the row's own fields, so a damaged or lost database
can be made again from it, and a file without a row is entered again. A complete array file is
deleted in two cases only: its run is deleted or cleared, or saved anew.

Each database has an array folder of its own: two never mistake each other's files for leftovers.

The runs that ship with the project are such npz files with a JSON file for a row (run_files.py).
"""

from __future__ import annotations

import dataclasses
import logging
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, func, select, update

from core.errors import BadRequest, LabError, RunMissing, StoreUnavailable
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
)
from core.runs.store import array_files
from core.runs.store.address import address_of, array_folder_of, common_folder_of
from core.runs.store.database import Database
from core.runs.store.liveness import is_alive, own_lock
from core.runs.store.recovery import Recovery
from core.runs.store.tables import DELETED, Row, find_row, only, unreadable, write_row
from core.runs.summary import RunSummary, summary_of

log = logging.getLogger(__name__)


class Store:
    """The runs of one database. Threads may share it, and processes the database.

    url: a SQLAlchemy address; else `FORGETTING_LAB_DATABASE`; else SQLite in the cache folder.
    folder: where the array files are; by default one that belongs to this database alone, beside
    an SQLite file, for others in the cache folder.
    shipped: the folder of the runs that come with the project.
    Raises StoreCorrupt (see `core.runs.store.reset`), StoreUnavailable, or BadRequest for an
    address that cannot be used.
    """

    def __init__(
        self,
        url: str | URL | None = None,
        folder: str | Path | None = None,
        shipped: str | Path = SHIPPED / "runs",
    ) -> None:
        address = address_of(url)
        self.shipped = Path(shipped)
        self.folder = array_folder_of(address, folder)
        self.database = Database(address, self.folder)
        self._recovery = Recovery(self.database, self.folder)
        try:
            with array_files.locked(self.folder):
                self.database.open()
                self._recovery.take_over(
                    common_folder_of(address) if folder is None else self.folder
                )
                # A database that has its folder needs none of the runs that an older version kept
                # for all: without one a reset would enter another database's runs here.
                with suppress(OSError):
                    self.folder.mkdir(parents=True, exist_ok=True)
        except BaseException:
            self.close()
            raise

    @property
    def notes(self) -> list[str]:
        """Sentences about array files that recovery or a reset met, for a person to read."""
        return self._recovery.notes

    def close(self) -> None:
        """Closes the database's connections."""
        self.database.close()

    def begin(self, run: Run, owner: str = "") -> None:
        """Notes that this process starts work on `run`, so that a later start knows what was lost.

        owner: sha256 of the starter's token, kept with the run.
        """
        empty = dict.fromkeys(MODELS)
        start = dataclasses.replace(run, status="running", replay=(), **empty)  # type: ignore[arg-type]
        checked_id(run.id)
        lock = own_lock(self.folder)
        with self.database.session() as session:
            row = write_row(session, fields_of(start))
            row.owner = owner or row.owner
            row.host, row.lock_file, row.last_progress = socket.gethostname(), lock, time.time()

    def progress(self, id: str, steps_done: int, total_steps: int) -> None:
        """Notes how far a run is: one small write, meant for about once a second."""
        with self.database.session() as session:
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
        self._recovery.put(fields_of(run), name, sha256, owner)
        self._recovery.unlink(
            file for file in array_files.listed(self.folder, id) if file.path.name != name
        )

    def mark_unsaved(self, run: Run, reason: str) -> None:
        """Notes in the row of a begun run how it ended, for those who read it once this process,
        which alone has the result, is gone. reason: a sentence, why `save` failed."""
        ended, error = "interrupted", f"This run finished, but it could not be saved. {reason}"
        if run.status == "partial":
            error = f"This run was stopped, and what it had done could not be saved. {reason}"
        elif run.status == "failed":
            ended, error = "failed", run.error
        with self.database.session() as session:
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
        with self.database.session() as session:
            row, listed = find_row(session, id)
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
        with self.database.session() as session:
            row, listed = find_row(session, id)
        if row is not None:
            return row.summary(listed)
        return summary_of(read_fields(self.shipped / f"{id}.json")[0], shipped=True)

    def summaries(
        self,
        limit: int | None = None,
        offset: int = 0,
        statuses: Iterable[str] = (),
        owner: str | None = None,
    ) -> list[RunSummary]:
        """The runs in the database, the newest first; shipped ones are in `shipped_runs`.

        limit, offset: a page of them. statuses, owner (sha256 of a token): only with these. Their
        plans' requests are brief.
        A row that cannot be understood is left out and logged, so that a page may be short.
        """
        wanted = only(select(Row), statuses, owner)
        with self.database.session() as session:
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

    def count(self, statuses: Iterable[str] = (), owner: str | None = None) -> int:
        """How many runs the database has. statuses, owner: only with these."""
        with self.database.session() as session:
            return session.scalar(only(select(func.count(Row.id)), statuses, owner)) or 0

    def delete(self, id: str) -> None:
        """Removes a run and its arrays. Raises RunMissing; shipped runs cannot be deleted.

        The row says first that the run is deleted, then the files go, then the row: cut off in
        between, the next recovery goes on. Were the database lost in that very moment, the run
        would be back after a reset; it would never be half there.
        """
        with self.database.session() as session:
            row, _ = find_row(session, id)
            if row is not None:
                row.status = DELETED
        if row is None:
            if (self.shipped / f"{id}.json").exists():
                raise BadRequest("This run comes with the project and cannot be deleted.")
            raise RunMissing(f"There is no run {id!r}.")
        self.finish_removal(id)

    def finish_removal(self, id: str) -> None:
        """Goes on with a run that is marked as deleted or cleared."""
        self._recovery.finish_removal(id)

    def recover(self) -> list[RunSummary]:
        """Marks the runs whose process has died as "interrupted", says at which step, returns them.

        A run whose array file was complete is entered instead. Also puts the array files in order
        (`_tidy`) and goes on with deletions that were cut off. For the start of a process; harmless
        at any time.
        """
        with array_files.locked(self.folder):
            return self._recovery.recover()

    def settle(self, id: str) -> bool:
        """Ends a running run whose process has died, as `recover` does; False where it lives."""
        with self.database.session() as session:
            row, _ = find_row(session, id)
        if row is None or row.status != "running" or is_alive(row, self.folder):
            return False
        with array_files.locked(self.folder):
            self._recovery.end([id])
        return True
