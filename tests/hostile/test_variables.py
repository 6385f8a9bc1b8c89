"""Settings that name what is not there, cannot be made or never answers: one sentence from the
shell and on the page, in time, and to strangers without a place of this machine."""

from __future__ import annotations

import re
import socket
import sqlite3
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import StoreUnavailable
from core.runs.store import address as addresses
from core.runs.store.store import Store
from tests.app.conftest import ROOT, Open
from tests.app.test_front import texts
from tests.hostile.conftest import Shell
from tests.hostile.test_links import alarms
from ui import outside

SETTINGS: list[tuple[str, str, str, str]] = [
    ("cache: a file", "CACHE", "{tmp}/file", "cannot be made: it is a file"),
    ("cache: below a file", "CACHE", "{tmp}/file/below", "cannot be made: Not a directory"),
    ("cache: ~nobody", "CACHE", "~no-one-here/cache", "cannot be made"),
    ("cache: a name too long", "CACHE", "{tmp}/" + "a" * 300, "cannot be made: File name too long"),
    ("database: no address", "DATABASE", "nonsense", "cannot be used"),
    ("database: no such kind", "DATABASE", "magic://db.internal/x", "cannot be used"),
    ("database: in memory", "DATABASE", "sqlite://", "Runs are kept in a file"),
    ("database: a folder", "DATABASE", "sqlite:///{tmp}", "cannot be used now"),
    ("database: below a file", "DATABASE", "sqlite:///{tmp}/file/x.sqlite", "cannot be made"),
    (
        "database: no driver",
        "DATABASE",
        "postgresql+psycopg2://bob:secret@db.internal/x",
        "needs the Python package",
    ),
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a space in its name and a file in it."""
    folder = tmp_path / "my files"
    folder.mkdir()
    (folder / "file").write_text("not a folder")
    return folder


ROWS = pytest.mark.parametrize(
    ("name", "value", "said"), [pytest.param(*row[1:], id=row[0]) for row in SETTINGS]
)


@ROWS
def test_a_bad_setting_is_one_line(
    shell: Shell, monkeypatch, files: Path, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"FORGETTING_LAB_{name}", value.replace("{tmp}", str(files)))
    line = shell("runs")[1]
    assert said in line
    assert "secret" not in line


@ROWS
def test_a_bad_setting_is_one_sentence_that_tells_strangers_no_place(
    open_page: Open, monkeypatch, files: Path, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"FORGETTING_LAB_{name}", value.replace("{tmp}", str(files)))
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "1")
    at = open_page()
    [sentence] = alarms(at)
    assert said in sentence
    assert [b.key for b in at.button] == ["try-again"]
    for secret in (str(files), str(files.parent), "db.internal", "bob", "secret"):
        assert secret not in texts(at)


DATA = [("nowhere", "{tmp}/nowhere"), ("a file", "{tmp}/file"), ("~nobody", "~no-one-here/x")]


@pytest.mark.parametrize("page", ["app.py", "pages/1_Choose.py", "pages/2_Unlearn.py"])
@pytest.mark.parametrize("folder", [pytest.param(value, id=id) for id, value in DATA])
def test_a_data_folder_that_is_not_there_offers_no_download(
    open_page: Open, monkeypatch, files: Path, cache: Path, page: str, folder: str
) -> None:
    """Although the cache has the images of an earlier download."""
    from core.data import sources

    slot = sources.decoded(cache, "cifar10", sources.downloads(cache, "cifar10"))
    slot.parent.mkdir(parents=True)
    slot.with_suffix(".json").write_text("{}")
    assert sources.available("cifar10")
    monkeypatch.setenv("FORGETTING_LAB_DATA", folder.replace("{tmp}", str(files)))
    at = open_page(page, data="cifar10", forget="random:0.1")
    said = [text for text in alarms(at) if "does not exist" in text]
    assert len(said) == 1
    assert "FORGETTING_LAB_DATA names it" in said[0]
    assert "download" not in {b.key for b in at.button}


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server on this machine that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for psycopg2, which need not be installed: it connects, and waits for an answer as
    long as `connect_timeout` says, as libpq does."""
    found = types.ModuleType("psycopg2")

    class Error(Exception):
        pass

    def connect(*_: object, connect_timeout: float = 3600, **options: object) -> None:
        address = (str(options["host"]), int(str(options["port"])))
        try:
            with socket.create_connection(address, timeout=connect_timeout) as open_socket:
                open_socket.sendall(b"\0\0\0\x08\x04\xd2\x16/")
                open_socket.recv(1)
        except TimeoutError as error:
            raise Error(f'connection to server at "{address[0]}" failed: timeout') from error

    for name in ("Error", "OperationalError", "InterfaceError", "DatabaseError"):
        setattr(found, name, Error)
    found.connect, found.paramstyle, found.__version__ = connect, "pyformat", "2.9.9"  # type: ignore[attr-defined]
    for name in ("extensions", "extras"):
        module = types.ModuleType(f"psycopg2.{name}")
        setattr(found, name, module)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "psycopg2", found)


@pytest.mark.timeout(60)  # the server would answer never
def test_a_database_that_never_answers_is_given_up(monkeypatch, silent: int) -> None:
    driver(monkeypatch)
    assert addresses.WAIT_SECONDS == 5
    for module in ("address", "database"):
        monkeypatch.setattr(f"core.runs.store.{module}.WAIT_SECONDS", 1)
    with pytest.raises(StoreUnavailable) as caught:
        Store(f"postgresql+psycopg2://bob:secret@127.0.0.1:{silent}/lab")
    assert "cannot be used now" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://h/x", {"connect_timeout": 5}),
        ("postgresql+psycopg2://h/x", {"connect_timeout": 5}),
        ("mysql+pymysql://h/x", {"connect_timeout": 5}),
        ("postgresql://h/x?connect_timeout=30", {}),
    ],
)
def test_every_usual_driver_is_told_to_give_up(address: str, expected: dict[str, int]) -> None:
    assert addresses.connect_args(addresses.address_of(address)) == expected


@pytest.mark.timeout(60)  # the other one holds it until the end
def test_a_locked_database_is_given_up(shell: Shell, monkeypatch, cache: Path) -> None:
    for module in ("address", "database"):
        monkeypatch.setattr(f"core.runs.store.{module}.WAIT_SECONDS", 1)
    other = sqlite3.connect(cache / "runs.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    assert "locked" in shell("runs")[1]
    other.close()


PUBLIC: list[tuple[str, Callable[[Path], str]]] = [
    ("a path", lambda tmp: f"The data folder {tmp}/a b/images does not exist."),
    ("a path in quotes", lambda tmp: f"'{tmp}/x.npz' cannot be read"),
    ("a path alone", lambda tmp: "/srv/lab/secrets/runs.sqlite: No space left on device"),
    ("a host", lambda tmp: 'connection to server at "db.internal" (10.0.0.3), port 5432 failed'),
    ("an address", lambda tmp: "postgresql+psycopg://bob:***@db.internal:5432/lab needs psycopg"),
]


@pytest.mark.parametrize("text", [pytest.param(row[1], id=row[0]) for row in PUBLIC])
def test_strangers_learn_no_place(monkeypatch, tmp_path: Path, text) -> None:
    monkeypatch.setenv("FORGETTING_LAB_DATABASE", "postgresql+psycopg://bob:pw@db.internal:5432/x")
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "1")
    shown = outside.plain(text(tmp_path))
    assert not re.search(r"/srv|/tmp|db\.internal|10\.0\.0\.3|/\w+/", shown), shown
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "0")
    shown = outside.plain(text(tmp_path)).replace("\\", "").replace(outside.JOINER, "")
    assert shown == text(tmp_path)


def test_the_readme_opens_the_app_to_this_machine_only() -> None:
    """By an option of the command: hosts read `config.toml` too."""
    text = (ROOT / "README.md").read_text()
    commands = [line for line in text.splitlines() if "streamlit run app.py" in line]
    assert commands
    assert all(line.endswith("--server.address localhost") for line in commands)
    assert "\naddress" not in (ROOT / ".streamlit" / "config.toml").read_text()
    for command in ("python -m core download", "python -m core repair"):
        assert command in text
