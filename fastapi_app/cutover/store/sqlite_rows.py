"""What the file holds, read and written on a connection. A row of another version raises StoreUnavailable."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.base import Change, CountKey, ModeTable
from fastapi_app.cutover.store.codec import decoded, encoded
from fastapi_app.cutover.store.rules import Group, Step
from shared.clock import aware
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode

_VERSION = "SELECT version FROM table_version"
_PUT_ENDPOINT = """
    REPLACE INTO endpoints (name, position, method, rule, legacy, native, notes, mode) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_CHANGE = """
    INSERT INTO changes (version, at, endpoint, before, after, author, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_LOG = """
    SELECT version, at, endpoint, before, after, author, reason FROM changes{where} ORDER BY id DESC LIMIT :limit
"""
_ADD_COUNT = """
    INSERT INTO counts (endpoint, mode, outcome, reason, count) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (endpoint, mode, outcome, reason) DO UPDATE SET count = count + excluded.count
"""
_TABLE = """
    SELECT version, name, mode,
        (SELECT version FROM changes WHERE endpoint = name AND before IS NOT after ORDER BY id DESC LIMIT 1)
    FROM table_version LEFT JOIN endpoints ORDER BY position < 0, position
"""
_ENDPOINTS = """
    SELECT method, rule, legacy, native, notes, position < 0 FROM endpoints ORDER BY position < 0, position, name
"""
_COUNTS = "SELECT endpoint, mode, outcome, reason, count FROM counts"
_ADD_MISMATCH = "INSERT INTO mismatches (at, endpoint, mode, detail) VALUES (?, ?, ?, ?)"
_MISMATCHES = "SELECT id, detail FROM mismatches{where} ORDER BY id DESC LIMIT :limit"
_OF_ENDPOINT = " WHERE endpoint = :endpoint"

# Modes


def read_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute(_VERSION).fetchone()[0]
    return version


def read_table(connection: sqlite3.Connection) -> ModeTable:
    rows = connection.execute(_TABLE).fetchall()
    with _understood("the table of modes"):
        modes = {name: EndpointMode.model_validate_json(mode) for _, name, mode, _ in rows if name is not None}
    return ModeTable(rows[0][0], modes, {name: since for _, name, _, since in rows if name is not None})


def read_endpoints(connection: sqlite3.Connection) -> Sequence[Endpoint]:
    return [endpoint for endpoint in read_known_endpoints(connection) if not endpoint.is_gone]


def read_known_endpoints(connection: sqlite3.Connection) -> Sequence[Endpoint]:
    rows = connection.execute(_ENDPOINTS).fetchall()
    with _understood("the inventory"):
        return [
            Endpoint(
                method=method,
                rule=rule,
                legacy=bool(legacy),
                native=bool(native),
                notes=tuple(json.loads(notes)),
                is_gone=bool(is_gone),
            )
            for method, rule, legacy, native, notes, is_gone in rows
        ]


def put_endpoints(connection: sqlite3.Connection, endpoints: Sequence[Endpoint], step: Step) -> None:
    """Those that are known and no more there keep their modes, without a position."""
    rows = [
        _endpoint_row(position, endpoint, step.table.modes[endpoint.name])
        for position, endpoint in enumerate(endpoints)
    ]
    connection.execute("UPDATE endpoints SET position = -1")
    connection.executemany(_PUT_ENDPOINT, rows)
    _put_log(connection, step)


def put_modes(connection: sqlite3.Connection, step: Step) -> None:
    rows = [(change.after.model_dump_json(), change.endpoint) for change in step.log]
    connection.executemany("UPDATE endpoints SET mode = ? WHERE name = ?", rows)
    _put_log(connection, step)


def read_log(connection: sqlite3.Connection, *, limit: int, endpoint: str | None) -> Sequence[Change]:
    return [_change(row) for row in _newest(connection, _LOG, limit, endpoint)]


def add_log(connection: sqlite3.Connection, changes: Iterable[Change]) -> None:
    connection.executemany(_ADD_CHANGE, [_change_row(change) for change in changes])


# Evidence


def mismatch_row(mismatch: Mismatch) -> tuple[Any, ...]:
    """Takes a while, for it is encoded: better made before the file is locked."""
    return (aware(mismatch.at).isoformat(), mismatch.endpoint, mismatch.mode.mode, encoded(mismatch))


def add_mismatch(connection: sqlite3.Connection, row: tuple[Any, ...]) -> int:
    return connection.execute(_ADD_MISMATCH, row).lastrowid or 0


def read_groups(connection: sqlite3.Connection) -> Iterable[tuple[int, Group]]:
    """By the ids of mismatches, oldest first."""
    rows = connection.execute("SELECT id, endpoint, mode FROM mismatches ORDER BY id").fetchall()
    return ((number, Group(*group)) for number, *group in rows)


def delete_mismatches(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    connection.executemany("DELETE FROM mismatches WHERE id = ?", [(number,) for number in ids])


def delete_evidence(connection: sqlite3.Connection, endpoints: Sequence[str]) -> None:
    names = [(name,) for name in endpoints]
    connection.executemany("DELETE FROM counts WHERE endpoint = ?", names)
    connection.executemany("DELETE FROM mismatches WHERE endpoint = ?", names)


def read_mismatches(connection: sqlite3.Connection, *, limit: int, endpoint: str | None) -> Sequence[Mismatch]:
    return [_mismatch(row) for row in _newest(connection, _MISMATCHES, limit, endpoint)]


def read_mismatch(connection: sqlite3.Connection, mismatch_id: int) -> Mismatch | None:
    row = connection.execute("SELECT id, detail FROM mismatches WHERE id = ?", (mismatch_id,)).fetchone()
    return _mismatch(row) if row else None


def add_counts(connection: sqlite3.Connection, counts: Mapping[CountKey, int]) -> None:
    connection.executemany(_ADD_COUNT, [(*key, count) for key, count in counts.items()])


def read_counts(connection: sqlite3.Connection) -> Mapping[CountKey, int]:
    return {CountKey(*key): count for *key, count in connection.execute(_COUNTS).fetchall()}


def _newest(connection: sqlite3.Connection, statement: str, limit: int, endpoint: str | None) -> list[Any]:
    where = _OF_ENDPOINT if endpoint is not None else ""
    return connection.execute(statement.format(where=where), {"limit": limit, "endpoint": endpoint}).fetchall()


def _put_log(connection: sqlite3.Connection, step: Step) -> None:
    connection.execute("UPDATE table_version SET version = ?", (step.table.version,))
    add_log(connection, step.log)


def _endpoint_row(position: int, endpoint: Endpoint, mode: EndpointMode) -> tuple[Any, ...]:
    notes = json.dumps(endpoint.notes)
    sides = (int(endpoint.legacy), int(endpoint.native))
    return (endpoint.name, position, endpoint.method, endpoint.rule, *sides, notes, mode.model_dump_json())


def _change_row(change: Change) -> tuple[Any, ...]:
    before = change.before.model_dump_json() if change.before is not None else None
    after = change.after.model_dump_json()
    return (change.version, change.at.isoformat(), change.endpoint, before, after, change.author, change.reason)


def _change(row: tuple[Any, ...]) -> Change:
    version, at, endpoint, before, after, author, reason = row
    with _understood("the log"):
        return Change(
            version=version,
            at=datetime.fromisoformat(at),
            endpoint=endpoint,
            before=EndpointMode.model_validate_json(before) if before is not None else None,
            after=EndpointMode.model_validate_json(after),
            author=author,
            reason=reason,
        )


def _mismatch(row: tuple[int, str]) -> Mismatch:
    with _understood(f"mismatch {row[0]}"):
        return decoded(*row)


@contextmanager
def _understood(what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, LookupError) as exc:
        reason = str(exc).splitlines()[0]
        raise StoreUnavailable(f"{what} holds what this version doesn't understand: {reason}") from exc
