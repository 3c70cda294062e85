from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import InvalidField
from shared.window import NEW_STATE, LedgerEntry, Snapshot
from shared.window_config import WindowConfig
from tests.shared.window_configs import KNOWN_FIELDS

HOUR = "a whole number from 0 to 23"
TRADES = "a whole number from 0 to 1000000"
ZONE = "a time zone of the IANA database, such as Europe/Stockholm"


def test_the_defaults_are_the_legacy_contract_s() -> None:
    config = WindowConfig.parse({})
    assert (config.start_hour, config.end_hour, config.max_trades_per_day) == (0, 24, 5)
    assert config.timezone == "UTC"


def test_every_legacy_key_can_be_given() -> None:
    config = WindowConfig.parse(
        {"start_hour": 9, "end_hour": 17, "max_trades_per_day": 0, "timezone": "America/New_York"}
    )
    assert config.to_json() == {
        "start_hour": 9,
        "end_hour": 17,
        "max_trades_per_day": 0,
        "timezone": "America/New_York",
    }


def test_a_window_that_never_opens_is_a_config_like_any_other() -> None:
    assert WindowConfig.parse({"start_hour": 22, "end_hour": 6}).start_hour == 22


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"start_hour": 99}, f"start_hour: 99 is not {HOUR}"),
        ({"start_hour": 24}, f"start_hour: 24 is not {HOUR}"),
        ({"start_hour": -1}, f"start_hour: -1 is not {HOUR}"),
        ({"start_hour": None}, f"start_hour: null is not {HOUR}"),
        ({"start_hour": True}, f"start_hour: true is not {HOUR}"),
        ({"start_hour": "9"}, f'start_hour: "9" is not {HOUR}'),
        ({"start_hour": 9.0}, f"start_hour: 9.0 is not {HOUR}"),
        ({"start_hour": float("nan")}, f"start_hour: NaN is not {HOUR}"),
        ({"end_hour": 25}, "end_hour: 25 is not a whole number from 0 to 24"),
        ({"max_trades_per_day": -1}, f"max_trades_per_day: -1 is not {TRADES}"),
        ({"max_trades_per_day": 1_000_001}, f"max_trades_per_day: 1000001 is not {TRADES}"),
        ({"max_trades_per_day": float("nan")}, f"max_trades_per_day: NaN is not {TRADES}"),
        ({"max_trades_per_day": float("inf")}, f"max_trades_per_day: Infinity is not {TRADES}"),
        ({"timezone": "Mars/Base"}, f'timezone: "Mars/Base" is not {ZONE}'),
        ({"timezone": ""}, f'timezone: "" is not {ZONE}'),
        ({"timezone": "../etc/passwd"}, f'timezone: "../etc/passwd" is not {ZONE}'),
        ({"timezone": "/etc/passwd"}, f'timezone: "/etc/passwd" is not {ZONE}'),
        ({"timezone": "Europe"}, f'timezone: "Europe" is not {ZONE}'),
        ({"timezone": "a\x00b"}, rf'timezone: "a\u0000b" is not {ZONE}'),
        ({"timezone": "\ud800"}, rf'timezone: "\ud800" is not {ZONE}'),
        ({"timezone": 1}, f"timezone: 1 is not {ZONE}"),
        ({"max_trades": 5}, f"max_trades: 5 is not {KNOWN_FIELDS}"),
        ({"zebra": 1, "apple": 2}, f"apple: 2 is not {KNOWN_FIELDS}"),
        ({"zebra": 1, "end_hour": 25}, "end_hour: 25 is not a whole number from 0 to 24"),
    ],
    ids=ascii,
)
def test_a_wrong_config_is_refused_by_key_value_and_bound(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        WindowConfig.parse(given)
    assert str(caught.value) == sentence


def test_a_change_makes_a_new_config() -> None:
    before = WindowConfig.parse({"start_hour": 9})
    after = before.changed({"end_hour": 17})
    assert (before.start_hour, before.end_hour) == (9, 24)
    assert (after.start_hour, after.end_hour) == (9, 17)
    assert before.changed({}) == before


def test_a_wrong_change_is_refused() -> None:
    config = WindowConfig()
    with pytest.raises(InvalidField, match=r"^end_hour: 25 is not a whole number from 0 to 24$"):
        config.changed({"end_hour": 25})


def test_values_are_frozen() -> None:
    config = WindowConfig()
    snapshot = Snapshot(window_id="default", config=config, state=NEW_STATE, version=1, sequence=0)
    with pytest.raises(ValidationError, match="frozen"):
        config.start_hour = 1
    with pytest.raises(AttributeError):
        snapshot.sequence = 1  # type: ignore[misc]


def test_a_ledger_entry_without_trade_data_has_neither_day_nor_symbol() -> None:
    entry = LedgerEntry(id="halt-1", kind="halt", data={}, sequence=1, instant=datetime(2024, 1, 2, tzinfo=UTC))
    assert (entry.trade_day, entry.symbol) == (None, None)


def test_a_new_window_has_counted_nothing() -> None:
    assert NEW_STATE == {"trade_day": None, "trades_today": 0, "halt": None}
