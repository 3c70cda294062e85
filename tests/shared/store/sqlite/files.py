"""A look into the file from outside, and writes that wait for their transaction."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from shared.store.base import LedgerQuery
from shared.store.sqlite import SQLiteStore
from shared.window import Outcome, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.helpers import DEADLINE_SECONDS, INSTANT, in_thread, trade

ALL = LedgerQuery(limit=10_000)
TABLES = {"windows", "ledger", "paper_accounts", "paper_orders", "bots"}
FAST = 0.05
"""A busy timeout, in seconds, for tests in which the file stays locked."""

OpenStore = Callable[..., SQLiteStore]


def asked(path: Path, question: str) -> list[Any]:
    """What the file says to somebody else, row by row."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def tables(path: Path) -> set[str]:
    return {name for (name,) in asked(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def ids_of(store: SQLiteStore) -> list[str]:
    return [entry.id for entry in store.ledger("w", ALL).entries]


@contextmanager
def held_writer(store: SQLiteStore) -> Iterator[None]:
    """Holds the store's writer inside a transaction, so that what is handed over meanwhile goes into the next."""
    entered, released = threading.Event(), threading.Event()

    def hold(config: WindowConfig, state: WindowState, _instant: object) -> Outcome[None]:
        entered.set()
        assert released.wait(DEADLINE_SECONDS)
        return Outcome(config, state, (), None)

    holding = in_thread(store.apply, "w", hold, instant=INSTANT)
    assert entered.wait(DEADLINE_SECONDS)
    try:
        yield
    finally:
        released.set()
    holding.result(DEADLINE_SECONDS)


async def hand_over(store: SQLiteStore, *ids: str) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(store.apply_async("w", trade(entry_id), instant=INSTANT)) for entry_id in ids]
    await asyncio.sleep(0)
    return tasks


async def finished(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await asyncio.gather(*tasks, return_exceptions=True)
