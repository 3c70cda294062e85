from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest
from pydantic import ValidationError

from shared.errors import InvalidField
from shared.strategies.ema_crossover import EmaCrossover, EmaCrossoverParameters
from tests.shared.strategies.markets import closing_at, signals


@pytest.mark.parametrize("back", [0, 1])
def test_a_candle_that_is_not_newer_is_refused_and_not_taken_in(back: int) -> None:
    candles = closing_at([10, 10, 10, 13])
    strategy = EmaCrossover.of({"fast": 2, "slow": 3})
    assert signals(strategy, candles[:3]) == []
    before = strategy.snapshot()

    with pytest.raises(InvalidField) as caught:
        strategy.on_candle(candles[2 - back])

    assert str(caught.value) == (
        f'timestamp: "2026-03-04T00:0{2 - back}:00.000000Z" is not later than the last candle\'s, '
        "2026-03-04T00:02:00.000000Z"
    )
    assert strategy.snapshot() == before
    assert strategy.on_candle(candles[3]) is not None


def test_candles_may_be_missing() -> None:
    first, *others = closing_at([10, 10, 10, 13])
    strategy = EmaCrossover.of({"fast": 2, "slow": 3})
    late = [candle._replace(timestamp=candle.timestamp + timedelta(days=3)) for candle in others]
    assert signals(strategy, [first, *late]) == [(4, "enter", "long")]


def test_a_new_strategy_has_seen_nothing() -> None:
    strategy = EmaCrossover.of({})
    assert strategy.last_timestamp is None
    assert strategy.snapshot() == {
        "strategy": "ema_crossover",
        "parameters": {"direction": "both", "fast": 12, "slow": 26},
        "last_timestamp": None,
        "state": {
            "fast": {"value": None, "count": 0, "total": 0.0},
            "slow": {"value": None, "count": 0, "total": 0.0},
            "side": None,
        },
    }


def test_parameters_and_signals_are_frozen() -> None:
    strategy = EmaCrossover.of({"fast": 2, "slow": 3})
    *_, signal = [strategy.on_candle(candle) for candle in closing_at([10, 10, 10, 13])]
    assert signal is not None
    with pytest.raises(FrozenInstanceError):
        signal.action = "exit"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        strategy.parameters.fast = 3


def test_parameters_that_are_made_without_parse_hold_the_rules_too() -> None:
    with pytest.raises(ValidationError, match="slow"):
        EmaCrossoverParameters(fast=30)
