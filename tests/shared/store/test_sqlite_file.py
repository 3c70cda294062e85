"""What callers are told when the transaction that holds all their writes fails."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from shared.errors import StoreUnavailable
from shared.store.sqlite_file import SQLiteFile
from tests.shared.store.helpers import DEADLINE_SECONDS


class Rows:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def add(self, name: str) -> str:
        self.connection.execute("INSERT INTO bots (bot_id, version, desired) VALUES (?, 1, 'stopped')", (name,))
        return name

    def write(self) -> None:
        pass


def names(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT bot_id FROM bots ORDER BY bot_id")]


def test_what_is_committed_is_not_told_to_have_failed_by_what_comes_after_it(state_file: Path) -> None:
    """One write breaks the transaction of three; then each is tried alone, and the disk is full from the second on."""
    handed_over, errors = threading.Event(), [sqlite3.IntegrityError("no"), sqlite3.OperationalError("disk is full")]

    def holds_the_others_up(_rows: Rows) -> None:
        handed_over.wait(DEADLINE_SECONDS)

    def fails(_rows: Rows) -> Any:
        raise errors.pop(0)

    async def write(file: SQLiteFile[Rows]) -> list[Any]:
        works = [holds_the_others_up, lambda rows: rows.add("one"), fails, lambda rows: rows.add("three")]
        writing = [asyncio.create_task(file.write_async(work)) for work in works]
        await asyncio.sleep(0)
        handed_over.set()
        return await asyncio.gather(*writing, return_exceptions=True)

    with closing(SQLiteFile(state_file, batch=Rows, busy_timeout_seconds=1.0, max_waiting_writes=10)) as file:
        assert file.read(names) == []
        _, one, two, three = asyncio.run(write(file))
        assert file.read(names) == ["one"]
    assert one == "one"
    assert [type(each) for each in (two, three)] == [StoreUnavailable, StoreUnavailable]
    assert "disk is full" in str(two)
