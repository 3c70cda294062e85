from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fastapi_app.window import permits, rules, slots
from fastapi_app.window.decision import failing
from fastapi_app.window.order import Order
from fastapi_app.window.schedule import schedule_of
from shared.errors import InvalidField, Refused
from shared.window import NEW_STATE, Entry, WindowState
from shared.window_config import WindowConfig
from shared.wire import TradeRequest

TRADE = TradeRequest(symbol="BTC-USD", side="buy", quantity=Decimal("1e2"), price=Decimal("64250.10"), strategy="rsi")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def state(trade_day: str | None, trades_today: int) -> WindowState:
    return {"trade_day": trade_day, "trades_today": trades_today, "halt": None}


NOON = at("2025-03-03T12:00:00")


@pytest.mark.parametrize(
    ("start", "end", "zone", "instant", "is_open"),
    [
        (9, 17, "UTC", "2025-03-03T08:59:59.999999", False),
        (9, 17, "UTC", "2025-03-03T09:00:00", True),
        (9, 17, "UTC", "2025-03-03T16:59:59.999999", True),
        (9, 17, "UTC", "2025-03-03T17:00:00", False),
        (0, 24, "UTC", "2025-03-03T23:59:59.999999", True),
        (0, 0, "UTC", "2025-03-03T00:00:00", False),
        (22, 6, "UTC", "2025-03-03T23:00:00", False),
        (22, 6, "UTC", "2025-03-03T03:00:00", False),
        (9, 17, "Asia/Kolkata", "2025-03-03T03:29:59", False),
        (9, 17, "Asia/Kolkata", "2025-03-03T03:30:00", True),
        # the hour that Stockholm's spring skips, and the one that its autumn repeats
        (2, 3, "Europe/Stockholm", "2025-03-30T00:59:59", False),
        (2, 3, "Europe/Stockholm", "2025-03-30T01:00:00", False),
        (2, 3, "Europe/Stockholm", "2025-10-26T00:00:00", True),
        (2, 3, "Europe/Stockholm", "2025-10-26T01:59:59", True),
        (2, 3, "Europe/Stockholm", "2025-10-26T02:00:00", False),
    ],
)
def test_the_hour_of_the_zone_decides(start: int, end: int, zone: str, instant: str, is_open: bool) -> None:
    config = WindowConfig(start_hour=start, end_hour=end, timezone=zone)
    assert schedule_of(config).is_open(at(instant)) is is_open


@pytest.mark.parametrize(
    ("zone", "stored", "instant", "day"),
    [
        ("UTC", None, "2025-03-03T00:00:00", "2025-03-03"),
        ("UTC", "2025-03-03", "2025-03-03T23:59:59.999999", "2025-03-03"),
        ("UTC", "2025-03-03", "2025-03-04T00:00:00", "2025-03-04"),
        ("UTC", "2025-03-04", "2025-03-03T23:59:59", "2025-03-04"),
        ("UTC", "2025-03-04", "1999-12-31T00:00:00", "2025-03-04"),
        ("Europe/Stockholm", "2025-03-03", "2025-03-03T22:59:59", "2025-03-03"),
        ("Europe/Stockholm", "2025-03-03", "2025-03-03T23:00:00", "2025-03-04"),
        ("Europe/Stockholm", "2025-10-26", "2025-10-26T22:59:59", "2025-10-26"),
        ("Europe/Stockholm", "2025-10-26", "2025-10-26T23:00:00", "2025-10-27"),
        ("America/New_York", "2025-03-09", "2025-03-10T03:59:59", "2025-03-09"),
        ("America/New_York", "2025-03-09", "2025-03-10T04:00:00", "2025-03-10"),
        # the stored day is of a zone further east, from which the window was moved
        ("America/New_York", "2025-03-11", "2025-03-11T03:59:59", "2025-03-11"),
    ],
)
def test_a_day_is_the_zone_s_date_and_only_moves_forward(zone: str, stored: str | None, instant: str, day: str) -> None:
    assert slots.trading_day(WindowConfig(timezone=zone), state(stored, 1), at(instant)) == day


@pytest.mark.parametrize(
    ("limit", "stored", "instant", "occupied", "free"),
    [
        (5, state(None, 0), "2025-03-03T12:00:00", 0, 5),
        (5, state("2025-03-03", 2), "2025-03-03T12:00:00", 2, 3),
        (5, state("2025-03-03", 5), "2025-03-03T12:00:00", 5, 0),
        (5, state("2025-03-03", 8), "2025-03-03T12:00:00", 8, 0),
        (5, state("2025-03-03", 8), "2025-03-04T00:00:00", 0, 5),
        (5, state("2025-03-04", 4), "2025-03-03T23:59:59", 4, 1),
        (0, state(None, 0), "2025-03-03T12:00:00", 0, 0),
    ],
)
def test_slots_are_those_of_the_day(limit: int, stored: WindowState, instant: str, occupied: int, free: int) -> None:
    config = WindowConfig(max_trades_per_day=limit)
    assert slots.occupied_slots(config, stored, at(instant)) == occupied
    assert slots.free_slots(config, stored, at(instant)) == free


def test_every_failing_rule_is_told_the_hours_first() -> None:
    config = WindowConfig(start_hour=13, end_hour=17, max_trades_per_day=2)
    hours, limit = failing(config, state("2025-03-03", 3), NOON, Order())
    assert (hours.code, hours.sentence) == ("OUTSIDE_HOURS", "outside the trading window 13:00 - 17:00")
    assert (hours.value, hours.bound) == ("2025-03-03T12:00:00.000000Z", "13:00 - 17:00")
    assert (limit.code, limit.sentence) == ("DAILY_LIMIT", "daily trade limit of 2 reached")
    assert (limit.value, limit.bound) == (3, 2)


def test_a_new_day_is_held_against_every_limit_with_nothing_counted() -> None:
    config = WindowConfig.parse({"max_trades_per_day": 2, "symbol_limits": {"BTC-USD": 0, "*": 1}})
    counted = state("2025-03-03", 2)
    counted["tally"] = {"symbol": {"BTC-USD": 1, "ETH-USD": 1}, "side": {}, "strategy": {}}
    for symbol, instant, reached in (
        ("ETH-USD", "2025-03-03T23:59:59", [("DAILY_LIMIT", 2, 2), ("SYMBOL_LIMIT", 1, 1)]),
        ("ETH-USD", "2025-03-04T00:00:00", []),
        ("BTC-USD", "2025-03-03T23:59:59", [("DAILY_LIMIT", 2, 2), ("SYMBOL_LIMIT", 1, 0)]),
        ("BTC-USD", "2025-03-04T00:00:00", [("SYMBOL_LIMIT", 0, 0)]),
    ):
        reasons = failing(config, counted, at(instant), Order(symbol=symbol))
        assert [(reason.code, reason.value, reason.bound) for reason in reasons] == reached


def test_nothing_fails_for_an_open_window_with_a_slot() -> None:
    assert list(failing(WindowConfig(), NEW_STATE, NOON, Order())) == []


@pytest.mark.parametrize("key", ["cooldown_seconds", "symbol_cooldown_seconds"])
def test_a_cooldown_names_when_the_permit_was_that_caused_it(key: str) -> None:
    config = WindowConfig.parse({key: 300, "permit_seconds": 60})
    order = Order(symbol="BTC-USD")
    found = permits.reservation("p-1", order)(config, NEW_STATE, NOON).state
    (pending,) = failing(config, found, at("2025-03-03T12:00:30"), order)
    # It expires before its cooldown is over, and has then caused none.
    assert (pending.value, pending.bound) == ("2025-03-03T12:00:00.000000Z", 300)
    assert pending.clears_at == at("2025-03-03T12:01:00")
    found = permits.sending("p-1")(config, found, at("2025-03-03T12:00:30")).state
    (sent,) = failing(config, found, at("2025-03-03T12:00:31"), order)
    assert (sent.value, sent.bound) == ("2025-03-03T12:00:00.000000Z", 300)
    assert sent.clears_at == at("2025-03-03T12:05:00")


def test_a_registration_counts_whatever_the_rules_say() -> None:
    config = WindowConfig(start_hour=22, end_hour=6, max_trades_per_day=1)
    before = state("2025-03-03", 1)
    outcome = rules.registration("t-2", Order.of(TRADE))(config, before, NOON)

    trade = {
        "id": "t-2",
        "symbol": "BTC-USD",
        "side": "buy",
        "quantity": "100",
        "price": "64250.10",
        "strategy": "rsi",
        "executed_at": "2025-03-03T12:00:00.000000Z",
        "trade_day": "2025-03-03",
    }
    assert outcome.config == config
    assert outcome.state == {"trade_day": "2025-03-03", "trades_today": 2, "halt": None}
    assert outcome.entries == (Entry(id="t-2", kind="trade", data=trade, trade_day="2025-03-03", symbol="BTC-USD"),)
    assert outcome.answer == {"trade": trade, "trades_today": 2, "remaining_trades": 0}
    assert before == state("2025-03-03", 1)


def test_a_registration_keeps_what_else_is_in_the_state() -> None:
    halted: WindowState = {"trade_day": "2025-03-02", "trades_today": 4, "halt": {"reason": "maintenance"}}
    outcome = rules.registration("t-1", Order())(WindowConfig(), halted, NOON)
    assert outcome.state == {"trade_day": "2025-03-03", "trades_today": 1, "halt": {"reason": "maintenance"}}


def test_a_trade_without_data_has_null_fields() -> None:
    outcome = rules.registration("t-1", Order())(WindowConfig(), NEW_STATE, NOON)
    assert outcome.answer["trade"] == {
        "id": "t-1",
        "symbol": None,
        "side": None,
        "quantity": None,
        "price": None,
        "strategy": None,
        "executed_at": "2025-03-03T12:00:00.000000Z",
        "trade_day": "2025-03-03",
    }


def test_a_checked_registration_counts_or_tells_every_reason() -> None:
    checked = rules.checked_registration("t-1", Order.of(TRADE))
    assert checked(WindowConfig(max_trades_per_day=1), NEW_STATE, NOON).state["trades_today"] == 1

    closed_and_full = WindowConfig(start_hour=13, max_trades_per_day=0)
    with pytest.raises(Refused) as caught:
        checked(closed_and_full, NEW_STATE, NOON)
    assert [reason.code for reason in caught.value.reasons] == ["OUTSIDE_HOURS", "DAILY_LIMIT"]


def test_a_config_change_is_an_entry_and_no_change_is_none() -> None:
    outcome = rules.config_change("c-1", {"start_hour": 9})(WindowConfig(), NEW_STATE, NOON)
    before: dict[str, Any] = {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}
    after = {**before, "start_hour": 9}
    assert outcome.answer == outcome.config == WindowConfig(start_hour=9)
    assert outcome.state == NEW_STATE
    assert outcome.entries == (Entry(id="c-1", kind="config", data={"before": before, "after": after}),)

    unchanged = rules.config_change("c-2", {"start_hour": 9})(WindowConfig(start_hour=9), NEW_STATE, NOON)
    assert unchanged.entries == ()


@pytest.mark.parametrize(
    ("changes", "field"), [({"start_hour": 24}, "start_hour"), ({"timezone": "Mars/Base"}, "timezone"), ({"x": 1}, "x")]
)
def test_a_wrong_config_change_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        rules.config_change("c-1", changes)(WindowConfig(), NEW_STATE, NOON)
    assert caught.value.field == field
