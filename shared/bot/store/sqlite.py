"""The bot's row in the product's SQLite file, shared by all the processes of one machine."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from shared.bot.store.base import BotRow, Step
from shared.store.base import to_json
from shared.store.sqlite_file import SQLiteFile

T = TypeVar("T")

_COLUMNS = "version, desired, config, account, holder, lease_until, started_at, last_cycle, state"
_GET = f"SELECT {_COLUMNS} FROM bots WHERE bot_id = ?"  # noqa: S608 - of constants
_PUT = f"INSERT OR REPLACE INTO bots (bot_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


class SQLiteBotStore:
    """A BotStore in one SQLite file, whose bots are told apart by `bot_id`."""

    def __init__(
        self,
        path: Path | str,
        *,
        bot_id: str = "default",
        busy_timeout_seconds: float = 5.0,
        max_waiting_writes: int = 10_000,
    ) -> None:
        self._bot_id = bot_id
        self._file = SQLiteFile(
            path,
            batch=lambda connection: _Batch(connection, bot_id),
            busy_timeout_seconds=busy_timeout_seconds,
            max_waiting_writes=max_waiting_writes,
        )

    def read(self) -> BotRow:
        return self._file.read(lambda connection: _read(connection, self._bot_id))

    async def read_async(self) -> BotRow:
        return await self._file.read_async(lambda connection: _read(connection, self._bot_id))

    def change(self, step: Step) -> BotRow:
        return self._file.write(lambda batch: batch.change(step))

    async def change_async(self, step: Step) -> BotRow:
        return await self._file.write_async(lambda batch: batch.change(step))

    def close(self) -> None:
        self._file.close()


class _Batch:
    """The changes of one transaction: later ones see what earlier ones left."""

    def __init__(self, connection: sqlite3.Connection, bot_id: str) -> None:
        self._connection = connection
        self._bot_id = bot_id
        self._row = _read(connection, bot_id)

    def change(self, step: Step) -> BotRow:
        found = self._row
        changed = step(found)
        if changed is not None and changed != found:
            changed = replace(changed, version=found.version + 1)
            self._connection.execute(_PUT, (self._bot_id, *_cells(changed)))
            self._row = changed
        return self._row

    def write(self) -> None:
        """Each change was written as it was made."""


def _read(connection: sqlite3.Connection, bot_id: str) -> BotRow:
    cells = connection.execute(_GET, (bot_id,)).fetchone()
    if cells is None:
        return BotRow()
    version, desired, config, account, holder, lease_until, started_at, last_cycle, state = cells
    return BotRow(
        version=version,
        desired=desired,
        config=_or_none(json.loads, config),
        account=account,
        holder=holder,
        lease_until=_or_none(datetime.fromisoformat, lease_until),
        started_at=_or_none(datetime.fromisoformat, started_at),
        last_cycle=_or_none(json.loads, last_cycle),
        state=_or_none(json.loads, state),
    )


def _cells(row: BotRow) -> tuple[Any, ...]:
    return (
        row.version,
        row.desired,
        _or_none(to_json, row.config),
        row.account,
        row.holder,
        _or_none(datetime.isoformat, row.lease_until),
        _or_none(datetime.isoformat, row.started_at),
        _or_none(to_json, row.last_cycle),
        _or_none(to_json, row.state),
    )


def _or_none(make: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else make(value)
