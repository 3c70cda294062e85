"""The indicators against TA-Lib, value by value, warm-up included."""

import json
import math

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.strategies.indicators import Ema, Rsi
from tests.shared.strategies.markets import drifting, recorded

WALK = [float(candle.close) for candle in drifting(1, length=3_000)]
RISING = [float(candle.close) for candle in drifting(2, length=1_500, drift=0.003)]
FALLING = [float(candle.close) for candle in drifting(3, length=1_500, drift=-0.003)]
STEADILY_UP = [100 + 0.5 * n for n in range(300)]
STEADILY_DOWN = [1_000 - 0.5 * n for n in range(300)]
FLAT = [0.1] * 300
MARKETS = {
    "walk": WALK,
    "rising": RISING,
    "falling": FALLING,
    "steadily up": STEADILY_UP,
    "steadily down": STEADILY_DOWN,
    "flat": FLAT,
    "flat, then a walk": [WALK[0]] * 300 + WALK,
    "a walk with a standstill": WALK[:200] + [WALK[199]] * 100 + WALK[200:400],
}
PERIODS = [2, 3, 14, 26, 200]


def ema(prices: list[float], period: int) -> list[float]:
    indicator = Ema(period)
    return [math.nan if (value := indicator.update(price)) is None else value for price in prices]


def rsi(prices: list[float], period: int) -> list[float]:
    indicator = Rsi(period)
    return [math.nan if (value := indicator.update(price)) is None else value for price in prices]


@pytest.mark.parametrize("period", [1, *PERIODS])
@pytest.mark.parametrize("market", MARKETS)
def test_the_ema_is_ta_lib_s(market: str, period: int) -> None:
    prices = MARKETS[market]
    np.testing.assert_allclose(ema(prices, period), talib.EMA(np.array(prices), period), rtol=1e-12)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("market", MARKETS.keys() - {"flat", "flat, then a walk"})
def test_the_rsi_is_ta_lib_s(market: str, period: int) -> None:
    prices = MARKETS[market]
    np.testing.assert_allclose(rsi(prices, period), talib.RSI(np.array(prices), period), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("period", PERIODS)
def test_the_rsi_of_a_market_that_has_not_moved_yet_is_50_where_ta_lib_says_0(period: int) -> None:
    prices = MARKETS["flat, then a walk"]
    oracle = talib.RSI(np.array(prices), period)
    np.testing.assert_array_equal(oracle[period:301], 0)

    ours = rsi(prices, period)

    assert all(math.isnan(value) for value in ours[:period])
    assert set(ours[period:301]) == {50}
    np.testing.assert_allclose(ours[301:], oracle[301:], rtol=1e-9, atol=1e-9)


def test_the_rsi_keeps_its_value_when_its_means_sink_to_nothing_where_ta_lib_falls_to_0() -> None:
    prices = [10.0, 11.0, 10.0, *[10.0] * 3_000, 9.0]
    assert talib.RSI(np.array(prices), 2)[2:4].tolist() == [50, 50]
    assert talib.RSI(np.array(prices), 2)[-2] == 0
    assert rsi(prices, 2)[2:-1] == [50] * 3_001
    assert rsi(prices, 2)[-1] == pytest.approx(0)


def test_the_rsi_of_a_standstill_is_not_worn_down_by_the_smallest_floats() -> None:
    """Gains of 1 and 0, losses of 0 and 0.5: two to one, for as long as nothing changes."""
    values = rsi([10.0, 11.0, *[10.5] * 3_000], 2)
    np.testing.assert_allclose(values[2:], 200 / 3)


@pytest.mark.parametrize("period", [14, 200])
def test_both_are_ta_lib_s_on_recorded_candles(period: int) -> None:
    prices = [float(candle.close) for candle in recorded()]
    np.testing.assert_allclose(ema(prices, period), talib.EMA(np.array(prices), period), rtol=1e-12)
    np.testing.assert_allclose(rsi(prices, period), talib.RSI(np.array(prices), period), rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(
    prices=st.lists(st.floats(min_value=1e-9, max_value=1e12), min_size=1, max_size=40),
    period=st.integers(min_value=2, max_value=9),
)
def test_an_rsi_lies_from_0_to_100_and_comes_after_its_warm_up(prices: list[float], period: int) -> None:
    values = rsi(prices, period)
    assert all(math.isnan(value) for value in values[:period])
    assert all(0 <= value <= 100 for value in values[period:])


@pytest.mark.parametrize("indicator", [Ema, Rsi])
def test_an_indicator_goes_on_from_its_state_bit_by_bit(indicator: type[Ema] | type[Rsi]) -> None:
    unbroken, current = indicator(5), indicator(5)
    for price in WALK[:200]:
        restored = indicator(5)
        restored.set_state(json.loads(json.dumps(current.state())))
        current = restored
        assert current.update(price) == unbroken.update(price)
    assert unbroken.value is not None
