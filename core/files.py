"""Where files live, what ships with the project and what this machine keeps; how one is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from core.errors import LabError

SHIPPED = Path(__file__).resolve().parent.parent / "models_cache"
"""Weights, their manifests, memorisation scores and finished runs that come with the project."""


def cache_folder() -> Path:
    """This machine's own data: `FORGETTING_LAB_CACHE`, else the platform's cache folder; made if
    it is not there. Raises LabError where it cannot be."""
    named = os.environ.get("FORGETTING_LAB_CACHE")
    folder = Path(named or platformdirs.user_cache_dir("forgetting-lab"))
    try:
        folder = folder.expanduser()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: ~NAME of no known user
        why = getattr(error, "strerror", error)
        if isinstance(error, FileExistsError):
            why = "it is a file"
        raise LabError(
            f"The cache folder {folder} cannot be made: {why}.",
            "Set FORGETTING_LAB_CACHE to a folder that can be written to.",
        ) from error
    return folder


def networks_folder() -> Path:
    """Where the networks that runs left are kept, each in a folder named by its run's id."""
    return cache_folder() / "unlearned"


def requests_folder() -> Path:
    """Where choices are stored that are too long for a link."""
    return cache_folder() / "requests"


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """A file beside `path` to write to: it takes that place, whole, if the block ends well, and is
    deleted if not. What a killed process leaves of it is named .NAME.PID.part.

    durable: content and name are on the disk when the block has ended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        if durable:
            _flush(part, os.O_RDWR)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if durable and os.name == "posix":
        _flush(path.parent, os.O_RDONLY)


def _flush(path: Path, how: int) -> None:
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
