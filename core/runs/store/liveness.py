"""Whether the process of a running run is still alive.

Each process that works on runs of a database holds the lock of a file of its own, beside the array
folder, and its rows name that file. The system lets go of it however the process ends, so that on
the same host "is it alive" is "can its lock be taken". Where that cannot be asked (another host, or
one of the same name with another disk), a run counts as dead once it has been silent for long.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Collection
from pathlib import Path

from filelock import FileLock, Timeout

from core.runs.store.tables import Row

log = logging.getLogger(__name__)

SILENT_SECONDS = 3600.0
"""A run whose lock cannot be asked for counts as dead after this long without progress."""

_held: dict[tuple[int, Path], FileLock] = {}
"""The locks of this process, held until it ends, by its id (what a forked child finds here are its
parent's) and the array folder."""


def why_lost(steps_done: int, total_steps: int) -> str:
    """What is known of a run whose process died: not whether its last step was done."""
    noted = "no step was noted"
    if steps_done:
        noted = f"the last that was noted is step {steps_done:,}"
        noted += f" of {total_steps:,}" if total_steps else ""
    return (
        f"The process of this run ended before the run was saved, so its result is lost; {noted}. "
        "Start it again with the same settings."
    )


def lock_folder(folder: Path) -> Path:
    """Where the lock files stand of the processes that work on runs of this array folder."""
    return folder.absolute().with_name(f"{folder.name}.at-work")


def own_lock(folder: Path) -> str:
    """The name of this process's lock file, whose lock it holds from the first call on; "" where
    none can be had, so that others go by progress."""
    key = os.getpid(), folder.absolute()
    if key not in _held:
        place = lock_folder(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
            lock = FileLock(place / f"{secrets.token_hex(16)}.lock", timeout=0, thread_local=False)
            lock.acquire()
        except (OSError, Timeout) as error:
            log.warning("no lock says that this process is alive: %s", error)
            return ""
        _held.setdefault(key, lock)  # where another thread was faster, this one is let go
    return Path(_held[key].lock_file).name


def is_alive(row: Row, folder: Path) -> bool:
    """Whether the process that works on a row may still do so. folder: of the array files."""
    if row.lock_file and row.host == socket.gethostname():
        free = _is_free(lock_folder(folder) / Path(row.lock_file).name)
        if free is not None:
            return not free
    return time.time() - row.last_progress < SILENT_SECONDS


def remove_locks_of_the_dead(folder: Path, named: Collection[str], before: float) -> None:
    """Deletes the lock files that nobody holds, no running row names, and that were made before a
    time (seconds since 1970): a younger one may be about to be locked."""
    for path in lock_folder(folder).glob("*.lock"):
        try:
            if path.name not in named and path.stat().st_mtime < before and _is_free(path):
                path.unlink()
        except OSError as error:  # another process was faster, or it may not be ours to delete
            log.info("lock file %s stays: %s", path.name, error)


def _is_free(path: Path) -> bool | None:
    """Whether nobody holds the lock of a file; None where that cannot be known."""
    # Never one of our own: on some file systems asking would let go of it.
    own = [Path(lock.lock_file) for (pid, _), lock in list(_held.items()) if pid == os.getpid()]
    if path in own:
        return False
    if not path.is_file():  # it stands on another disk: those of the dead stay while a row has them
        return None
    try:
        # Somebody else who asks has it for a moment too.
        with FileLock(path, timeout=0.05):
            return True
    except Timeout:
        return False
    except OSError as error:
        log.info("lock file %s cannot be asked for: %s", path.name, error)
        return None
