"""An SQLite file as one process uses it: opened late, read inline, written by one thread, on the newest schema."""

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from shared.errors import StoreUnavailable, TradingWindowError
from shared.store.group_commit import GroupCommit, Job

SCHEMA_REVISION = "0006"
"""The newest migration; a file that has it is used without loading the machinery of migrations."""

LOCK_POLL_SECONDS = 0.002
"""How often a write looks whether another process has let go of the file. SQLite's own wait looks every tenth of a
second: under load the others let go and take again in between, and a write may be refused in the end."""

T = TypeVar("T")


class Batch(Protocol):
    """The jobs of one transaction, on its connection."""

    def write(self) -> None:
        """Called once, after the last job and before the commit: writes what the jobs left for the end."""
        ...


BatchT = TypeVar("BatchT", bound=Batch)


class SQLiteFile(Generic[BatchT]):
    """One SQLite file (WAL, `synchronous=FULL`), shared by all the processes of one machine.

    Reads run inline, a few microseconds each, on connections of their own. Writes of one process go through one
    writer thread, many to a commit; `batch` makes what the jobs of one commit work with. Nothing is open before the
    first use, and a forked child opens its own.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        batch: Callable[[sqlite3.Connection], BatchT],
        busy_timeout_seconds: float,
        max_waiting_writes: int,
    ) -> None:
        self.path = Path(path)
        self._batch = batch
        self._busy_timeout_seconds = busy_timeout_seconds
        self._max_waiting_writes = max_waiting_writes
        self._opening = threading.Lock()
        self._process: _Process[BatchT] | None = None
        self._of_parents: list[_Process[BatchT]] = []

    def prepare(self) -> None:
        """Makes the folder and the newest schema where they are missing, and leaves nothing open.

        Raises StoreUnavailable with a sentence for the operator.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnavailable(f"the folder of {self.path} can't be made: {exc.strerror}") from exc
        revision, journal_mode = translated(self._condition)
        # A copy that was made with VACUUM INTO has the schema, but not the mode.
        if revision != SCHEMA_REVISION or journal_mode != "wal":
            from shared.store.migrate import migrate  # noqa: PLC0415 - half a second and 40 MB, once in a file's life

            migrate(self.path, current=revision)

    def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of `question`, which must leave its connection outside any transaction."""
        return self._read(self._opened(), question)

    async def read_async(self, question: Callable[[sqlite3.Connection], T]) -> T:
        return self._read(await self._opened_async(), question)

    def write(self, work: Callable[[BatchT], T]) -> T:
        """Blocks until the work is committed. Work that raises must have left nothing in the batch."""
        return self._opened().writer.run(work)

    async def write_async(self, work: Callable[[BatchT], T]) -> T:
        """As `write`, awaited. Once handed over, the work is done even when its caller is cancelled."""
        process = await self._opened_async()
        return await process.writer.run_async(work)

    def close(self) -> None:
        with self._opening:
            process = self._process
            if process is None or process.pid != os.getpid():
                return
            self._process = None
        process.close()

    async def _opened_async(self) -> "_Process[BatchT]":
        """To open may take a migration and its lock, which no event loop should wait for."""
        process = self._process
        if process is not None and process.pid == os.getpid():
            return process
        return await asyncio.to_thread(self._opened)

    def _opened(self) -> "_Process[BatchT]":
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
                process = self._process = _Process(
                    self._connect,
                    self._batch,
                    busy_timeout_seconds=self._busy_timeout_seconds,
                    max_waiting_writes=self._max_waiting_writes,
                )
            return process

    def _read(self, process: "_Process[BatchT]", question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = process.readers.pop()
        except IndexError:
            connection = translated(self._connect)
        try:
            answer = translated(question, connection)
        except BaseException as exc:
            if isinstance(exc, TradingWindowError) and not isinstance(exc, StoreUnavailable):
                process.give_back(connection)
            else:  # a connection that failed is not used again
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


class _Process(Generic[BatchT]):
    """What one process holds open on the file."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        batch: Callable[[sqlite3.Connection], BatchT],
        *,
        busy_timeout_seconds: float,
        max_waiting_writes: int,
    ) -> None:
        self.pid = os.getpid()
        self.readers: deque[sqlite3.Connection] = deque()
        self.writer: GroupCommit[BatchT] = GroupCommit(self._commit, max_waiting=max_waiting_writes)
        self._connect = connect
        self._batch = batch
        self._busy_timeout_seconds = busy_timeout_seconds
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

    def _commit(self, jobs: Sequence[Job[BatchT, Any]]) -> None:
        try:
            translated(self._transact, jobs)
        except Exception as exc:
            # What one job brought must not fail the others; trouble with the file fails all alike.
            if len(jobs) == 1 or isinstance(exc.__cause__, sqlite3.OperationalError):
                raise
            for place, job in enumerate(jobs):
                job.error = None
                try:
                    translated(self._transact, [job])
                except Exception as own:
                    job.error = own
                    if isinstance(own.__cause__, sqlite3.OperationalError):
                        for later in jobs[place + 1 :]:
                            later.error = own
                        return  # those before it are committed

    def _transact(self, jobs: Sequence[Job[BatchT, Any]]) -> None:
        connection = self._connection = self._connection or self._writing_connection()
        try:
            self._begin(connection)
            batch = self._batch(connection)
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

    def _writing_connection(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA busy_timeout = 0")  # `_begin` waits
        return connection

    def _begin(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
            else:
                return
            time.sleep(LOCK_POLL_SECONDS)


def translated(call: Callable[..., T], *arguments: Any) -> T:
    """The one place where the driver's errors become ours."""
    try:
        return call(*arguments)
    except sqlite3.Error as exc:
        raise StoreUnavailable(str(exc)) from exc
