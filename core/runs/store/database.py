"""A database of runs: connected to, checked, and with the tables it needs.

SQLite by default; any database that SQLAlchemy knows through `FORGETTING_LAB_DATABASE`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from core.errors import BadRequest, LabError, StoreCorrupt, StoreUnavailable
from core.runs.store.address import (
    SQLITE_DAMAGE,
    WAIT_SECONDS,
    bad_address,
    connect_args,
    exists_already,
    sqlite_file_of,
)
from core.runs.store.migration import bring_up_to_date


class Database:
    """The rows of one database. file: of an SQLite database, None for others. folder: of its array
    files, which tell a new SQLite file from a lost one.

    Raises BadRequest for an address that cannot be used, StoreUnavailable where it is not there.
    """

    def __init__(self, address: URL, folder: Path) -> None:
        self.file = sqlite_file_of(address)
        self._folder = folder
        self.engine = self._connect(address)

    def close(self) -> None:
        """Closes its connections."""
        self.engine.dispose()

    def open(self) -> None:
        """Checks an SQLite file, makes the tables where there are none and brings older ones up to
        date. Raises StoreCorrupt or StoreUnavailable."""
        if self.file is not None:
            there = self.file.exists()
            # SQLite would begin a new database: all runs would be gone without a word.
            if not (there and self.file.stat().st_size) and any(self._folder.glob("*.npz")):
                raise self._damaged("it is empty" if there else "its file is gone")
        give_up = time.monotonic() + WAIT_SECONDS
        for attempt in (1, 2, 3, 4, 5):
            try:
                if self.file is not None:
                    self._check_pages()
                bring_up_to_date(self.engine)
                break
            except (DBAPIError, sqlite3.Error) as error:
                explained = self._explained(error)
                if isinstance(explained, StoreCorrupt) and not exists_already(error):
                    raise explained from error
                if attempt == 5 or time.monotonic() > give_up:
                    raise explained from error
                time.sleep(0.05 * attempt)  # another process makes the same tables

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction; its rows stay readable after it. The database's errors become ours."""
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except (DBAPIError, sqlite3.Error) as error:
            raise self._explained(error) from error

    def _connect(self, address: URL) -> Engine:
        try:
            if self.file is None:
                return create_engine(
                    address, pool_pre_ping=True, connect_args=connect_args(address)
                )
            self.file.parent.mkdir(parents=True, exist_ok=True)
            address = address.set(database=str(self.file))
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

    def _check_pages(self) -> None:
        with self.engine.connect() as connection:
            answer = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if answer != "ok":
            raise self._damaged(" ".join(str(answer).replace("*", "").split()))

    def _explained(self, error: DBAPIError | sqlite3.Error) -> LabError:
        origin = error.orig if isinstance(error, DBAPIError) else error
        reason = str(origin).strip().splitlines()[0] if str(origin).strip() else "no reason given"
        code = getattr(origin, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind of error
        if self.file is not None and code in SQLITE_DAMAGE:
            return self._damaged(reason)
        return StoreUnavailable(f"The database of finished runs cannot be used now: {reason}.")

    def _damaged(self, reason: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"The database of finished runs {self.file} is damaged ({reason}).",
            "It can be set aside and made again from the array files beside it; "
            "nothing is deleted.",
        )
