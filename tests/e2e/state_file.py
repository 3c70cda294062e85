"""The state as it lies in the file, read with nothing but sqlite3."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple


class Row(NamedTuple):
    """An entry of the ledger; a trade and a day that turns have a trade day, a change of the config has none."""

    sequence: int
    id: str
    kind: str
    trade_day: str | None
    key: str | None


class Books(NamedTuple):
    """The default window: its ledger, and what its row says about it."""

    rows: list[Row]
    sequence: int
    trade_day: str | None
    trades_today: int


def read_books(path: Path) -> Books:
    with closing(_opened(path)) as connection:
        connection.execute("BEGIN")
        rows = connection.execute(
            "SELECT sequence, id, kind, trade_day, key_value FROM ledger WHERE window_id = 'default' ORDER BY sequence"
        ).fetchall()
        sequence, text = connection.execute(
            "SELECT sequence, state FROM windows WHERE window_id = 'default'"
        ).fetchone()
    state = json.loads(text)
    return Books([Row(*row) for row in rows], sequence, state["trade_day"], state["trades_today"])


def read_everything(path: Path) -> list[Any]:
    """All rows of windows and ledger, to see whether anything has changed."""
    with closing(_opened(path)) as connection:
        windows = connection.execute("SELECT * FROM windows ORDER BY window_id").fetchall()
        ledger = connection.execute("SELECT * FROM ledger ORDER BY window_id, sequence").fetchall()
    return windows + ledger


def check_books(books: Books) -> None:
    """What holds of any ledger: no gap, no id and no key twice, and the day's count is that of its trades."""
    assert [row.sequence for row in books.rows] == list(range(1, len(books.rows) + 1))
    assert books.sequence == len(books.rows)
    assert len({row.id for row in books.rows}) == len(books.rows)
    keys = [row.key for row in books.rows if row.key is not None]
    assert len(set(keys)) == len(keys)
    assert books.trades_today == sum(row.kind == "trade" and row.trade_day == books.trade_day for row in books.rows)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=10)
