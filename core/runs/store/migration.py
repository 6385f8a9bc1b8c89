"""Makes the tables of a new database, and brings those of an older version up to date.

Version 1 kept a run's list of chosen images in its row; version 2 apart from it (`Listed`). Both
had a column for each of most fields of a run, where version 3 has one JSON record. Version 4 knows
whose link was shared (`Link`), and has an index of owners.

Where the database can undo changes of tables (SQLite, Postgres), all is one transaction. Where it
cannot, what was cut off goes on at the next opening: the old rows are there until all are renewed.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from sqlalchemy import Engine, MetaData, Table, inspect, select, text
from sqlalchemy.orm import Session

from core.errors import LabError, StoreUnavailable
from core.runs.run_files import Fields, to_json
from core.runs.store.tables import SCHEMA_VERSION, Base, Row, Schema, write_row

log = logging.getLogger(__name__)

OLD_NAME = "runs_before_3"  # of the table of an older version, while it is renewed


def bring_up_to_date(engine: Engine) -> None:
    """Makes the tables that are not there and renews older ones; several processes may ask at once.
    Raises StoreUnavailable for a newer version."""
    Base.metadata.tables[Schema.__tablename__].create(engine, checkfirst=True)
    with Session(engine) as session:
        if _is_newest(session.get(Schema, 1)):
            return
    with Session(engine) as session, session.begin():
        if engine.dialect.name == "sqlite":  # else it would begin at the first write
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
        schema = session.get(Schema, 1, with_for_update=True)
        if not _is_newest(schema):  # else another process was faster
            _renew(session)
            session.merge(Schema(id=1, version=SCHEMA_VERSION))


def _is_newest(schema: Schema | None) -> bool:
    if schema is not None and schema.version > SCHEMA_VERSION:
        raise StoreUnavailable(
            "The database of finished runs was made by a newer version of Forgetting Lab.",
            "Update it, or set FORGETTING_LAB_DATABASE to another database.",
        )
    return schema is not None and schema.version == SCHEMA_VERSION


def _renew(session: Session) -> None:
    """Makes today's tables, and moves the rows of an older one, if there is one, into them."""
    connection = session.connection()
    if inspect(connection).has_table(Row.__tablename__):
        old = Table(Row.__tablename__, MetaData(), autoload_with=connection)
        if "record" not in old.columns:
            for index in old.indexes:  # their names are needed
                index.drop(connection)
            connection.execute(text(f"ALTER TABLE {old.name} RENAME TO {OLD_NAME}"))
    Base.metadata.create_all(connection)
    for index in Base.metadata.tables[Row.__tablename__].indexes:
        index.create(connection, checkfirst=True)  # the table may be there, and they not yet
    if not inspect(connection).has_table(OLD_NAME):
        return
    old = Table(OLD_NAME, MetaData(), autoload_with=connection)
    ids = session.scalars(select(old.c.id).where(old.c.id.not_in(select(Row.id)))).all()
    for id in ids:  # one by one: their lists may be long
        row = connection.execute(select(old).where(old.c.id == id)).mappings().one()
        _renew_row(session, dict(row))
        session.flush()
        session.expunge_all()
    old.drop(connection)
    log.info("the database of runs was renewed, %d runs", len(ids))


def _renew_row(session: Session, old: dict[str, Any]) -> None:
    try:
        row = write_row(session, _fields(old))
    except (LabError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("run %s could not be read before and cannot be now: %s", old["id"], error)
        row = Row(record=to_json({"unread": old}))
        for name in Row.PLAIN:
            setattr(row, name, old[name])
        session.add(row)
    # The process of one that is running is known by its progress alone.
    for name in ("owner", "arrays_file", "arrays_sha256", "host", "last_progress"):
        setattr(row, name, old[name])


def _fields(old: dict[str, Any]) -> Fields:
    """The fields of a run from a row of version 1 or 2; the latter's request is brief."""
    fields: Fields = json.loads(old["rest"])
    for name in ("settings", "seconds", "versions", "metrics"):
        fields[name] = json.loads(old[name])
    for name in ("model", "dataset", "method", "seed"):
        fields["plan"][name] = old[name]
    fields["plan"]["request"] = json.loads(old["forget"])
    return fields | {name: old[name] for name in Row.PLAIN}
