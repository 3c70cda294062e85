"""What the file holds, read and written on a connection. A row of another version raises StoreUnavailable."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from shared.errors import StoreUnavailable, UnknownWindow
from shared.store.base import IdempotencyKey, KeptAnswer, LedgerPage, LedgerQuery, to_json
from shared.window import LedgerEntry, Snapshot
from shared.window_config import WindowConfig

_WINDOW_IDS = "SELECT window_id FROM windows{where} ORDER BY window_id LIMIT :limit"
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


def write_rows(
    connection: sqlite3.Connection, windows: Iterable[tuple[Any, ...]], entries: Iterable[tuple[Any, ...]]
) -> None:
    connection.executemany(_PUT_WINDOW, windows)
    connection.executemany(_ADD_ENTRY, entries)


def read_window(connection: sqlite3.Connection, window_id: str) -> Snapshot:
    row = connection.execute(_WINDOW, (window_id,)).fetchone()
    if row is None:
        raise UnknownWindow(window_id)
    config, state, version, sequence = row
    try:
        return Snapshot(window_id, _config(config), json.loads(state), version, sequence)
    except ValueError as exc:
        raise StoreUnavailable(f"the window {window_id!r} holds what this version doesn't understand: {exc}") from exc


def read_window_ids(connection: sqlite3.Connection, after: str | None, limit: int) -> tuple[str, ...]:
    statement = _WINDOW_IDS.format(where="" if after is None else " WHERE window_id > :after")
    return tuple(row[0] for row in connection.execute(statement, {"after": after, "limit": limit}))


def read_kept(connection: sqlite3.Connection, window_id: str, key: IdempotencyKey) -> KeptAnswer | None:
    row = connection.execute(_KEPT, (window_id, key.endpoint, key.value)).fetchone()
    return KeptAnswer(fingerprint=row[0], answer_json=row[1]) if row else None


def _index_for(filters: Sequence[str]) -> str:
    """SQLite would take the primary key and walk it."""
    return next((f" INDEXED BY ledger_{name}" for name in ("subject", "symbol") if name in filters), "")


def read_ledger(connection: sqlite3.Connection, window_id: str, query: LedgerQuery) -> LedgerPage:
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
        sequence = read_window(connection, window_id).sequence
        rows = connection.execute(statement, values).fetchall()
    finally:
        connection.execute("COMMIT")
    return LedgerPage(entries=tuple(map(_entry, rows)), sequence=sequence)


@lru_cache(maxsize=4096)
def _config(text: str) -> WindowConfig:
    return WindowConfig.model_validate_json(text)


def window_row(window: Snapshot) -> tuple[Any, ...]:
    config = to_json(window.config.to_json())
    return (window.window_id, config, to_json(window.state), window.version, window.sequence)


def entry_row(window_id: str, entry: LedgerEntry) -> tuple[Any, ...]:
    instant = entry.instant.isoformat()
    data = to_json(entry.data)
    own = (window_id, entry.sequence, entry.id, entry.kind, instant, entry.trade_day, entry.symbol, entry.subject, data)
    return (*own, None, None, None, None)


def with_kept(row: tuple[Any, ...], key: IdempotencyKey, kept: KeptAnswer) -> tuple[Any, ...]:
    """An entry's row that keeps the answer to a key."""
    return (*row[:-4], key.endpoint, key.value, kept.fingerprint, kept.answer_json)


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
