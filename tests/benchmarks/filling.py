"""State files with as many windows and ledger rows as asked, written by SQL: through the API it would take minutes."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from shared.store.base import to_json
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID, NEW_STATE
from shared.window_config import MAX_TRADES_PER_DAY, WindowConfig

RARE_SYMBOL = "RARE-USD"
"""The symbol of the oldest trade alone; one in twenty of the others, on each day, has the common one."""

COMMON_SYMBOL = "COIN2-USD"
FIRST_DAY = "2020-01-01"

_CONFIG = WindowConfig(max_trades_per_day=MAX_TRADES_PER_DAY).model_dump_json()
_STATE = to_json(NEW_STATE)

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
_OTHER_WINDOWS = f"""
    {_NUMBERS}
    INSERT INTO windows (window_id, config, state, version, sequence)
    SELECT printf('bot-%07d', n), :config, :state, 1, 0 FROM numbers
"""
_LEDGER = f"""
    {_NUMBERS}, trades(n, id, day, symbol) AS (
        SELECT n, printf('01890000-0000-7000-8000-%012x', n), date(:first_day, (n / 1000) || ' days'),
               iif(n = 1, :rare, printf('COIN%d-USD', n % 20))
        FROM numbers
    )
    INSERT INTO ledger (window_id, sequence, id, kind, instant, trade_day, symbol, data)
    SELECT :window_id, n, id, 'trade', day || 'T12:00:00+00:00', day, symbol,
           json_object('id', id, 'symbol', symbol, 'side', 'buy', 'quantity', '0.50', 'price', '64250.10',
                       'strategy', 'rsi', 'executed_at', day || 'T12:00:00.000000Z', 'trade_day', day)
    FROM trades
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filling:
    """How much a state file holds when a round begins: the default window has all the rows."""

    windows: int = 1
    ledger_rows: int = 1


def fill(path: Path, filling: Filling) -> None:
    SQLiteStore(path).prepare()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO windows VALUES (?, ?, ?, 1, 0)", (DEFAULT_WINDOW_ID, _CONFIG, _STATE))
        if filling.windows > 1:
            others = {"count": filling.windows - 1, "config": _CONFIG, "state": _STATE}
            connection.execute(_OTHER_WINDOWS, others)
        rows = {
            "count": filling.ledger_rows,
            "window_id": DEFAULT_WINDOW_ID,
            "rare": RARE_SYMBOL,
            "first_day": FIRST_DAY,
        }
        connection.execute(_LEDGER, rows)
    reset(path, filling)


def reset(path: Path, filling: Filling) -> None:
    """Takes the trades of a round out again; nobody else may have the file open."""
    with closing(sqlite3.connect(path)) as connection:
        with connection:
            written = (DEFAULT_WINDOW_ID, filling.ledger_rows)
            connection.execute("DELETE FROM ledger WHERE window_id = ? AND sequence > ?", written)
            state = (_STATE, filling.ledger_rows, DEFAULT_WINDOW_ID)
            connection.execute("UPDATE windows SET state = ?, sequence = ? WHERE window_id = ?", state)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def newest_sequence(path: Path) -> int:
    """How many ledger rows the default window has got so far."""
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT sequence FROM windows WHERE window_id = ?", (DEFAULT_WINDOW_ID,)).fetchone()
    return int(row[0])
