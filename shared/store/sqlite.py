"""The store in an SQLite file: the embedded default, shared by all the processes of one machine."""

import asyncio
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

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
from shared.store.group_commit import GroupCommit, Job
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

SCHEMA_REVISION = "0002"
"""The newest migration; a file that has it is used without loading the machinery of migrations."""

T = TypeVar("T")


class SQLiteStore:
    """A Store in one SQLite file (WAL, `synchronous=FULL`).

    Reads run inline, a few microseconds each, on connections of their own. Writes of one process go through one
    writer thread, many to a commit. Nothing is open before the first use, and a forked child opens its own.
    """

    def __init__(
        self, path: Path | str, *, busy_timeout_seconds: float = 5.0, max_waiting_writes: int = 10_000
    ) -> None:
        self.path = Path(path)
        self._busy_timeout_seconds = busy_timeout_seconds
        self._max_waiting_writes = max_waiting_writes
        self._opening = threading.Lock()
        self._process: _Process | None = None
        self._of_parents: list[_Process] = []

    def prepare(self) -> None:
        """Makes the folder and the newest schema where they are missing, and leaves nothing open.

        Raises StoreUnavailable with a sentence for the operator.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnavailable(f"the folder of {self.path} can't be made: {exc.strerror}") from exc
        revision, journal_mode = _translated(self._condition)
        # A copy that was made with VACUUM INTO has the schema, but not the mode.
        if revision != SCHEMA_REVISION or journal_mode != "wal":
            from shared.store.migrate import migrate  # noqa: PLC0415 - half a second and 40 MB, once in a file's life

            migrate(self.path, current=revision)

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        return self._opened().writer.run(lambda batch: batch.create(window_id, config))

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot:
        process = await self._opened_async()
        return await process.writer.run_async(lambda batch: batch.create(window_id, config))

    def window_ids(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return self._read(self._opened(), lambda connection: read_window_ids(connection, after, limit))

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        process = await self._opened_async()
        return self._read(process, lambda connection: read_window_ids(connection, after, limit))

    def snapshot(self, window_id: str) -> Snapshot:
        return self._read(self._opened(), lambda connection: read_window(connection, window_id))

    async def snapshot_async(self, window_id: str) -> Snapshot:
        process = await self._opened_async()
        return self._read(process, lambda connection: read_window(connection, window_id))

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        return self._read(self._opened(), lambda connection: read_ledger(connection, window_id, query))

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        process = await self._opened_async()
        return self._read(process, lambda connection: read_ledger(connection, window_id, query))

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
        return self._opened().writer.run(lambda batch: batch.apply(write))

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
        process = await self._opened_async()
        return await process.writer.run_async(lambda batch: batch.apply(write))

    def close(self) -> None:
        with self._opening:
            process = self._process
            if process is None or process.pid != os.getpid():
                return
            self._process = None
        process.close()

    async def _opened_async(self) -> "_Process":
        """To open may take a migration and its lock, which no event loop should wait for."""
        process = self._process
        if process is not None and process.pid == os.getpid():
            return process
        return await asyncio.to_thread(self._opened)

    def _opened(self) -> "_Process":
        process = self._process
        if process is not None and process.pid == os.getpid():
            return process
        with self._opening:
            process = self._process
            if process is not None and process.pid != os.getpid():
                # Closing an inherited connection would let go of the parent's file; it is kept and never used.
                self._of_parents.append(process)
                process = None
            if process is None:
                self.prepare()
                process = self._process = _Process(self._connect, max_waiting_writes=self._max_waiting_writes)
            return process

    def _read(self, process: "_Process", question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = process.readers.pop()
        except IndexError:
            connection = _translated(self._connect)
        try:
            answer = _translated(question, connection)
        except UnknownWindow:
            process.give_back(connection)
            raise
        except BaseException:
            # A connection that failed is not used again.
            connection.close()
            raise
        process.give_back(connection)
        return answer

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _condition(self) -> tuple[str | None, str]:
        """The file's schema revision and journal mode."""
        connection = self._connect()
        try:
            journal_mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if found else None
            return str(row[0]) if row else None, journal_mode
        finally:
            connection.close()


class _Process:
    """What one process holds open on the file."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, max_waiting_writes: int) -> None:
        self.pid = os.getpid()
        self.readers: deque[sqlite3.Connection] = deque()
        self.writer: GroupCommit[_Batch] = GroupCommit(self._commit, max_waiting=max_waiting_writes)
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    def close(self) -> None:
        self.writer.close()
        if self._connection is not None:
            self._connection.close()
        self._closed = True
        self._close_readers()

    def give_back(self, connection: sqlite3.Connection) -> None:
        self.readers.append(connection)
        if self._closed:  # the read outlasted the closing
            self._close_readers()

    def _close_readers(self) -> None:
        with suppress(IndexError):
            while True:
                self.readers.pop().close()

    def _commit(self, jobs: Sequence[Job["_Batch", Any]]) -> None:
        try:
            _translated(self._transact, jobs)
        except Exception as exc:
            # What one job brought must not fail the others; trouble with the file fails all alike.
            if len(jobs) == 1 or isinstance(exc.__cause__, sqlite3.OperationalError):
                raise
            for job in jobs:
                job.error = None
                try:
                    _translated(self._transact, [job])
                except Exception as own:
                    if isinstance(own.__cause__, sqlite3.OperationalError):
                        raise
                    job.error = own

    def _transact(self, jobs: Sequence[Job["_Batch", Any]]) -> None:
        connection = self._connection = self._connection or self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            batch = _Batch(connection)
            for job in jobs:
                try:
                    job.result = job.work(batch)
                except sqlite3.Error:
                    raise
                except BaseException as exc:  # also what ends a thread: this one belongs to all callers
                    job.error = exc
            batch.write()
            connection.execute("COMMIT")
        except BaseException:
            # Closing rolls back, and a file that failed once is opened anew.
            self._connection = None
            connection.close()
            raise


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


def _translated(call: Callable[..., T], *arguments: Any) -> T:
    """The one place where the driver's errors become ours."""
    try:
        return call(*arguments)
    except sqlite3.Error as exc:
        raise StoreUnavailable(str(exc)) from exc
