"""Room on the disk of a server that is open to strangers: their runs, the choices that were too
long for a link, and the networks that their runs retrained stay within a quota. The least recently
made or shared goes first; a run whose link was shared lately stays, and so does whatever the host
made from a shell.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select

from core.files import cache_folder
from core.runs.limits import Limits
from core.runs.store import array_files
from core.runs.store.store import Store
from core.runs.store.tables import CLEARED, Link, Row

log = logging.getLogger(__name__)

MB = 1e6
DAY = 86400.0


@dataclass(frozen=True)
class _Kept:
    """Something that takes room. used: when it was last made or shared, seconds since 1970.
    free: deletes it, None where it has to stay."""

    used: float
    bytes: int
    free: Callable[[], None] | None


def requests_folder() -> Path:
    """Where choices are stored that are too long for a link."""
    return cache_folder() / "requests"


def make_room(store: Store, limits: Limits, idle: bool = True) -> bool:
    """Clears until the quota is kept; False where what has to stay is more than it. idle: no job
    runs, so that no retrained network is in use."""
    most = limits.disk_mb * MB
    if most == float("inf"):
        return True
    kept = [*_runs(store, limits), *_requests(), *_references(idle)]
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


def _requests() -> Iterator[_Kept]:
    for file in requests_folder().glob("*.json"):
        yield _Kept(_changed(file), _size(file), partial(file.unlink, missing_ok=True))


def _references(idle: bool) -> Iterator[_Kept]:
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
        yield _Kept(_changed(manifest), size, partial(_unlink, files) if idle else None)


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
