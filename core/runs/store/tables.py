"""The tables of the database of runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from core.data.brief_request import read_request
from core.errors import BadRequest, RunCleared, StoreCorrupt
from core.runs.run_files import Fields, checked_id, to_json
from core.runs.summary import RunSummary, summary_of

SCHEMA_VERSION = 4
"""Older ones are brought up to date when they are opened: see `core.runs.store.migration`."""


DELETED = "deleted"  # the status of a run whose files are being deleted; it is shown nowhere
CLEARED = "cleared"  # of one that had to make room: of it this status stays, so that it can be said


class Base(DeclarativeBase):
    """Of all tables."""


class Schema(Base):
    """The version of the tables, in one row."""

    __tablename__ = "forgetting_lab_schema"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]


class Listed(Base):
    """The forget request of a run with its list of chosen images, of which the row has the brief
    form: a list of 25,000 would be read with every table of runs."""

    __tablename__ = "run_requests"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    request: Mapped[str] = mapped_column(Text)


class Link(Base):
    """That the link of a run was given away, and when last (seconds since 1970)."""

    __tablename__ = "run_links"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    shared: Mapped[float]


class Row(Base):
    """One run: the columns that are asked for or change while it runs, all else in its record. JSON
    stands as text, so that every database keeps it as it is, NaN included."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    created: Mapped[str] = mapped_column(String(40), index=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    owner: Mapped[str] = mapped_column(String(64), default="", index=True)
    error: Mapped[str] = mapped_column(Text)
    steps_done: Mapped[int]
    total_steps: Mapped[int]
    record: Mapped[str] = mapped_column(Text)  # the fields of a run that have no column
    arrays_file: Mapped[str] = mapped_column(String(120), default="")
    arrays_sha256: Mapped[str] = mapped_column(String(64), default="")
    # Who works on it, while it runs: see `core.runs.store.liveness`
    host: Mapped[str] = mapped_column(String(255), default="")
    lock_file: Mapped[str] = mapped_column(String(80), default="")
    last_progress: Mapped[float] = mapped_column(default=0.0)  # seconds since 1970

    PLAIN = ("id", "created", "status", "error", "steps_done", "total_steps")

    def fill(self, fields: Fields) -> None:
        """Sets the columns from a run's fields; see `write_row`."""
        record = {name: value for name, value in fields.items() if name not in self.PLAIN}
        request = read_request(fields["plan"]["request"]).brief().to_dict()
        self.record = to_json({**record, "plan": {**fields["plan"], "request": request}})
        for name in self.PLAIN:
            setattr(self, name, fields[name])

    def fields(self, listed: Listed | None = None) -> Fields:
        """The inverse of `fill`; without `listed` the request is brief. Raises StoreCorrupt."""
        try:
            fields: Fields = json.loads(self.record)
            plan = fields["plan"]
            plan["request"] = read_request(
                json.loads(listed.request) if listed else plan["request"]
            )
            return fields | {name: getattr(self, name) for name in self.PLAIN}
        except (ValueError, TypeError, KeyError, BadRequest) as error:
            raise unreadable(self.id) from error

    def summary(self, listed: Listed | None = None) -> RunSummary:
        """What tables show of it. Raises StoreCorrupt."""
        try:
            return summary_of(self.fields(listed), self.owner)
        except (TypeError, KeyError, AttributeError, BadRequest) as error:
            raise unreadable(self.id) from error


def unreadable(id: str) -> StoreCorrupt:
    """What is raised for a row that makes no sense."""
    return StoreCorrupt(f"The record of run {id} cannot be read.")


def find_row(session: Session, id: str) -> tuple[Row | None, Listed | None]:
    """A run's row and the list of its chosen images, as far as there are any. Raises RunCleared."""
    row = session.get(Row, checked_id(id))
    if row is None or row.status == DELETED:
        return None, None
    if row.status == CLEARED:
        raise RunCleared(
            f"Run {id} was here, and was cleared to make room for newer ones.",
            "Runs whose link was shared are kept longer.",
        )
    return row, session.get(Listed, id)


def write_row(session: Session, fields: Fields) -> Row:
    """Writes a run's fields into its row, and its chosen images beside it."""
    id = fields["id"]
    row = session.get(Row, id) or Row(owner="", arrays_file="")
    row.fill(fields)
    request = fields["plan"]["request"]
    if "indices" in request:
        session.merge(Listed(id=id, request=to_json(request)))
        session.flush()  # first: a row is never there without its list
    session.add(row)
    return row


def only(chosen: Select[Any], statuses: Iterable[str], owner: str | None) -> Select[Any]:
    """Narrows a choice of rows to these statuses, where there are any, and to one owner's."""
    wanted = list(statuses)
    gone = Row.status.in_((DELETED, CLEARED))
    chosen = chosen.where(Row.status.in_(wanted) if wanted else ~gone)
    return chosen if owner is None else chosen.where(Row.owner == owner)
