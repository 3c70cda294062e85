"""The store in an SQLite file: the embedded default, shared by all the processes of one machine."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from shared.errors import StoreUnavailable, UnknownWindow
from shared.store.base import (
    Applied,
    IdempotencyKey,
    KeptAnswer,
    LedgerPage,
    LedgerQuery,
    Write,
    carry_out,
    to_json,
)
from shared.store.sqlite_file import SQLiteFile
from shared.window import NEW_STATE, AnswerT, Asking, LedgerEntry, Snapshot, Transition
from shared.window_config import WindowConfig

_WINDOW_IDS = "SELECT window_id FROM windows WHERE window_id > ? ORDER BY window_id LIMIT ?"
_WINDOW = "SELECT config, state, version, sequence FROM windows WHERE window_id = ?"
_PUT_WINDOW = """
    INSERT INTO windows (window_id, config, state, version, sequence) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (window_id) DO UPDATE SET
        config = excluded.config, state = excluded.state, version = excluded.version, sequence = excluded.sequence
"""
_ADD_ENTRY = """
    INSERT INTO ledger (window_id, sequence, id, kind, instant, trade_day, symbol, subject, data,
                        key_endpoint, key_value, key_fingerprint, key_answer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_KEPT = """
    SELECT key_fingerprint, key_answer FROM ledger WHERE window_id = ? AND key_endpoint = ? AND key_value = ?
"""
_LEDGER = """
    SELECT sequence, id, kind, instant, trade_day, symbol, subject, data FROM ledger{index}
    WHERE window_id = :window_id AND sequence <= :through{filters} ORDER BY sequence DESC LIMIT :limit
"""
_FILTERS = {name: f" AND {name} = :{name}" for name in ("kind", "trade_day", "symbol", "subject")}
# A day's rows lie together, since a day only moves forward; without these bounds SQLite walks all of the symbol's rows
# after that day.
_WITHIN_DAY = """
    AND sequence BETWEEN (SELECT min(sequence) FROM ledger WHERE window_id = :window_id AND trade_day = :trade_day)
                     AND (SELECT max(sequence) FROM ledger WHERE window_id = :window_id AND trade_day = :trade_day)
"""
_NEWEST = 2**63 - 1


class SQLiteStore:
    """A Store in one SQLite file (WAL, `synchronous=FULL`).

    Reads run inline, a few microseconds each, on connections of their own. Writes of one process go through one
    writer thread, many to a commit. Nothing is open before the first use, and a forked child opens its own.
    """

    def __init__(
        self, path: Path | str, *, busy_timeout_seconds: float = 5.0, max_waiting_writes: int = 10_000
    ) -> None:
        self._file = SQLiteFile(
            path, batch=_Batch, busy_timeout_seconds=busy_timeout_seconds, max_waiting_writes=max_waiting_writes
        )

    @property
    def path(self) -> Path:
        return self._file.path

    def prepare(self) -> None:
        """Makes the folder and the newest schema where they are missing, and leaves nothing open.

        Raises StoreUnavailable with a sentence for the operator.
        """
        self._file.prepare()

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        return self._file.write(lambda batch: batch.create(window_id, config))

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot:
        return await self._file.write_async(lambda batch: batch.create(window_id, config))

    def window_ids(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return self._file.read(lambda connection: _read_window_ids(connection, after, limit))

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return await self._file.read_async(lambda connection: _read_window_ids(connection, after, limit))

    def snapshot(self, window_id: str) -> Snapshot:
        return self._file.read(lambda connection: _read_window(connection, window_id))

    async def snapshot_async(self, window_id: str) -> Snapshot:
        return await self._file.read_async(lambda connection: _read_window(connection, window_id))

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        return self._file.read(lambda connection: _read_ledger(connection, window_id, query))

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        return await self._file.read_async(lambda connection: _read_ledger(connection, window_id, query))

    def apply(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        write = Write(window_id=window_id, transition=transition, instant=instant, key=key, asks=asks)
        return self._file.write(lambda batch: batch.apply(write))

    async def apply_async(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        write = Write(window_id=window_id, transition=transition, instant=instant, key=key, asks=asks)
        return await self._file.write_async(lambda batch: batch.apply(write))

    def close(self) -> None:
        self._file.close()


class _Batch:
    """The jobs of one transaction: later ones see what earlier ones left. Nothing reaches the file before `write`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._windows: dict[str, Snapshot] = {}
        self._changed: dict[str, tuple[Any, ...]] = {}
        self._entries: list[tuple[Any, ...]] = []
        self._kept: dict[tuple[str, str, str], KeptAnswer] = {}

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        try:
            return self._window(window_id)
        except UnknownWindow:
            new = Snapshot(window_id=window_id, config=config, state=NEW_STATE.copy(), version=1, sequence=0)
            self._changed[window_id] = _window_row(new)
            self._windows[window_id] = new
            return new

    def apply(self, write: Write[AnswerT]) -> Applied[AnswerT]:
        key = write.key
        applied = carry_out(write, self._window(write.window_id), self._kept_answer(write.window_id, key))
        if applied.replayed:
            return applied
        rows = [_entry_row(write.window_id, entry) for entry in applied.entries]
        window_row = _window_row(applied.after)
        if key is not None:
            kept = KeptAnswer(fingerprint=key.fingerprint, answer_json=to_json(applied.answer))
            own = applied.own_from
            rows[own] = (*rows[own][:-4], key.endpoint, key.value, kept.fingerprint, kept.answer_json)
            self._kept[write.window_id, key.endpoint, key.value] = kept
        # From here on nothing can fail, so that a job leaves all of its rows in the batch, or none.
        self._changed[write.window_id] = window_row
        self._windows[write.window_id] = applied.after
        self._entries += rows
        return applied

    def write(self) -> None:
        self._connection.executemany(_PUT_WINDOW, self._changed.values())
        self._connection.executemany(_ADD_ENTRY, self._entries)

    def _window(self, window_id: str) -> Snapshot:
        known = self._windows.get(window_id)
        if known is None:
            known = self._windows[window_id] = _read_window(self._connection, window_id)
        return known

    def _kept_answer(self, window_id: str, key: IdempotencyKey | None) -> KeptAnswer | None:
        if key is None:
            return None
        place = (window_id, key.endpoint, key.value)
        if place in self._kept:
            return self._kept[place]
        row = self._connection.execute(_KEPT, place).fetchone()
        return KeptAnswer(fingerprint=row[0], answer_json=row[1]) if row else None


def _read_window(connection: sqlite3.Connection, window_id: str) -> Snapshot:
    row = connection.execute(_WINDOW, (window_id,)).fetchone()
    if row is None:
        raise UnknownWindow(window_id)
    config, state, version, sequence = row
    try:
        return Snapshot(window_id, _config(config), json.loads(state), version, sequence)
    except ValueError as exc:
        raise StoreUnavailable(f"the window {window_id!r} holds what this version doesn't understand: {exc}") from exc


def _read_window_ids(connection: sqlite3.Connection, after: str | None, limit: int) -> tuple[str, ...]:
    return tuple(row[0] for row in connection.execute(_WINDOW_IDS, (after or "", limit)))


def _index_for(filters: Sequence[str]) -> str:
    """SQLite would take the primary key and walk it."""
    return next((f" INDEXED BY ledger_{name}" for name in ("subject", "symbol") if name in filters), "")


def _read_ledger(connection: sqlite3.Connection, window_id: str, query: LedgerQuery) -> LedgerPage:
    given = [name for name in _FILTERS if getattr(query, name) is not None]
    statement = _LEDGER.format(
        index=_index_for(given),
        filters="".join(_FILTERS[name] for name in given)
        + (_WITHIN_DAY if {"symbol", "trade_day"} <= {*given} else ""),
    )
    values = {
        "window_id": window_id,
        "through": _NEWEST if query.through is None else query.through,
        "limit": query.limit,
        **{name: getattr(query, name) for name in given},
    }
    connection.execute("BEGIN")
    try:
        sequence = _read_window(connection, window_id).sequence
        rows = connection.execute(statement, values).fetchall()
    finally:
        connection.execute("COMMIT")
    return LedgerPage(entries=tuple(map(_entry, rows)), sequence=sequence)


@lru_cache(maxsize=4096)
def _config(text: str) -> WindowConfig:
    return WindowConfig.model_validate_json(text)


def _window_row(window: Snapshot) -> tuple[Any, ...]:
    config = to_json(window.config.to_json())
    return (window.window_id, config, to_json(window.state), window.version, window.sequence)


def _entry_row(window_id: str, entry: LedgerEntry) -> tuple[Any, ...]:
    instant = entry.instant.isoformat()
    data = to_json(entry.data)
    own = (window_id, entry.sequence, entry.id, entry.kind, instant, entry.trade_day, entry.symbol, entry.subject, data)
    return (*own, None, None, None, None)


def _entry(row: tuple[Any, ...]) -> LedgerEntry:
    sequence, entry_id, kind, instant, trade_day, symbol, subject, data = row
    return LedgerEntry(
        sequence=sequence,
        id=entry_id,
        kind=kind,
        instant=datetime.fromisoformat(instant),
        trade_day=trade_day,
        symbol=symbol,
        subject=subject,
        data=json.loads(data),
    )
