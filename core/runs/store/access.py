"""Whose a run is, and whether its link was shared: what decides who may see it on a server that is
open to strangers. An id alone gives no right there; it is no secret either, since it stands in the
address bar."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import delete, select

from core.runs.run_files import checked_id
from core.runs.store.store import Store
from core.runs.store.tables import DELETED, Link, Row


@dataclass(frozen=True)
class Access:
    """owner: sha256 of the starter's token, "" where it was started from a shell. shared: when its
    link was last shared, seconds since 1970, 0 where it was not."""

    owner: str
    shared: float = 0.0


def access_to(store: Store, id: str) -> Access | None:
    """Of a run in the database, also of one that was cleared; None where it is not there."""
    with store.database.session() as session:
        found = session.execute(
            select(Row.owner, Link.shared)
            .outerjoin(Link, Link.id == Row.id)
            .where(Row.id == checked_id(id), Row.status != DELETED)
        ).first()
    return Access(found[0], found[1] or 0.0) if found else None


def ships(store: Store, id: str) -> bool:
    """Whether a run comes with the project."""
    return (store.shipped / f"{checked_id(id)}.json").exists()


def share(store: Store, id: str) -> None:
    """Notes that the link of a run is given away now."""
    with store.database.session() as session:
        session.merge(Link(id=checked_id(id), shared=time.time()))


def keep_private(store: Store, id: str) -> None:
    """Takes that back: from now on only its owner sees the run."""
    with store.database.session() as session:
        session.execute(delete(Link).where(Link.id == checked_id(id)))
