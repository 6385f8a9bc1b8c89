"""The address of the database of runs, how it is connected to, and its array folder."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    make_url,
)
from sqlalchemy.exc import ArgumentError

from core.errors import BadRequest
from core.files import cache_folder

WAIT_SECONDS = 5
"""How long a database may take to answer, or an SQLite file be locked by another process."""


SQLITE_DAMAGE = {
    sqlite3.SQLITE_ERROR,  # a table or column is not there
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_NOTADB,
}


def address_of(url: str | URL | None) -> URL:
    """`url`, else what the environment names, else SQLite in the cache folder. An address of
    Postgres that names no driver, as hosts hand them out, gets psycopg where that is installed.
    Raises BadRequest."""
    named = url or os.environ.get("FORGETTING_LAB_DATABASE")
    if not named:
        return URL.create("sqlite", database=str(cache_folder() / "runs.sqlite"))
    try:
        address = make_url(named)
    except ArgumentError as error:
        raise bad_address() from error
    if address.drivername == "postgres":  # which SQLAlchemy does not know
        address = address.set(drivername="postgresql")
    if address.drivername == "postgresql" and find_spec("psycopg"):
        address = address.set(drivername="postgresql+psycopg")
    return address


def connect_args(address: URL) -> dict[str, Any]:
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


def bad_address() -> BadRequest:
    # Without the address itself: it may hold a password.
    return BadRequest(
        "The address of the database of runs cannot be used.",
        "Give one like sqlite:////folder/runs.sqlite or postgresql+psycopg://user@host/name.",
    )


def sqlite_file_of(address: URL) -> Path | None:
    """The file of an SQLite database, None for other databases."""
    if address.get_backend_name() != "sqlite":
        return None
    if address.database in (None, "", ":memory:"):
        raise BadRequest("Runs are kept in a file.", "Give an address like sqlite:////folder/runs.")
    return Path(str(address.database)).expanduser().resolve()


def common_folder_of(address: URL) -> Path:
    """Where an older version kept the array files of all databases of a place."""
    file = sqlite_file_of(address)
    return (cache_folder() if file is None else file.parent) / "runs"


def array_folder_of(address: URL, named: str | Path | None) -> Path:
    """The folder of a database's array files, no other database's."""
    if named is not None:
        return Path(named)
    file = sqlite_file_of(address)
    common = common_folder_of(address)
    if file is None:
        # Where it is and who asks, which decides what tables are seen; not the password or driver.
        parts: list[Any] = [
            address.get_backend_name(),
            address.username,
            address.host,
            address.port,
        ]
        parts += [address.database, address.query.get("options")]
        # A socket stands in the query.
        parts += [address.query[key] for key in ("host", "port") if key in address.query]
        place = json.dumps(parts)
        return common.with_name(f"runs-{hashlib.sha256(place.encode()).hexdigest()[:12]}")
    return common if file.name == "runs.sqlite" else file.with_name(f"{file.name}.runs")


def exists_already(error: Exception) -> bool:
    return "already exists" in str(error)
