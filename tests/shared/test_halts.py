from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Reason
from shared.halts import halt_reasons, is_in_force
from shared.window import Halt, WindowState

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

RUNNING: WindowState = {"trade_day": None, "trades_today": 0, "halt": None}
BY_ANNA: Halt = {
    "reason": "fat finger",
    "author": "anna",
    "since": "2025-03-03T11:00:00.000000Z",
    "until": "2025-03-03T12:00:00.000000Z",
}

OF_ALL = Reason(code="HALTED", sentence="halted: lunch", value="lunch", bound=None)
OF_BITCOIN = Reason(code="HALTED", sentence="halted: fork", value="fork", bound="BTC-USD")


@pytest.mark.parametrize("symbol", [None, "BTC-USD", "*", ""])
def test_a_window_without_a_halt_has_no_reason(symbol: str | None) -> None:
    assert halt_reasons(RUNNING, symbol, NOON) == ()


@pytest.mark.parametrize("symbol", [None, "BTC-USD", "ETH-USD"])
def test_a_halt_of_everything_holds_for_each_symbol_and_for_none(symbol: str | None) -> None:
    assert halt_reasons({**RUNNING, "halt": {"reason": "lunch"}}, symbol, NOON) == (OF_ALL,)


def test_a_halt_of_a_symbol_holds_for_it_alone() -> None:
    state: WindowState = {**RUNNING, "symbol_halts": {"BTC-USD": {"reason": "fork"}}}
    assert halt_reasons(state, "BTC-USD", NOON) == (OF_BITCOIN,)
    assert halt_reasons(state, "ETH-USD", NOON) == ()
    assert halt_reasons(state, "btc-usd", NOON) == ()
    assert halt_reasons(state, None, NOON) == ()


def test_both_halts_are_told_that_of_everything_first() -> None:
    state: WindowState = {**RUNNING, "halt": {"reason": "lunch"}, "symbol_halts": {"BTC-USD": {"reason": "fork"}}}
    assert halt_reasons(state, "BTC-USD", NOON) == (OF_ALL, OF_BITCOIN)


def test_a_halt_tells_when_it_ends() -> None:
    [reason] = halt_reasons({**RUNNING, "halt": BY_ANNA}, None, NOON - MICROSECOND)
    assert (reason.sentence, reason.value, reason.clears_at) == ("halted: fat finger", "fat finger", NOON)


@pytest.mark.parametrize(
    ("until", "before_noon", "at_noon"),
    [
        ("2025-03-03T12:00:00.000000Z", True, False),
        ("2025-03-03T12:00:00.000001Z", True, True),
        ("2025-03-03T11:59:59.999999Z", False, False),
        (None, True, True),
    ],
)
def test_a_halt_is_over_at_its_very_end(until: str | None, before_noon: bool, at_noon: bool) -> None:
    halt: Halt = {"reason": "lunch", "until": until}
    assert (is_in_force(halt, NOON - MICROSECOND), is_in_force(halt, NOON)) == (before_noon, at_noon)
    for state in (
        WindowState(trade_day=None, trades_today=0, halt=halt),
        WindowState(trade_day=None, trades_today=0, halt=None, symbol_halts={"BTC-USD": halt}),
    ):
        found = [len(halt_reasons(state, "BTC-USD", at)) for at in (NOON - MICROSECOND, NOON)]
        assert found == [before_noon, at_noon]


def test_a_halt_that_says_no_end_has_none() -> None:
    assert is_in_force({"reason": "lunch"}, NOON + timedelta(days=40_000))
