from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import talib

from shared.errors import InvalidField
from shared.strategies.rsi import RsiReversal
from tests.shared.strategies.markets import at, closing_at, drifting, recorded, signals

TWO = {"period": 2}


@pytest.mark.parametrize(
    ("parameters", "closes", "expected"),
    [
        # RSI 0, 50
        (TWO, [10, 9, 8, 9], [(4, "enter", "long")]),
        # RSI 100, 50
        (TWO, [10, 11, 12, 11], [(4, "enter", "short")]),
        # RSI 0, 50, 75: at the level is not above it
        ({**TWO, "oversold": 50}, [10, 9, 8, 9, 10], [(5, "enter", "long")]),
        # RSI 100, 50, 25
        ({**TWO, "overbought": 50}, [10, 11, 12, 11, 10], [(5, "enter", "short")]),
        # RSI 0, 0, 0: there, and not back
        (TWO, [10, 9, 8, 7, 6], []),
        # RSI 0, 75: over both levels at once
        (TWO, [10, 9, 8, 11], [(4, "enter", "long")]),
        # RSI 50, 100: from a standstill up is back from nowhere
        (TWO, [10, 10, 10, 10, 11], []),
        (TWO, [10, 9, *[8] * 3_000], []),
        ({**TWO, "direction": "long"}, [10, 9, 8, 9, 12, 10], [(4, "enter", "long"), (6, "exit", "long")]),
        ({**TWO, "direction": "short"}, [10, 9, 8, 9, 12, 10], [(4, "exit", "short"), (6, "enter", "short")]),
    ],
)
def test_coming_back_from_an_extreme_gives_a_signal(
    parameters: dict[str, Any], closes: list[Any], expected: list[tuple[int, str, str]]
) -> None:
    assert signals(RsiReversal.of(parameters), closing_at(closes)) == expected


def test_a_signal_says_why_when_and_at_which_price() -> None:
    strategy = RsiReversal.of(TWO)
    *_, signal = [strategy.on_candle(candle) for candle in closing_at([10, 9, 8, "9.00"])]
    assert signal is not None
    assert signal.reason == "the RSI of 2 rose from 0 to 50, above 30"
    assert signal.timestamp == at(3)
    assert str(signal.price) == "9.00"


def test_on_recorded_candles_the_returns_are_those_of_ta_lib_s_index() -> None:
    candles = recorded()
    values = talib.RSI(np.array([float(candle.close) for candle in candles]), 14)[14:]
    expected = []
    for number, (before, now) in enumerate(pairwise(values), start=16):
        if before <= 30 < now:
            expected.append((number, "enter", "long"))
        elif before >= 70 > now:
            expected.append((number, "enter", "short"))

    assert signals(RsiReversal.of({}), candles) == expected
    assert len(expected) > 1_000


def test_the_warm_up_is_one_more_than_the_period() -> None:
    assert RsiReversal.of({}).warm_up == 15
    assert RsiReversal.of(TWO).warm_up == 3
    for seed in range(20):
        assert all(number > 3 for number, *_ in signals(RsiReversal.of(TWO), drifting(seed, length=10)))


def test_levels_are_read_from_any_json_number() -> None:
    read = RsiReversal.of({"oversold": Decimal("25.5"), "overbought": 80}).parameters
    assert (read.oversold, read.overbought) == (25.5, 80.0)


LEVEL = "a number between 0 and 100"
UPPER = "a number greater than oversold, and less than 100"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"period": 1}, "period: 1 is not a whole number from 2 to 1000"),
        ({"period": 1001}, "period: 1001 is not a whole number from 2 to 1000"),
        ({"oversold": 0}, f"oversold: 0 is not {LEVEL}"),
        ({"oversold": float("nan")}, f"oversold: NaN is not {LEVEL}"),
        ({"oversold": Decimal("NaN")}, f"oversold: NaN is not {LEVEL}"),
        ({"oversold": "30"}, f'oversold: "30" is not {LEVEL}'),
        ({"oversold": 75}, f"overbought: 70.0 is not {UPPER}"),
        ({"overbought": 30}, f"overbought: 30 is not {UPPER}"),
        ({"overbought": 100}, f"overbought: 100 is not {UPPER}"),
        ({"overbought": float("nan")}, f"overbought: NaN is not {UPPER}"),
    ],
    ids=ascii,
)
def test_a_wrong_parameter_is_refused_by_field_value_and_bound(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        RsiReversal.of(parameters)
    assert str(caught.value) == sentence
