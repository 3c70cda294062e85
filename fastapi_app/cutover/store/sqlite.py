"""The cutover's store in an SQLite file of its own, shared by all the processes of one machine."""

import json
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.inventory.endpoints import Endpoint
from fastapi_app.cutover.store.base import Change, CountKey, ModeTable
from fastapi_app.cutover.store.codec import decoded, encoded
from fastapi_app.cutover.store.rules import Group, Step, changing, registering, surplus
from shared.clock import aware
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode

SCHEMA_REVISION = "cutover_0001"
"""The newest migration; a file that has it is used without loading the machinery of migrations."""

SCRIPTS = "fastapi_app.cutover.store:migrations"

T = TypeVar("T")

_MAX_ID = 2**63 - 1

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
_TABLE = "SELECT version, name, mode FROM table_version LEFT JOIN endpoints ORDER BY position < 0, position"
_ENDPOINTS = "SELECT method, rule, legacy, native, notes FROM endpoints WHERE position >= 0 ORDER BY position"
_COUNTS = "SELECT endpoint, mode, outcome, reason, count FROM counts"
_MISMATCHES = "SELECT id, detail FROM mismatches{where} ORDER BY id DESC LIMIT :limit"
_OF_ENDPOINT = " WHERE endpoint = :endpoint"


class SQLiteCutoverStore:
    """A CutoverStore in one SQLite file (WAL, `synchronous=FULL`), which only its owner may read.

    Nothing is open before the first use, and a forked child opens its own. A file that is gone once it was used is made
    again by `register` alone: StoreUnavailable. One that was put in its place is used, unless it holds no table of
    modes. An SQLite file of something else is refused, and with `only_existing` a new one isn't made either.

    Of the mismatches `kept_mismatches` stay. Past that, the oldest of those goes that were seen on one endpoint in one
    mode, from whichever endpoint and mode have most: so a noisy endpoint pushes out its own and no others, and what
    took it out of its canary stays beside what its shadow finds later.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        busy_timeout_seconds: float = 1.0,
        kept_mismatches: int = 200,
        only_existing: bool = False,
    ) -> None:
        self.path = Path(path)
        self._only_existing = only_existing
        self._busy_timeout_seconds = busy_timeout_seconds
        self._kept_mismatches = kept_mismatches
        self._opening = threading.Lock()
        self._file: _File | None = None
        self._of_parents: list[_File] = []
        self._was_used = False
        self._had_table = False

    def register(
        self, endpoints: Sequence[Endpoint], initial: Mapping[str, EndpointMode], *, at: datetime
    ) -> ModeTable:
        def work(connection: sqlite3.Connection) -> ModeTable:
            inventory, table = _read_endpoints(connection), _read_table(connection)
            step = registering(table, endpoints, initial, at=at)
            if step.table.version != table.version or inventory != [*endpoints]:
                connection.execute("UPDATE endpoints SET position = -1")
                connection.executemany(
                    _PUT_ENDPOINT,
                    [
                        _endpoint_row(position, endpoint, step.table.modes[endpoint.name])
                        for position, endpoint in enumerate(endpoints)
                    ],
                )
                _write_log(connection, step)
            return step.table

        return self._known(self._written(work, makes_file=True))

    def endpoints(self) -> Sequence[Endpoint]:
        return self._read(_read_endpoints)

    def table(self) -> ModeTable:
        return self._known(self._read(_read_table))

    def version(self) -> int:
        version: int = self._read(lambda connection: connection.execute(_VERSION).fetchone()[0])
        self._refuse_empty(version)
        return version

    def change(
        self,
        changes: Mapping[str, EndpointMode],
        *,
        author: str,
        reason: str,
        at: datetime,
        version: int | None = None,
    ) -> ModeTable:
        def work(connection: sqlite3.Connection) -> ModeTable:
            table = _read_table(connection)
            step = changing(
                table,
                _read_endpoints(connection),
                changes,
                author=author,
                reason=reason,
                at=at,
                version=version,
            )
            if step.log:
                connection.executemany(
                    "UPDATE endpoints SET mode = ? WHERE name = ?",
                    [(change.after.model_dump_json(), change.endpoint) for change in step.log],
                )
                _write_log(connection, step)
            return step.table

        return self._known(self._written(work))

    def log(self, *, limit: int = 50, endpoint: str | None = None) -> Sequence[Change]:
        statement = _LOG.format(where=_OF_ENDPOINT if endpoint is not None else "")
        values = {"limit": limit, "endpoint": endpoint}
        return self._read(lambda connection: [_change(row) for row in connection.execute(statement, values).fetchall()])

    def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        count_rows = [(*key, count) for key, count in counts.items()]
        mismatch_rows = [(aware(one.at).isoformat(), one.endpoint, one.mode.mode, encoded(one)) for one in mismatches]

        def work(connection: sqlite3.Connection) -> Sequence[int]:
            connection.executemany(_ADD_COUNT, count_rows)
            ids = [_add_mismatch(connection, row) for row in mismatch_rows]
            if ids:
                groups = connection.execute("SELECT id, endpoint, mode FROM mismatches ORDER BY id").fetchall()
                over = surplus(((number, Group(*group)) for number, *group in groups), self._kept_mismatches)
                connection.executemany("DELETE FROM mismatches WHERE id = ?", [(number,) for number in over])
            return ids

        return self._written(work)

    def counts(self) -> Mapping[CountKey, int]:
        rows = self._read(lambda connection: connection.execute(_COUNTS).fetchall())
        return {CountKey(*key): count for *key, count in rows}

    def mismatches(self, *, limit: int = 20, endpoint: str | None = None) -> Sequence[Mismatch]:
        statement = _MISMATCHES.format(where=_OF_ENDPOINT if endpoint is not None else "")
        values = {"limit": limit, "endpoint": endpoint}
        return self._read(
            lambda connection: [_mismatch(row) for row in connection.execute(statement, values).fetchall()]
        )

    def mismatch(self, mismatch_id: int) -> Mismatch | None:
        if not 0 < mismatch_id <= _MAX_ID:
            return None

        def question(connection: sqlite3.Connection) -> Mismatch | None:
            row = connection.execute("SELECT id, detail FROM mismatches WHERE id = ?", (mismatch_id,)).fetchone()
            return _mismatch(row) if row else None

        return self._read(question)

    def close(self) -> None:
        """Lets go of the file. A closed store opens again when used."""
        with self._opening:
            file = self._file
            if file is not None and file.pid != os.getpid():
                return
            self._file = None
        if file is not None:
            file.close()

    def _known(self, table: ModeTable) -> ModeTable:
        self._refuse_empty(table.version)
        return ModeTable(table.version, MappingProxyType(dict(table.modes)))

    def _refuse_empty(self, version: int) -> None:
        """A new file put in an old one's place would take every endpoint its mode."""
        if version == 0 and self._had_table:
            raise StoreUnavailable(f"{self.path} was replaced, and holds no table of modes")
        self._had_table = version > 0

    def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Each question is one SELECT, so that what it reads belongs together."""
        with self._connection() as (_file, connection):
            return question(connection)

    def _written(self, work: Callable[[sqlite3.Connection], T], *, makes_file: bool = False) -> T:
        with self._connection(makes_file=makes_file) as (file, connection):
            connection.execute("BEGIN IMMEDIATE")
            answer = work(connection)
            file.refuse_changed()
            connection.execute("COMMIT")
            return answer

    @contextmanager
    def _connection(self, *, makes_file: bool = False) -> "Iterator[tuple[_File, sqlite3.Connection]]":
        """The one place where the driver's and the system's errors become ours."""
        try:
            file = self._opened(makes_file=makes_file)
            connection = file.take()
            try:
                yield file, connection
            except BaseException:
                # Closing rolls back, and a connection that failed is not used again.
                connection.close()
                raise
            file.give_back(connection)
        except sqlite3.Error as exc:
            raise StoreUnavailable(self._told(exc)) from exc
        except OSError as exc:
            raise StoreUnavailable(f"{self.path}: {exc.strerror}") from exc

    def _told(self, error: sqlite3.Error) -> str:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return f"{self.path} has been locked by another process for over {self._busy_timeout_seconds:g} s"
        return f"{self.path}: {error}"

    def _opened(self, *, makes_file: bool) -> "_File":
        file = self._file
        if file is not None and file.pid == os.getpid() and file.is_in_place():
            return file
        with self._opening:
            file = self._file
            if file is not None and file.pid != os.getpid():
                # Closing an inherited connection would let go of the parent's locks; it is kept and never used.
                self._of_parents.append(file)
                file = self._file = None
            if file is not None and not file.is_in_place():
                file.close()
                file = self._file = None
            if file is None:
                if self._was_used and not makes_file and not self.path.exists():
                    raise StoreUnavailable(f"{self.path} was deleted while it was in use")
                self._prepare()
                file = self._file = _File(self.path, busy_timeout_seconds=self._busy_timeout_seconds)
                self._was_used = True
            return file

    def _prepare(self) -> None:
        """Makes the folder, the file and the newest schema where they are missing."""
        if not self._only_existing:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                # Evidence may hold what customers sent.
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        revision, is_empty, journal_mode = self._condition()
        if revision is None and (self._only_existing or not is_empty):
            raise StoreUnavailable(f"{self.path} is not a cutover's state file")
        if revision != SCHEMA_REVISION or journal_mode != "wal":
            from shared.store.migrate import migrate  # noqa: PLC0415 - half a second and 40 MB, once in a file's life

            migrate(self.path, current=revision, scripts=SCRIPTS)

    def _condition(self) -> tuple[str | None, bool, str]:
        """The file's schema revision, whether nothing at all is in it, and its journal mode."""
        with closing(_connect(self.path, self._busy_timeout_seconds)) as connection:
            journal_mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            # One question: another process may be making the tables.
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
            has_revision = "alembic_version" in names
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if has_revision else None
            return str(row[0]) if row else None, not names, journal_mode


class _File:
    """What one process holds open on one file; another file in its place is not this one."""

    def __init__(self, path: Path, *, busy_timeout_seconds: float) -> None:
        self.pid = os.getpid()
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._identity = self._found()
        self._free: deque[sqlite3.Connection] = deque()
        self._closed = False

    def take(self) -> sqlite3.Connection:
        with suppress(IndexError):
            return self._free.pop()
        connection = _connect(self._path, self._busy_timeout_seconds)
        try:
            connection.execute(_VERSION).fetchone()
            self.refuse_changed()
        except BaseException:
            connection.close()
            raise
        return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        self._free.append(connection)
        if self._closed:  # its use outlasted the closing
            self.close()

    def is_in_place(self) -> bool:
        return self._identity is not None and self._found() == self._identity

    def refuse_changed(self) -> None:
        if not self.is_in_place():
            raise StoreUnavailable(f"{self._path} was deleted or replaced while it was in use")

    def close(self) -> None:
        self._closed = True
        with suppress(IndexError):
            while True:
                self._free.pop().close()

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def _connect(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
    """Never makes a file: that would have the rights of any other."""
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path.absolute()))}?mode=rw",
        uri=True,
        timeout=busy_timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _understood(what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, LookupError) as exc:
        reason = str(exc).splitlines()[0]
        raise StoreUnavailable(f"{what} holds what this version doesn't understand: {reason}") from exc


def _read_table(connection: sqlite3.Connection) -> ModeTable:
    rows = connection.execute(_TABLE).fetchall()
    with _understood("the table of modes"):
        modes = {name: EndpointMode.model_validate_json(mode) for _, name, mode in rows if name is not None}
    return ModeTable(rows[0][0], modes)


def _read_endpoints(connection: sqlite3.Connection) -> Sequence[Endpoint]:
    rows = connection.execute(_ENDPOINTS).fetchall()
    with _understood("the inventory"):
        return [
            Endpoint(method=method, rule=rule, legacy=bool(legacy), native=bool(native), notes=tuple(json.loads(notes)))
            for method, rule, legacy, native, notes in rows
        ]


def _endpoint_row(position: int, endpoint: Endpoint, mode: EndpointMode) -> tuple[Any, ...]:
    notes = json.dumps(endpoint.notes)
    sides = (int(endpoint.legacy), int(endpoint.native))
    return (endpoint.name, position, endpoint.method, endpoint.rule, *sides, notes, mode.model_dump_json())


def _write_log(connection: sqlite3.Connection, step: Step) -> None:
    connection.execute("UPDATE table_version SET version = ?", (step.table.version,))
    connection.executemany(_ADD_CHANGE, [_change_row(change) for change in step.log])


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


def _add_mismatch(connection: sqlite3.Connection, row: tuple[Any, ...]) -> int:
    statement = "INSERT INTO mismatches (at, endpoint, mode, detail) VALUES (?, ?, ?, ?)"
    return connection.execute(statement, row).lastrowid or 0


def _mismatch(row: tuple[int, str]) -> Mismatch:
    with _understood(f"mismatch {row[0]}"):
        return decoded(*row)
