"""The array files of one database of runs: their folder, its lock, and what each file is.

A file is named RUN.DIGEST.npz, the digest made from its content, so that a damaged file is known
by its name alone. No function here deletes a complete file; `set_aside` moves one into the folder
orphans/, where nothing looks for runs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import StoreUnavailable
from core.runs.run_files import Fields, assemble, checked_id, unpack, write_file

log = logging.getLogger(__name__)


LOCK_SECONDS = 60.0
"""The longest that one waits for another process to put a database in order. A process that dies
lets go of the lock, so only a living one is waited for."""


_NAME = re.compile(r"(.+)\.([0-9a-f]{12})\.npz")


@dataclass(frozen=True)
class ArrayFile:
    """A complete array file. id: of the run that its name says, "" for a name of another kind.
    changed: nanoseconds since 1970."""

    path: Path
    id: str
    changed: int


def file_name(id: str, sha256: str) -> str:
    """The name of the array file of a run whose content has this checksum."""
    return f"{id}.{sha256[:12]}.npz"


def listed(folder: Path, id: str | None = None) -> list[ArrayFile]:
    """The array files in a folder, or those of one run, the newest first."""
    files = []
    for path in folder.glob("*.npz"):
        named = _NAME.fullmatch(path.name)
        owner = named[1] if named else ""
        if id is not None and owner != id:
            continue
        try:
            files.append(ArrayFile(path, owner, path.stat().st_mtime_ns))
        except OSError as error:  # gone meanwhile
            log.info("array file %s is passed over: %s", path.name, error)
    return sorted(files, key=lambda file: (file.changed, file.path.name), reverse=True)


def keep(folder: Path, id: str, content: bytes) -> tuple[str, str]:
    """Writes the array file of a run, and returns its name and sha256. Raises OSError."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / file_name(id, sha256)
    write_file(path, content)
    # A rebuild takes the newest file of a run: also where the clock has been set back meanwhile.
    others = [file.changed for file in listed(folder, id) if file.path != path]
    if others and max(others) >= path.stat().st_mtime_ns:
        os.utime(path, ns=(max(others) + 1, max(others) + 1))
    return path.name, sha256


def read(file: ArrayFile) -> tuple[Fields, str]:
    """The fields of the run in a file, and the file's sha256.

    Raises OSError, or ValueError where it is damaged or holds no run.
    """
    content = file.path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if not file.id or file.path.name != file_name(file.id, sha256):
        raise ValueError("its content is not what its name says")
    fields, arrays = unpack(content)
    try:
        replay = fields.pop("replay")
        run = assemble(fields, replay, arrays)
        if checked_id(run.id) != file.id:
            raise ValueError("it is of another run")
    except Exception as error:  # of any kind: the record may hold anything
        raise ValueError(f"it holds no run: {error}") from error
    return fields, sha256


def set_aside(path: Path) -> Path | None:
    """Moves a file into orphans/ beside it, and returns its place; None where that failed."""
    folder = path.parent / "orphans"
    place = folder / path.name
    try:
        folder.mkdir(exist_ok=True)
        place = unused(place)
        os.replace(path, place)
    except OSError as error:
        log.warning("array file %s stays where it is: %s", path.name, error)
        return None
    return place


def unused(path: Path) -> Path:
    """`path`, or the first of `path`-2, `path`-3, ... that is not there yet."""
    place, number = path, 1
    while place.exists():
        number += 1
        place = path.with_name(f"{path.name}-{number}")
    return place


def share(source: Path, folder: Path) -> None:
    """Gives a folder a file of another one too: a link, or a copy where links are not possible."""
    target = folder / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        try:
            write_file(target, source.read_bytes())
        except OSError as error:
            log.warning("array file %s is not taken over: %s", source.name, error)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder of array files and its database, which opening, recovery and
    reset take turns by. May be taken again inside. Raises StoreUnavailable."""
    lock = FileLock(
        folder.with_name(f"{folder.name}.lock"), timeout=LOCK_SECONDS, is_singleton=True
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreUnavailable(
            "Another process is putting the database of finished runs in order.",
            "Try again in a minute.",
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"The folder of the database of finished runs cannot be used: {error.strerror}."
        ) from error
    try:
        yield
    finally:
        lock.release()
