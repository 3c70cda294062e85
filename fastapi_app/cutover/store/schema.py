"""The tables of the cutover's store. Imported by migrations and their tests only: it costs SQLAlchemy."""

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text

metadata = MetaData()

table_version = Table(
    "table_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False, comment="the only row; counts changes of modes"),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False, comment="in the inventory, from 0; -1 for one that is gone"),
    Column("method", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("legacy", Integer, nullable=False, comment="1 where that side has it, else 0"),
    Column("native", Integer, nullable=False),
    Column("notes", Text, nullable=False, comment="JSON"),
    Column("mode", Text, nullable=False, comment="JSON"),
    sqlite_with_rowid=False,
)

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False, comment="of the table of modes, made by this change"),
    Column("at", Text, nullable=False, comment="ISO 8601, UTC"),
    Column("endpoint", Text, nullable=False),
    Column("before", Text, comment="JSON"),
    Column("after", Text, nullable=False, comment="JSON; as before where evidence was forgotten"),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
Index("changes_endpoint", changes.c.endpoint, changes.c.id)

counts = Table(
    "counts",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("mode", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

mismatches = Table(
    "mismatches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Text, nullable=False, comment="ISO 8601, UTC"),
    Column("endpoint", Text, nullable=False),
    Column("mode", Text, nullable=False, comment="the name of the mode alone"),
    Column("detail", Text, nullable=False, comment="JSON: all of it"),
    sqlite_autoincrement=True,
)
Index("mismatches_endpoint", mismatches.c.endpoint, mismatches.c.mode)
