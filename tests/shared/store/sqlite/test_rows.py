"""What lies in the file's rows, for people to read."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import StoreUnavailable
from shared.store.sqlite import SQLiteStore
from shared.window import Entry, LedgerEntry
from shared.window_config import WindowConfig
from tests.shared.store.helpers import INSTANT, key, permit_of, reserved, trade, with_outcome
from tests.shared.store.sqlite.files import ALL, asked


def test_an_entry_is_kept_in_columns_that_people_can_read(store: SQLiteStore) -> None:
    entry = Entry(
        id="a", kind="note", data={"price": "1.50"}, trade_day="2025-03-03", symbol="BTC-USD", subject="permit-1"
    )
    store.apply("w", with_outcome(entry, answer={"ok": True}), instant=INSTANT, key=key())
    assert asked(store.path, "SELECT * FROM ledger") == [
        (
            "w",
            1,
            "a",
            "note",
            "2025-03-03T12:30:15.123456+00:00",
            "2025-03-03",
            "BTC-USD",
            '{"price":"1.50"}',
            "POST /trades",
            "key-1",
            "body-1",
            '{"ok":true}',
            "permit-1",
        )
    ]
    assert asked(store.path, "SELECT * FROM windows") == [
        (
            "w",
            '{"start_hour":9,"end_hour":17,"max_trades_per_day":5,"timezone":"Europe/Stockholm"}',
            '{"trade_day":null,"trades_today":0,"halt":null}',
            1,
            1,
        )
    ]
    [found] = store.ledger("w", ALL).entries
    assert found == LedgerEntry(
        sequence=1,
        id="a",
        kind="note",
        instant=INSTANT,
        data={"price": "1.50"},
        trade_day="2025-03-03",
        symbol="BTC-USD",
        subject="permit-1",
    )


def test_a_keys_answer_lies_in_the_row_of_the_transitions_own_entry(store: SQLiteStore) -> None:
    store.apply("w", reserved(permit_of("p-1"), permit_of("p-2")), instant=INSTANT - timedelta(minutes=1))
    store.apply("w", trade("t"), instant=INSTANT, key=key())
    assert asked(store.path, "SELECT sequence, id, key_value, key_answer FROM ledger ORDER BY sequence") == [
        (1, "p-1-expired", None, None),
        (2, "p-2-expired", None, None),
        (3, "t", "key-1", '{"trades_today":1}'),
    ]


def test_a_stored_config_that_is_not_understood_is_said_to_be_so(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "w.sqlite3")
    store.create("w", WindowConfig())
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("""UPDATE windows SET config = '{"timezone": "Mars/Olympus_Mons"}'""")

    with pytest.raises(StoreUnavailable, match="the window 'w' holds what this version doesn't understand"):
        store.snapshot("w")
    store.close()
