"""The databases that a store is tested over: an SQLite file, and a PostgreSQL server of the tests'
own, from Debian's package. Where there is none its tests are skipped, in CI they fail."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

DEBIAN = Path("/usr/lib/postgresql")
both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
"""A test of the store that has to hold over both."""


def _program(name: str) -> str | None:
    """A program of PostgreSQL, the newest version first; Debian keeps them off the path."""
    beside = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: -float(path.parts[-3]))
    return str(beside[0]) if beside else shutil.which(name)


def _missing() -> str:
    if not (_program("initdb") and _program("pg_ctl")):
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if importlib.util.find_spec("psycopg") is None:
        return "The Python package psycopg is not installed"
    return ""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a server with a database "postgres", on a socket in a folder of its own."""
    if why := _missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{why}, and CI needs it.")
        pytest.skip(f"{why}.")
    folder = Path(tempfile.mkdtemp(prefix="lab-pg-"))  # short: a socket's path may have 107 bytes
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # which PostgreSQL refuses
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def call(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_program(program)), "-D", str(folder / "data"), *arguments],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **as_user,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    started = False
    try:
        call("initdb", "-U", "lab", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-F -c listen_addresses='' -c unix_socket_directories={folder}"
        call("pg_ctl", "-w", "-s", "-l", str(folder / "log"), "-o", options, "start")
        started = True
        yield f"postgresql+psycopg://lab@/postgres?host={folder}"
    finally:
        if started:
            call("pg_ctl", "-s", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of an empty database; its array files go into the test's own folder."""
    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path / "cache"))
    name = f"lab_{uuid.uuid4().hex[:12]}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: SQLite, or what `both` says."""
    if getattr(request, "param", "sqlite") == "postgres":
        return str(request.getfixturevalue("postgres"))
    return f"sqlite:///{tmp_path}/lab.sqlite"
