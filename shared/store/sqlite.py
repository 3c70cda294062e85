"""The store in an SQLite file: the embedded default, shared by all the processes of one machine."""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.errors import UnknownWindow
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
from shared.store.sqlite_rows import (
    entry_row,
    read_kept,
    read_ledger,
    read_window,
    read_window_ids,
    window_row,
    with_kept,
    write_rows,
)
from shared.window import NEW_STATE, AnswerT, Asking, Snapshot, Transition
from shared.window_config import WindowConfig


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
        return self._file.read(lambda connection: read_window_ids(connection, after, limit))

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return await self._file.read_async(lambda connection: read_window_ids(connection, after, limit))

    def snapshot(self, window_id: str) -> Snapshot:
        return self._file.read(lambda connection: read_window(connection, window_id))

    async def snapshot_async(self, window_id: str) -> Snapshot:
        return await self._file.read_async(lambda connection: read_window(connection, window_id))

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        return self._file.read(lambda connection: read_ledger(connection, window_id, query))

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        return await self._file.read_async(lambda connection: read_ledger(connection, window_id, query))

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
            self._changed[window_id] = window_row(new)
            self._windows[window_id] = new
            return new

    def apply(self, write: Write[AnswerT]) -> Applied[AnswerT]:
        key = write.key
        applied = carry_out(write, self._window(write.window_id), self._kept_answer(write.window_id, key))
        if applied.replayed:
            return applied
        rows = [entry_row(write.window_id, entry) for entry in applied.entries]
        changed = window_row(applied.after)
        if key is not None:
            kept = KeptAnswer(fingerprint=key.fingerprint, answer_json=to_json(applied.answer))
            own = applied.own_from
            rows[own] = with_kept(rows[own], key, kept)
            self._kept[write.window_id, key.endpoint, key.value] = kept
        # From here on nothing can fail, so that a job leaves all of its rows in the batch, or none.
        self._changed[write.window_id] = changed
        self._windows[write.window_id] = applied.after
        self._entries += rows
        return applied

    def write(self) -> None:
        write_rows(self._connection, self._changed.values(), self._entries)

    def _window(self, window_id: str) -> Snapshot:
        known = self._windows.get(window_id)
        if known is None:
            known = self._windows[window_id] = read_window(self._connection, window_id)
        return known

    def _kept_answer(self, window_id: str, key: IdempotencyKey | None) -> KeptAnswer | None:
        if key is None:
            return None
        place = (window_id, key.endpoint, key.value)
        if place in self._kept:
            return self._kept[place]
        return read_kept(self._connection, window_id, key)
