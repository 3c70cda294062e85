from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import talib

from shared.errors import InvalidField
from shared.strategies.ema_crossover import EmaCrossover
from tests.shared.strategies.markets import at, closing_at, drifting, recorded, signals

# With periods of 2 and 3 the averages move by 2/3 and 1/2 of the way to the close.
TWO_AND_THREE = {"fast": 2, "slow": 3}


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        # fast 10, 12, 8.67; slow 10, 11.5, 9.25
        ([10, 10, 10, 13, 7], [(4, "enter", "long"), (5, "enter", "short")]),
        # fast 12.5, 10.83; slow 12, 11
        ([11, 12, 13, 10], [(4, "enter", "short")]),
        # fast 12.5, 13.5, 14.5: above from the start
        ([11, 12, 13, 14, 15], []),
        # fast 10, 12, 11, 13; slow 10, 11.5, 11, 12.5: a touch from above
        ([10, 10, 10, 13, "10.5", 14], [(4, "enter", "long")]),
        # fast 10, 12, 11, 9; slow 10, 11.5, 11, 9.5: through by way of equal
        ([10, 10, 10, 13, "10.5", 8], [(4, "enter", "long"), (6, "enter", "short")]),
        (["0.1"] * 500, []),
    ],
)
def test_a_crossing_gives_a_signal(closes: list[Any], expected: list[tuple[int, str, str]]) -> None:
    assert signals(EmaCrossover.of(TWO_AND_THREE), closing_at(closes)) == expected


@pytest.mark.parametrize("price", ["0.1", "0.3", "46319.7", "0.00000123"])
def test_rounding_in_a_flat_market_crosses_nothing(price: str) -> None:
    for slow in (7, 26, 1000):
        assert signals(EmaCrossover.of({"fast": 3, "slow": slow}), closing_at([price] * 1_200)) == []


def test_rounding_hides_no_crossing_out_of_a_flat_market() -> None:
    """As floats, 100.1 three times over has a mean that isn't 100.1."""
    strategy = EmaCrossover.of({"fast": 1, "slow": 3})
    assert signals(strategy, closing_at(["100.1", "100.1", "100.1", "100.2"])) == [(4, "enter", "long")]


def test_rounding_makes_no_crossing_of_averages_that_come_to_rest() -> None:
    """By exact arithmetic the slow average rests on the close, and the fast one stays above it; as floats they meet."""
    tenths = [999, 1000, 999, 998, 999, 999, 998, 999, 999, 1000, *[999] * 500]
    strategy = EmaCrossover.of({"fast": 2, "slow": 17})
    assert signals(strategy, closing_at([Decimal(close) / 10 for close in tenths])) == []


def test_a_signal_says_why_when_and_at_which_price() -> None:
    strategy = EmaCrossover.of(TWO_AND_THREE)
    *_, signal = [strategy.on_candle(candle) for candle in closing_at([10, 10, 10, "13.0"])]
    assert signal is not None
    assert signal.reason == "the EMA of 2 (12) went above the EMA of 3 (11.5)"
    assert signal.timestamp == at(3)
    assert str(signal.price) == "13.0"


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("both", [(4, "enter", "long"), (5, "enter", "short")]),
        ("long", [(4, "enter", "long"), (5, "exit", "long")]),
        ("short", [(4, "exit", "short"), (5, "enter", "short")]),
    ],
)
def test_in_one_direction_the_other_turn_is_an_exit(direction: str, expected: list[tuple[int, str, str]]) -> None:
    strategy = EmaCrossover.of({**TWO_AND_THREE, "direction": direction})
    assert signals(strategy, closing_at([10, 10, 10, 13, 7])) == expected


def test_on_recorded_candles_the_crossings_are_those_of_ta_lib_s_averages() -> None:
    candles = recorded()
    closes = np.array([float(candle.close) for candle in candles])
    sides = np.sign(talib.EMA(closes, 12) - talib.EMA(closes, 26))[25:]
    assert set(sides) == {-1, 1}  # never equal there
    expected = [
        (number, "enter", "long" if after > 0 else "short")
        for number, (before, after) in enumerate(pairwise(sides), start=27)
        if before != after
    ]

    assert signals(EmaCrossover.of({}), candles) == expected
    assert len(expected) > 1_000


def test_the_warm_up_is_the_slow_period() -> None:
    assert EmaCrossover.of({}).warm_up == 26
    assert EmaCrossover.of(TWO_AND_THREE).warm_up == 3
    for seed in range(20):
        assert all(number > 3 for number, *_ in signals(EmaCrossover.of(TWO_AND_THREE), drifting(seed, length=10)))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"fast": 0}, "fast: 0 is not a whole number from 1 to 1000"),
        ({"fast": 2.5}, "fast: 2.5 is not a whole number from 1 to 1000"),
        ({"fast": True}, "fast: true is not a whole number from 1 to 1000"),
        ({"fast": 30}, "slow: 26 is not a whole number greater than fast, and at most 1000"),
        ({"fast": 5, "slow": 5}, "slow: 5 is not a whole number greater than fast, and at most 1000"),
        ({"slow": 1001}, "slow: 1001 is not a whole number greater than fast, and at most 1000"),
        ({"slow": -1, "fast": "x"}, 'fast: "x" is not a whole number from 1 to 1000'),
        ({"direction": "up"}, 'direction: "up" is not "long", "short" or "both"'),
        ({"speed": 1}, "speed: 1 is not expected: the known fields are direction, fast, slow"),
    ],
    ids=ascii,
)
def test_a_wrong_parameter_is_refused_by_field_value_and_bound(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        EmaCrossover.of(parameters)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([11, 12], None),  # no slow average yet
        ([10, 10, 10], None),  # equal
        ([11, 12, 13], ("enter", "long", "the EMA of 2 is above the EMA of 3")),
        ([13, 12, 11, 10], ("enter", "short", "the EMA of 2 is below the EMA of 3")),
        ([10, 10, 10, 13, 7], ("enter", "short", "the EMA of 2 is below the EMA of 3")),
    ],
)
def test_it_says_what_it_would_be_in(closes: list[Any], expected: tuple[str, str, str] | None) -> None:
    strategy = EmaCrossover.of(TWO_AND_THREE)
    candles = closing_at(closes)
    for candle in candles:
        strategy.on_candle(candle)
    before = strategy.snapshot()
    signal = strategy.standing(candles[-1])
    assert (signal and (signal.action, signal.direction, signal.reason)) == expected
    assert signal is None or (signal.timestamp, signal.price) == (candles[-1].timestamp, candles[-1].close)
    assert strategy.snapshot() == before
