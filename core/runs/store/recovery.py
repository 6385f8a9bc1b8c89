"""Puts rows and array files in order again: after a kill, a lost database, or a deletion cut off.

No complete array file is ever deleted here, unless its run is: one without a row is entered again
from its own record, or moved aside.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import delete, select

from core.errors import BadRequest, LabError
from core.files import networks_folder
from core.runs.run_files import Fields
from core.runs.store import array_files
from core.runs.store.array_files import ArrayFile
from core.runs.store.database import Database
from core.runs.store.liveness import is_alive, remove_locks_of_the_dead, why_lost
from core.runs.store.tables import CLEARED, DELETED, Link, Listed, Row, find_row, write_row
from core.runs.summary import RunSummary

log = logging.getLogger(__name__)

LEFTOVER_SECONDS = 3600.0
"""An array file without a row is entered again at this age, and an unfinished one deleted; younger
ones are still somebody's."""


class Recovery:
    """The rows of a database and the array files in its folder, brought together.

    notes: sentences about array files that could not be read, for a person to read.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.notes: list[str] = []

    def recover(self) -> list[RunSummary]:
        """See `Store.recover`; with the folder's lock held."""
        with self.database.session() as session:
            running = session.scalars(select(Row).where(Row.status == "running")).all()
            cleared = (Row.status == CLEARED) & (Row.arrays_file != "")
            gone = session.scalars(select(Row.id).where((Row.status == DELETED) | cleared)).all()
        lost = self.end([row.id for row in running if not is_alive(row, self.folder)])
        for id in gone:
            self.finish_removal(id)
        self._tidy()
        return lost

    def put(self, fields: Fields, file: str, sha256: str, owner: str) -> None:
        """Commits the row of a run whose array file is in place."""
        with self.database.session() as session:
            row = write_row(session, fields)
            row.owner = owner or row.owner
            row.arrays_file, row.arrays_sha256 = file, sha256

    def end(self, dead: list[str]) -> list[RunSummary]:
        """Ends the rows of runs whose process has died: from the array file, where it is complete,
        else as "interrupted". Returns the latter."""
        unread: list[str] = []
        for id in dead:
            files = array_files.listed(self.folder, id)
            if files:
                self._enter(files[0], unread)
        self._note(unread)
        lost = []
        with self.database.session() as session:
            for id in dead:
                row, listed = find_row(session, id)
                if row is None or row.status != "running":  # entered
                    continue
                row.status = "interrupted"
                row.error = why_lost(row.steps_done, row.total_steps)
                try:
                    lost.append(row.summary(listed))
                except LabError as error:
                    log.warning("%s", error)
        return lost

    def enter_all(self) -> None:
        """Enters every run that has a readable array file, from its newest one."""
        entered: set[str] = set()
        unread: list[str] = []
        for file in array_files.listed(self.folder):
            if file.id not in entered and self._enter(file, unread):
                entered.add(file.id)
        self._note(unread)

    def take_over(self, common: Path) -> None:
        """Takes this database's array files out of the folder that an older version kept for all
        databases of a place; there they stay, because another database may have them too."""
        if common == self.folder or not common.is_dir():
            return
        with self.database.session() as session:
            names = session.scalars(select(Row.arrays_file).where(Row.arrays_file != "")).all()
        for name in names:
            if not (self.folder / name).exists() and (common / name).exists():
                array_files.share(common / name, self.folder)

    def finish_removal(self, id: str) -> None:
        """Removes a run that is marked as deleted or cleared; what cannot go now goes at the next
        start."""
        try:
            self._remove(id)
        except LabError as error:
            log.warning("the rest of run %s is deleted at the next start: %s", id, error)

    def _remove(self, id: str) -> None:
        """First the files, then the row; of a run that is cleared the row stays, empty."""
        if not self.unlink(array_files.listed(self.folder, id)):
            return
        for network in networks_folder().glob("*/"):  # never a path made of an id
            if network.name == id:
                shutil.rmtree(network, ignore_errors=True)
        with self.database.session() as session:
            row = session.get(Row, id)
            if row is None or row.status not in (DELETED, CLEARED):
                return
            session.execute(delete(Listed).where(Listed.id == id))
            if row.status == DELETED:
                session.delete(row)
                session.execute(delete(Link).where(Link.id == id))
            else:
                row.record, row.arrays_file, row.error = "{}", "", ""

    def _enter(self, file: ArrayFile, unread: list[str]) -> bool:
        """Enters an array file's run; a file that cannot be read is kept, and goes to `unread`."""
        try:
            fields, sha256 = array_files.read(file)
            self.put(fields, file.path.name, sha256, "")
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

    def _tidy(self) -> None:
        """Gives each array file that no row names its place: entered again where its run has no
        other, else in orphans/. Deletes the unfinished files and the lock files of dead processes,
        nothing else."""
        with self.database.session() as session:
            found = session.execute(
                select(Row.id, Row.status, Row.arrays_file, Row.lock_file)
            ).all()
        rows = {id: (status, name) for id, status, name, _ in found}
        before = time.time() - LEFTOVER_SECONDS
        unread: list[str] = []
        for file in array_files.listed(self.folder):  # the newest first: older ones of its run go
            status, name = rows.get(file.id, ("", ""))
            if name == file.path.name:
                continue
            ended = status not in ("", "running") and not name
            if file.changed / 1e9 > before and not ended:
                continue  # it may be about to get its row
            if status in ("running", DELETED, CLEARED):
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
        at_work = {lock for _, status, _, lock in found if status == "running"}
        remove_locks_of_the_dead(self.folder, at_work, before)

    @staticmethod
    def unlink(files: Iterable[ArrayFile]) -> bool:
        """Deletes the files of a run that is deleted or saved anew; False where one stays."""
        gone = True
        for file in files:
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                gone = False
                log.warning("array file %s cannot be deleted: %s", file.path.name, error)
        return gone
