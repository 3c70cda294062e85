"""Brings an SQLite file to the newest schema. Heavy to import (Alembic, SQLAlchemy): only for a file that needs it."""

import sqlite3
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared.errors import StoreUnavailable

SCRIPTS = "shared.store:migrations"
LOCK_TIMEOUT_SECONDS = 60.0

_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the migration that it runs in a global of its module: threads of one process take turns."""


def migrate(path: Path, *, current: str | None, scripts: str | None = None) -> None:
    """Migrates the file from revision `current` under a lock between processes, in one transaction.

    `scripts` is where the migrations lie, in Alembic's notation: those of the windows unless given. Raises
    StoreUnavailable: the file is newer than this program, somebody holds the lock, or the disk says no.
    """
    config = Config()
    config.set_main_option("script_location", scripts or SCRIPTS)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StoreUnavailable(f"{path} has the schema {current}, which this version of the program doesn't know")
    try:
        with _ONE_AT_A_TIME, FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_SECONDS):
            _use_write_ahead_log(path)
            engine = _transactional_engine(path)
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except Timeout as exc:
        raise StoreUnavailable(f"another process migrates {path} for over {LOCK_TIMEOUT_SECONDS:.0f} s") from exc
    except DBAPIError as exc:
        # Its own text has several lines, with the statement and an address to read.
        raise StoreUnavailable(f"{path}: {exc.orig}") from exc
    except (OSError, sqlite3.Error, SQLAlchemyError, CommandError) as exc:
        raise StoreUnavailable(f"{path}: {exc}") from exc


def _use_write_ahead_log(path: Path) -> None:
    """The mode is kept in the file. It can't be set inside a transaction."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _transactional_engine(path: Path) -> Engine:
    """An engine whose DDL is part of the transaction; by default the driver begins none before DDL
    (SQLAlchemy's documentation of the pysqlite dialect, on transactional DDL)."""
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
