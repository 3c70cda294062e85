"""Connections and threads: what they are set to, and that none is left open."""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shared.errors import UnknownWindow
from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import DEADLINE_SECONDS, INSTANT, in_thread, trade
from tests.shared.store.sqlite.files import ALL, OpenStore, finished, hand_over, held_writer


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Every connection that is opened from now on."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def noting_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", noting_connect)
    return made


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_every_connection_writes_ahead_and_waits_for_the_disk(
    store: SQLiteStore, connections: list[sqlite3.Connection]
) -> None:
    store.close()
    store.apply("w", trade(), instant=INSTANT)
    store.snapshot("w")
    in_use = [connection for connection in connections if is_open(connection)]
    assert len(in_use) == 2
    for connection in in_use:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    store.close()
    assert not any(map(is_open, connections))


def test_preparing_leaves_nothing_open(open_store: OpenStore, connections: list[sqlite3.Connection]) -> None:
    threads = threading.active_count()
    store = open_store()
    store.prepare()
    store.prepare()
    assert connections
    assert not any(map(is_open, connections))
    assert threading.active_count() <= threads


def test_a_question_about_an_unknown_window_costs_no_connection(
    store: SQLiteStore, connections: list[sqlite3.Connection]
) -> None:
    for _ in range(5):
        with pytest.raises(UnknownWindow):
            store.snapshot("unknown")
        with pytest.raises(UnknownWindow):
            store.ledger("unknown", ALL)
    assert len(connections) <= 1


async def test_what_waits_is_one_transaction(store: SQLiteStore, connections: list[sqlite3.Connection]) -> None:
    store.close()
    statements: list[str] = []
    store.apply("w", trade("first"), instant=INSTANT)
    for connection in filter(is_open, connections):
        connection.set_trace_callback(statements.append)
    with held_writer(store):
        tasks = await hand_over(store, *[f"trade-{number}" for number in range(60)])
    await finished(tasks)
    assert [statement for statement in statements if not statement.lstrip().startswith(("SELECT", "INSERT"))] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    assert store.ledger("w", ALL).sequence == 61


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_threads_that_come_and_go_leave_no_files_open(store: SQLiteStore) -> None:
    def open_files() -> int:
        count = 0
        for link in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the listing itself was open, too
                count += str(link.readlink()).startswith(str(store.path))
        return count

    def use(number: int) -> None:
        store.snapshot("w")
        store.ledger("w", ALL)
        store.apply("w", trade(str(number)), instant=INSTANT)
        with pytest.raises(UnknownWindow):
            store.snapshot("unknown")

    in_thread(use, 0).result(DEADLINE_SECONDS)
    after_one = open_files()
    for number in range(1, 30):
        in_thread(use, number).result(DEADLINE_SECONDS)
    assert open_files() == after_one

    for _ in range(4):
        for thread in [in_thread(use, number) for number in range(8)]:
            thread.result(DEADLINE_SECONDS)
    assert open_files() <= after_one + 8 * 2  # a reader has the file and its log open
    store.close()
    assert open_files() == 0
