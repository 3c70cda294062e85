"""A file that several processes use, and that may be deleted or replaced while they do."""

import logging
import os
import sqlite3
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from fastapi_app.cutover.store.sqlite_rows import read_version
from shared.errors import StoreUnavailable

logger = logging.getLogger(__name__)


class OpenFile:
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
        connection = connect(self._path, self._busy_timeout_seconds)
        try:
            read_version(connection)
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


def keep_to_owner(path: Path) -> None:
    """Takes from others than its owner their rights to an SQLite file, and to what lies beside it. Made later, that has
    the rights of the file.

    By their paths: to open and close the file would let go of the locks of this process.
    """
    path = path.resolve()
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(FileNotFoundError):
            status = file.stat()
            rights = stat.S_IMODE(status.st_mode)
            if not rights & 0o077 or status.st_uid != os.geteuid():
                continue
            try:
                file.chmod(rights & 0o700)
            except PermissionError:
                # Some file systems have no rights to take.
                logger.warning("%s is open to others than its owner (its mode is %04o), and stays so", file, rights)
            else:
                logger.warning(
                    "%s was open to others than its owner (its mode was %04o), and is its owner's alone now",
                    file,
                    rights,
                )


def connect(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
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
