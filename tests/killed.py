"""What a process that was killed at work leaves in the store."""

from __future__ import annotations

from sqlalchemy import update

from core.runs.store.liveness import lock_folder
from core.runs.store.store import Store
from core.runs.store.tables import Row


def killed(store: Store, *ids: str) -> None:
    """From here on the process of these runs is dead: they name a lock that nobody holds."""
    lock = lock_folder(store.folder) / "killed.lock"
    lock.touch()
    with store.database.session() as session:
        session.execute(update(Row).where(Row.id.in_(ids)).values(lock_file=lock.name))
