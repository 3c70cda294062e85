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
    reduces: bool = False


class Books(NamedTuple):
    """The default window: its ledger, and what its row says about it."""

    rows: list[Row]
    sequence: int
    trade_day: str | None
    trades_today: int
    orders_out: int
    """How many of the day's slots are held by permits without an end."""


def read_books(path: Path) -> Books:
    with closing(_opened(path)) as connection:
        connection.execute("BEGIN")
        rows = connection.execute(
            "SELECT sequence, id, kind, trade_day, key_value, coalesce(json_extract(data, '$.reduces'), 0) FROM ledger "
            "WHERE window_id = 'default' ORDER BY sequence"
        ).fetchall()
        sequence, text = connection.execute(
            "SELECT sequence, state FROM windows WHERE window_id = 'default'"
        ).fetchone()
    state = json.loads(text)
    permits = state.get("permits", {}).values()
    out = sum(not permit["reduces"] and permit["trade_day"] == state["trade_day"] for permit in permits)
    return Books([Row(*row) for row in rows], sequence, state["trade_day"], state["trades_today"], out)


def read_orders(path: Path) -> dict[str, str]:
    """The status of each order of the paper broker, by its client order id."""
    with closing(_opened(path)) as connection:
        return dict(connection.execute("SELECT client_order_id, status FROM paper_orders ORDER BY number").fetchall())


def read_trades_of_orders(path: Path) -> list[tuple[str, str]]:
    """The client order id and the trade's id of each permit that was confirmed."""
    with closing(_opened(path)) as connection:
        return connection.execute(
            "SELECT json_extract(data, '$.client_order_id'), json_extract(data, '$.trade_id') FROM ledger "
            "WHERE kind = 'permit' AND json_extract(data, '$.status') = 'confirmed' ORDER BY sequence"
        ).fetchall()


def check_orders(path: Path) -> None:
    """Each order that was filled has one trade, and each trade of an order is in the ledger."""
    trades = read_trades_of_orders(path)
    filled = {name for name, status in read_orders(path).items() if status == "filled"}
    assert sorted(name for name, _ in trades) == sorted(filled)
    assert {trade for _, trade in trades} <= {row.id for row in read_books(path).rows if row.kind == "trade"}


def read_everything(path: Path) -> list[Any]:
    """All rows of windows and ledger, to see whether anything has changed."""
    with closing(_opened(path)) as connection:
        windows = connection.execute("SELECT * FROM windows ORDER BY window_id").fetchall()
        ledger = connection.execute("SELECT * FROM ledger ORDER BY window_id, sequence").fetchall()
    return windows + ledger


def check_books(books: Books) -> None:
    """What holds of any ledger: no gap, no id and no key twice, and the day's count is that of its trades and of the
    orders that are out; what reduces isn't counted."""
    assert [row.sequence for row in books.rows] == list(range(1, len(books.rows) + 1))
    assert books.sequence == len(books.rows)
    assert len({row.id for row in books.rows}) == len(books.rows)
    keys = [row.key for row in books.rows if row.key is not None]
    assert len(set(keys)) == len(keys)
    trades = [row for row in books.rows if row.kind == "trade" and row.trade_day == books.trade_day]
    assert books.trades_today == sum(not row.reduces for row in trades) + books.orders_out


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=10)
