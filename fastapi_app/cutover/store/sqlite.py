"""The cutover's store in an SQLite file of its own, shared by all the processes of one machine."""

import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store import sqlite_rows as rows
from fastapi_app.cutover.store.base import Change, CountKey, Forgotten, ModeTable
from fastapi_app.cutover.store.rules import changing, forgetting, registering, surplus
from fastapi_app.cutover.store.sqlite_file import OpenFile, connect, keep_to_owner
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode

SCHEMA_REVISION = "cutover_0001"
"""The newest migration; a file that has it is used without loading the machinery of migrations."""

SCRIPTS = "fastapi_app.cutover.store:migrations"

T = TypeVar("T")

_MAX_ID = 2**63 - 1


class SQLiteCutoverStore:
    """A CutoverStore in one SQLite file (WAL, `synchronous=FULL`), which only its owner may read. One that others have
    rights to becomes its owner's alone when its owner opens it, unless `only_existing`; somebody else's stays as it is.

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
        self.openings = 0
        self._only_existing = only_existing
        self._busy_timeout_seconds = busy_timeout_seconds
        self._kept_mismatches = kept_mismatches
        self._opening = threading.Lock()
        self._file: OpenFile | None = None
        self._of_parents: list[OpenFile] = []
        self._was_used = False
        self._had_table = False

    def register(
        self, endpoints: Sequence[Endpoint], initial: Mapping[str, EndpointMode], *, at: datetime
    ) -> ModeTable:
        def work(connection: sqlite3.Connection) -> ModeTable:
            inventory, table = rows.read_endpoints(connection), rows.read_table(connection)
            step = registering(table, endpoints, initial, at=at)
            if step.table.version != table.version or inventory != [*endpoints]:
                rows.put_endpoints(connection, endpoints, step)
            return step.table

        return self._known(self._written(work, makes_file=True))

    def endpoints(self) -> Sequence[Endpoint]:
        return self._read(rows.read_endpoints)

    def known_endpoints(self) -> Sequence[Endpoint]:
        return self._read(rows.read_known_endpoints)

    def table(self) -> ModeTable:
        return self._known(self._read(rows.read_table))

    def version(self) -> int:
        version = self._read(rows.read_version)
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
            table = rows.read_table(connection)
            step = changing(
                table,
                rows.read_endpoints(connection),
                changes,
                author=author,
                reason=reason,
                at=at,
                version=version,
            )
            if step.log:
                rows.put_modes(connection, step)
            return step.table

        return self._known(self._written(work))

    def log(self, *, limit: int = 50, endpoint: str | None = None) -> Sequence[Change]:
        return self._read(lambda connection: rows.read_log(connection, limit=limit, endpoint=endpoint))

    def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        new = [rows.mismatch_row(mismatch) for mismatch in mismatches]

        def work(connection: sqlite3.Connection) -> Sequence[int]:
            rows.add_counts(connection, counts)
            ids = [rows.add_mismatch(connection, row) for row in new]
            if ids:
                rows.delete_mismatches(connection, surplus(rows.read_groups(connection), self._kept_mismatches))
            return ids

        return self._written(work)

    def counts(self) -> Mapping[CountKey, int]:
        return self._read(rows.read_counts)

    def forget(
        self, endpoints: Collection[str] | None, *, author: str, reason: str, at: datetime
    ) -> Sequence[Forgotten]:
        def work(connection: sqlite3.Connection) -> Sequence[Forgotten]:
            step = forgetting(
                rows.read_table(connection),
                endpoints,
                rows.read_counts(connection),
                rows.read_groups(connection),
                author=author,
                reason=reason,
                at=at,
            )
            rows.delete_evidence(connection, [each.endpoint for each in step.forgotten])
            rows.add_log(connection, step.log)
            return step.forgotten

        return self._written(work)

    def mismatches(self, *, limit: int = 20, endpoint: str | None = None) -> Sequence[Mismatch]:
        return self._read(lambda connection: rows.read_mismatches(connection, limit=limit, endpoint=endpoint))

    def mismatch(self, mismatch_id: int) -> Mismatch | None:
        if not 0 < mismatch_id <= _MAX_ID:
            return None
        return self._read(lambda connection: rows.read_mismatch(connection, mismatch_id))

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
        return replace(table, modes=MappingProxyType(dict(table.modes)))

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
    def _connection(self, *, makes_file: bool = False) -> Iterator[tuple[OpenFile, sqlite3.Connection]]:
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

    def _opened(self, *, makes_file: bool) -> OpenFile:
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
                file = self._file = OpenFile(self.path, busy_timeout_seconds=self._busy_timeout_seconds)
                self._was_used = True
                self.openings += 1
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
        if not self._only_existing:
            # Last: what is refused is left as it was.
            keep_to_owner(self.path)

    def _condition(self) -> tuple[str | None, bool, str]:
        """The file's schema revision, whether nothing at all is in it, and its journal mode."""
        with closing(connect(self.path, self._busy_timeout_seconds)) as connection:
            journal_mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            # One question: another process may be making the tables.
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
            has_revision = "alembic_version" in names
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if has_revision else None
            return str(row[0]) if row else None, not names, journal_mode
