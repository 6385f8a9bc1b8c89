"""Puts a damaged SQLite file aside and makes a new one from the array files of its runs."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from sqlalchemy import URL, create_engine, select

from core.errors import BadRequest, StoreCorrupt, StoreUnavailable
from core.runs.store import array_files
from core.runs.store.address import (
    address_of,
    array_folder_of,
    common_folder_of,
    sqlite_file_of,
)
from core.runs.store.database import Database
from core.runs.store.recovery import Recovery
from core.runs.store.store import Store
from core.runs.store.tables import Base, Row

log = logging.getLogger(__name__)

_PARTS = ("", "-wal", "-shm")  # what an SQLite database is made of


def reset_aside(url: str | URL | None = None, folder: str | Path | None = None) -> Store:
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
            store = Store(address, folder)
            try:
                with store.database.session() as session:
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
            notes = _rebuild(file, where)
        except OSError as error:
            raise StoreUnavailable(
                f"The database of finished runs cannot be made again: {error.strerror}."
            ) from error
        store = Store(address, folder)
        store.notes[:] = notes
        return store


def _rebuild(file: Path, folder: Path) -> list[str]:
    """Makes an SQLite file again from the array files in `folder`; what is there goes aside."""
    new = file.with_name(f"{file.name}.new")
    for suffix in _PARTS:  # of a reset that was cut off
        new.with_name(new.name + suffix).unlink(missing_ok=True)
    address = URL.create("sqlite", database=str(new))
    # Tables first: opening takes a file without any for a lost database.
    empty = create_engine(address)
    Base.metadata.create_all(empty)
    empty.dispose()
    database = Database(address, folder)
    rebuilt = Recovery(database, folder)
    try:
        database.open()
        rebuilt.enter_all()
        with database.engine.connect() as connection:  # all into the one file that is renamed
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()
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
