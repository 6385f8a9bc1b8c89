"""Room on the disk of a server that is open to strangers: visitors' runs and the networks that runs
left or retrained stay within a quota, the choices that were too long for a link within another. The
least recently made or shared goes first; a run whose link was shared lately stays, and so do the
runs that the host made from a shell. A run can lose its network and stay.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select

from core.files import cache_folder, networks_folder, requests_folder
from core.runs.limits import Limits
from core.runs.store import array_files
from core.runs.store.store import Store
from core.runs.store.tables import CLEARED, Link, Row

MB = 1e6
MINUTE, DAY = 60.0, 86400.0


@dataclass(frozen=True)
class _Kept:
    """Something that takes room. used: when it was last made or shared, seconds since 1970.
    free: deletes it, None where it has to stay."""

    used: float
    bytes: int
    free: Callable[[], None] | None


def make_room(store: Store, limits: Limits) -> bool:
    """Clears runs and networks until the quota is kept; False where what has to stay is more than
    it. Meant for when no job runs, which could use what is cleared."""
    if math.isinf(limits.disk_mb):
        return True
    return _clear([*_networks(), *_runs(store, limits), *_references()], limits.disk_mb * MB)


def make_room_for_choices(limits: Limits) -> None:
    """Clears the stored choices that were longest not opened until their quota is kept."""
    if not math.isinf(limits.choices_mb):
        _clear([*_choices()], limits.choices_mb * MB)


def _clear(kept: Sequence[_Kept], most: float) -> bool:
    taken = sum(item.bytes for item in kept)
    for item in sorted(kept, key=lambda item: item.used):
        if taken <= most:
            break
        if item.free is not None:
            item.free()
            taken -= item.bytes
    return taken <= most


def clear(store: Store, id: str) -> None:
    """Deletes the arrays and numbers of a run, and keeps that it was there. Raises LabError."""
    with store.database.session() as session:
        row = session.get(Row, id)
        if row is None or row.status == "running":
            return
        row.status = CLEARED
    store.finish_removal(id)


def _runs(store: Store, limits: Limits) -> Iterator[_Kept]:
    sizes = {file.path.name: file for file in array_files.listed(store.folder)}
    with store.database.session() as session:
        rows = session.execute(
            select(Row.id, Row.status, Row.arrays_file, Link.shared)
            .outerjoin(Link, Link.id == Row.id)
            .where(Row.owner != "", Row.arrays_file != "")
        ).all()
    lately = time.time() - limits.shared_days * DAY
    for id, status, name, shared in rows:
        file = sizes.get(name)
        if file is None:
            continue
        stays = status == "running" or (shared or 0.0) > lately
        used = max(file.changed / 1e9, shared or 0.0)
        yield _Kept(used, _size(file.path), None if stays else partial(clear, store, id))


def _choices() -> Iterator[_Kept]:
    for file in requests_folder().glob("*.json"):
        yield _Kept(_changed(file), _size(file), partial(file.unlink, missing_ok=True))


def _networks() -> Iterator[_Kept]:
    """What runs left: without it one can no longer look inside. Each goes before its run, which is
    saved a moment later."""
    for folder in networks_folder().glob("*/"):
        size = sum(map(_size, folder.glob("*")))
        used = _changed(folder) - MINUTE
        yield _Kept(used, size, partial(shutil.rmtree, folder, ignore_errors=True))


def _references() -> Iterator[_Kept]:
    """The retrained networks that came of runs, each with what was measured of it."""
    for manifest in (cache_folder() / "models").glob("*/retrained-*.json"):
        try:
            said = json.loads(manifest.read_text())
            if said.get("kept_from") != "run":
                continue
            name = f"outcome-{said['sha256'][:16]}-*.npz"
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # whoever looks for it is told
        measured = (cache_folder() / "outcomes").glob(name)
        # The manifest goes first: what has one is whole.
        files = [manifest, manifest.with_suffix(".safetensors"), *measured]
        size = sum(map(_size, files))
        yield _Kept(_changed(manifest), size, partial(_unlink, files))


def _unlink(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone meanwhile
        return 0


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
