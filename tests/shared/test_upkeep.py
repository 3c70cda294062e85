"""What time does to a window, against states and entries that are written down."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import PermitStatus
from shared.upkeep import day_turned, noted, permit_entry, upkept, with_permit, without_halt, without_permit
from shared.window import Entry, Halt, Permit, WindowState

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
AT_NOON = "2025-03-03T12:00:00.000000Z"
DAY = "2025-03-03"


def permit_of(permit_id: str = "p-1", **changes: Any) -> Permit:
    """One that is pending until noon, with other values where they are given."""
    permit = Permit(
        id=permit_id,
        symbol="BTC-USD",
        side="buy",
        quantity="0.50",
        price="64250.10",
        strategy="rsi",
        reduces=False,
        status="pending",
        trade_day=DAY,
        reserved_at="2025-03-03T11:59:00.000000Z",
        deadline=AT_NOON,
    )
    permit.update(changes)  # type: ignore[typeddict-item]
    return permit


def window_with(*permits: Permit, trade_day: str | None = DAY, trades_today: int = 3) -> WindowState:
    state = WindowState(trade_day=trade_day, trades_today=trades_today, halt=None)
    if permits:
        state["permits"] = {permit["id"]: permit for permit in permits}
    return state


# Permits


def test_a_pending_permit_expires_and_gives_its_slot_back() -> None:
    state, entries = upkept(window_with(permit_of()), NOON + timedelta(hours=1))
    assert state == {"trade_day": DAY, "trades_today": 2, "halt": None}
    assert entries == (
        Entry(
            id="p-1-expired",
            kind="permit",
            trade_day=DAY,
            symbol="BTC-USD",
            subject="p-1",
            data={
                "id": "p-1",
                "symbol": "BTC-USD",
                "side": "buy",
                "quantity": "0.50",
                "price": "64250.10",
                "strategy": "rsi",
                "reduces": False,
                "status": "expired",
                "trade_day": DAY,
                "reserved_at": "2025-03-03T11:59:00.000000Z",
                "deadline": None,
                "at": AT_NOON,
            },
        ),
    )


def test_a_sent_permit_becomes_in_doubt_and_keeps_its_slot() -> None:
    state, (entry,) = upkept(window_with(permit_of(status="sent")), NOON)
    assert state == {
        "trade_day": DAY,
        "trades_today": 3,
        "halt": None,
        "permits": {"p-1": permit_of(status="in_doubt", deadline=None)},
    }
    assert (entry.id, entry.kind, entry.subject) == ("p-1-in-doubt", "permit", "p-1")
    assert entry.data == {**permit_of(status="in_doubt", deadline=None), "at": AT_NOON}


@pytest.mark.parametrize("status", ["pending", "sent"])
def test_a_deadline_that_is_now_is_over_and_one_a_microsecond_ahead_is_not(status: PermitStatus) -> None:
    state = window_with(permit_of(status=status))
    assert upkept(state, NOON - MICROSECOND) == (state, ())
    assert len(upkept(state, NOON)[1]) == 1


def test_a_permit_in_doubt_stays_so_for_good() -> None:
    state = window_with(permit_of(status="in_doubt", deadline=None))
    found, entries = upkept(state, NOON + timedelta(days=400))
    assert found is state
    assert entries == ()


@pytest.mark.parametrize("trade_day", ["2025-03-04", "2025-03-02"])
def test_a_slot_comes_back_on_the_day_of_its_permit_alone(trade_day: str) -> None:
    state, entries = upkept(window_with(permit_of(), trade_day=trade_day), NOON)
    assert state == {"trade_day": trade_day, "trades_today": 3, "halt": None}
    assert [entry.trade_day for entry in entries] == [DAY]


def test_a_permit_that_only_reduces_had_no_slot_to_give_back() -> None:
    state, (entry,) = upkept(window_with(permit_of(reduces=True)), NOON)
    assert state == {"trade_day": DAY, "trades_today": 3, "halt": None}
    assert (entry.id, entry.data["reduces"]) == ("p-1-expired", True)


def test_a_permit_without_a_symbol_is_filed_under_none() -> None:
    _, (entry,) = upkept(window_with(permit_of(symbol=None)), NOON)
    assert entry.symbol is None


def test_each_permit_that_is_due_has_its_turn_and_no_other() -> None:
    given = window_with(
        permit_of("a"),
        permit_of("b", status="sent"),
        permit_of("c", deadline="2025-03-03T12:00:00.000001Z"),
        permit_of("d", status="in_doubt", deadline=None),
        permit_of("e", reduces=True),
        permit_of("f", trade_day="2025-03-02"),
        permit_of("g", deadline="2025-03-03T11:30:00.000000Z"),
        trades_today=5,
    )
    untouched = deepcopy(given)
    state, entries = upkept(given, NOON)
    assert state == {
        "trade_day": DAY,
        "trades_today": 3,
        "halt": None,
        "permits": {
            "b": permit_of("b", status="in_doubt", deadline=None),
            "c": permit_of("c", deadline="2025-03-03T12:00:00.000001Z"),
            "d": permit_of("d", status="in_doubt", deadline=None),
        },
    }
    assert [(entry.id, entry.data["at"]) for entry in entries] == [
        ("a-expired", AT_NOON),
        ("b-in-doubt", AT_NOON),
        ("e-expired", AT_NOON),
        ("f-expired", AT_NOON),
        ("g-expired", "2025-03-03T11:30:00.000000Z"),
    ]
    assert given == untouched


def test_what_was_kept_up_needs_nothing_more() -> None:
    once, _ = upkept(window_with(permit_of("a"), permit_of("b", status="sent")), NOON)
    twice, entries = upkept(once, NOON + timedelta(hours=1))
    assert twice is once
    assert entries == ()


@pytest.mark.parametrize(
    "state",
    [
        WindowState(trade_day=None, trades_today=0, halt=None),
        window_with(),
        window_with(permit_of(deadline="2025-03-03T12:00:00.000001Z")),
        WindowState(trade_day=DAY, trades_today=1, halt={"reason": "lunch"}),
        WindowState(trade_day=DAY, trades_today=1, halt={"reason": "lunch", "until": "2025-03-03T12:00:00.000001Z"}),
        WindowState(trade_day=DAY, trades_today=1, halt=None, symbol_halts={"BTC-USD": {"reason": "fork"}}),
    ],
    ids=["new", "counted", "a permit that is not due", "a halt", "a halt with an end ahead", "a symbol's halt"],
)
def test_where_nothing_is_due_the_state_is_the_very_same(state: WindowState) -> None:
    found, entries = upkept(state, NOON)
    assert found is state
    assert entries == ()


# Halts


LUNCH: Halt = {"reason": "lunch", "author": "anna", "since": "2025-03-03T11:00:00.000000Z", "until": AT_NOON}
FORK: Halt = {"reason": "fork", "until": "2025-03-03T11:45:00.000000Z"}
GLITCH: Halt = {"reason": "glitch"}


def test_a_halt_with_an_end_ends() -> None:
    state, entries = upkept(WindowState(trade_day=DAY, trades_today=1, halt=LUNCH), NOON)
    assert state == {"trade_day": DAY, "trades_today": 1, "halt": None}
    assert entries == (
        Entry(
            id=f"halt-*-{AT_NOON}",
            kind="halt",
            data={
                "reason": "lunch",
                "author": "anna",
                "since": "2025-03-03T11:00:00.000000Z",
                "until": AT_NOON,
                "symbol": "*",
                "status": "ended",
            },
        ),
    )


def test_the_halt_of_a_symbol_ends_by_itself() -> None:
    given = WindowState(trade_day=DAY, trades_today=1, halt=LUNCH, symbol_halts={"BTC-USD": FORK, "ETH-USD": GLITCH})
    untouched = deepcopy(given)
    state, (entry,) = upkept(given, NOON - MICROSECOND)
    assert state == {"trade_day": DAY, "trades_today": 1, "halt": LUNCH, "symbol_halts": {"ETH-USD": GLITCH}}
    assert (entry.id, entry.kind, entry.symbol) == ("halt-BTC-USD-2025-03-03T11:45:00.000000Z", "halt", "BTC-USD")
    assert entry.data == {**FORK, "symbol": "BTC-USD", "status": "ended"}
    assert given == untouched


def test_a_symbol_named_as_everything_is_hides_no_halt() -> None:
    given: WindowState = {**window_with(), "halt": LUNCH, "symbol_halts": {"*": FORK}}
    state, (first, second) = upkept(given, NOON)
    assert state == window_with()
    assert (first.symbol, first.data["reason"], second.symbol, second.data["reason"]) == (None, "lunch", "*", "fork")


def test_halts_end_before_permits_do_and_the_last_of_either_leaves_nothing_behind() -> None:
    given: WindowState = {**window_with(permit_of()), "halt": LUNCH, "symbol_halts": {"BTC-USD": FORK}}
    state, entries = upkept(given, NOON)
    assert state == {"trade_day": DAY, "trades_today": 2, "halt": None}
    assert [entry.kind for entry in entries] == ["halt", "halt", "permit"]


# The steps that others take too


def test_a_halt_is_lifted_by_its_symbol() -> None:
    state = WindowState(trade_day=None, trades_today=0, halt=GLITCH, symbol_halts={"BTC-USD": FORK})
    assert without_halt(state, None) == {**state, "halt": None}
    assert without_halt(state, "BTC-USD") == {"trade_day": None, "trades_today": 0, "halt": GLITCH}
    assert without_halt(state, "ETH-USD") == state


def test_a_permit_comes_and_goes() -> None:
    empty = window_with(trades_today=1)
    one = with_permit(empty, permit_of("a"))
    two = with_permit(one, permit_of("b", reduces=True))
    assert (empty, one) == (window_with(trades_today=1), window_with(permit_of("a"), trades_today=1))
    assert two == window_with(permit_of("a"), permit_of("b", reduces=True), trades_today=1)
    assert without_permit(two, permit_of("b", reduces=True), frees_slot=True) == one
    assert without_permit(one, permit_of("a"), frees_slot=False) == empty
    assert without_permit(one, permit_of("a"), frees_slot=True) == window_with(trades_today=0)
    assert without_permit(one, permit_of("a", trade_day="2025-03-02"), frees_slot=True) == empty


def test_a_step_of_a_permit_may_say_more() -> None:
    entry = permit_entry(permit_of(status="released"), entry_id="e-1", why="no liquidity")
    assert entry == Entry(
        id="e-1",
        kind="permit",
        data={**permit_of(status="released"), "why": "no liquidity"},
        trade_day=DAY,
        symbol="BTC-USD",
        subject="p-1",
    )


# Days


def test_a_day_that_turns_leaves_its_count() -> None:
    before, after = window_with(trades_today=4), window_with(trade_day="2025-03-04", trades_today=1)
    assert day_turned(before, after) == (
        Entry(
            id="day-2025-03-04",
            kind="day",
            data={"before": "2025-03-03", "after": "2025-03-04", "trades": 4},
            trade_day="2025-03-04",
        ),
    )


@pytest.mark.parametrize(("before", "after"), [(DAY, DAY), (None, DAY), (None, None), (DAY, None)])
def test_the_first_day_and_the_same_day_are_no_turn(before: str | None, after: str | None) -> None:
    assert day_turned(window_with(trade_day=before), window_with(trade_day=after)) == ()


# What a trade leaves


def trade_entry(*, trade_day: str = DAY, kind: str = "trade", **data: Any) -> Entry:
    return Entry(id="t-1", kind=kind, data=data, trade_day=trade_day, symbol=data.get("symbol"))


BUY: dict[str, Any] = {"symbol": "BTC-USD", "side": "buy", "strategy": "rsi"}
SELL: dict[str, Any] = {"symbol": "ETH-USD", "side": "sell", "strategy": None}


def test_each_trade_is_tallied_by_symbol_side_and_strategy() -> None:
    state = window_with()
    entries = (trade_entry(**BUY), trade_entry(**SELL), trade_entry(**BUY))
    assert noted(state, state, entries, NOON) == {
        "trade_day": DAY,
        "trades_today": 3,
        "halt": None,
        "tally": {"symbol": {"BTC-USD": 2, "ETH-USD": 1}, "side": {"buy": 2, "sell": 1}, "strategy": {"rsi": 2}},
        "last_trades": {"*": AT_NOON, "BTC-USD": AT_NOON, "ETH-USD": AT_NOON},
    }
    assert state == window_with()


def test_the_next_trade_is_added_to_what_is_there() -> None:
    given: WindowState = {
        **window_with(),
        "tally": {"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {"rsi": 1}},
        "last_trades": {"*": "2025-03-03T11:00:00.000000Z", "BTC-USD": "2025-03-03T11:00:00.000000Z"},
    }
    untouched = deepcopy(given)
    after = noted(given, given, (trade_entry(**SELL),), NOON)
    assert after["tally"] == {
        "symbol": {"BTC-USD": 1, "ETH-USD": 1},
        "side": {"buy": 1, "sell": 1},
        "strategy": {"rsi": 1},
    }
    assert after["last_trades"] == {"*": AT_NOON, "BTC-USD": "2025-03-03T11:00:00.000000Z", "ETH-USD": AT_NOON}
    assert given == untouched


def test_a_trade_that_names_nothing_is_noted_as_any() -> None:
    state = window_with()
    after = noted(state, state, (trade_entry(symbol=None, side=None, strategy=None),), NOON)
    assert after["tally"] == {"symbol": {}, "side": {}, "strategy": {}}
    assert after["last_trades"] == {"*": AT_NOON}


@pytest.mark.parametrize(
    "entry", [trade_entry(**BUY, reduces=True), trade_entry(**BUY, kind="permit"), trade_entry(**BUY, kind="config")]
)
def test_what_only_reduces_and_what_is_no_trade_leaves_nothing(entry: Entry) -> None:
    state = window_with()
    assert noted(state, state, (entry,), NOON) is state
    assert noted(state, state, (), NOON) is state


def test_a_trade_of_another_day_is_a_last_trade_and_not_in_the_tally() -> None:
    given: WindowState = {**window_with(), "tally": {"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {}}}
    after = noted(given, given, (trade_entry(trade_day="2025-03-02", **SELL),), NOON)
    assert after["tally"] == {"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {}}
    assert after["last_trades"] == {"*": AT_NOON, "ETH-USD": AT_NOON}


def test_a_clock_that_went_back_makes_no_trade_older() -> None:
    ahead = {"*": "2025-03-03T12:30:00.000000Z", "BTC-USD": "2025-03-03T12:30:00.000000Z"}
    given: WindowState = {**window_with(), "last_trades": ahead}
    after = noted(given, given, (trade_entry(**BUY), trade_entry(**SELL)), NOON)
    assert after["last_trades"] == {**ahead, "ETH-USD": AT_NOON}


TALLIED: WindowState = {
    **window_with(),
    "tally": {"symbol": {"BTC-USD": 3}, "side": {"buy": 3}, "strategy": {}},
    "last_trades": {
        "*": "2025-03-03T11:00:00.000000Z",
        "a week": "2025-02-25T12:00:00.000000Z",
        "a week and more": "2025-02-25T11:59:59.999999Z",
    },
}
"""With times of last trades as of the noon of the next day."""


def on_the_next_day(entries: Mapping[str, Any] | None) -> WindowState:
    after: WindowState = {**TALLIED, "trade_day": "2025-03-04", "trades_today": 1 if entries else 0}
    drafts = (trade_entry(trade_day="2025-03-04", **entries),) if entries else ()
    return noted(TALLIED, after, drafts, NOON + timedelta(days=1))


def test_a_new_day_begins_an_empty_tally_and_forgets_trades_older_than_any_cooldown() -> None:
    assert on_the_next_day(BUY) == {
        "trade_day": "2025-03-04",
        "trades_today": 1,
        "halt": None,
        "tally": {"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {"rsi": 1}},
        "last_trades": {
            "*": "2025-03-04T12:00:00.000000Z",
            "BTC-USD": "2025-03-04T12:00:00.000000Z",
            "a week": "2025-02-25T12:00:00.000000Z",
        },
    }


@pytest.mark.parametrize("entries", [None, {**BUY, "reduces": True}])
def test_a_day_that_turns_without_a_trade_has_no_tally(entries: Mapping[str, Any] | None) -> None:
    after = on_the_next_day(entries)
    assert "tally" not in after
    assert after["last_trades"] == {"*": "2025-03-03T11:00:00.000000Z", "a week": "2025-02-25T12:00:00.000000Z"}


def test_a_day_that_turns_without_a_tally_forgets_them_as_well() -> None:
    before: WindowState = {**window_with(), "last_trades": TALLIED["last_trades"]}
    after: WindowState = {**before, "trade_day": "2025-03-04", "trades_today": 0}
    assert noted(before, after, (), NOON + timedelta(days=1)) == {
        **window_with(trade_day="2025-03-04", trades_today=0),
        "last_trades": {"*": "2025-03-03T11:00:00.000000Z", "a week": "2025-02-25T12:00:00.000000Z"},
    }


def test_on_the_same_day_nothing_is_forgotten() -> None:
    after = noted(TALLIED, TALLIED, (trade_entry(**BUY),), NOON + timedelta(days=30))
    assert "a week and more" in after["last_trades"]
