import itertools
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.candle import Candle, Timeframe
from shared.errors import MarketUnavailable
from shared.market.synthetic import BEGIN, SyntheticMarket
from shared.strategies.registry import StrategyRegistry

AT = datetime(2026, 3, 4, 12, 34, 56, 789_000, tzinfo=UTC)


@pytest.fixture(name="market")
def _market() -> SyntheticMarket:
    return SyntheticMarket(["BTC-USD", "ETH-USD", "XY-USD"], seed=1)


def test_it_says_that_it_is_synthetic(market: SyntheticMarket) -> None:
    assert market.source == "synthetic (made up, seed 1)"


def test_prices_are_written_down(market: SyntheticMarket) -> None:
    """What they were when this test was written: every process, machine and version has to see the same."""
    (candle,) = market.candles("BTC-USD", Timeframe.MINUTE, 1, at=AT)
    assert candle == Candle(
        timestamp=datetime(2026, 3, 4, 12, 33, tzinfo=UTC),
        open=Decimal("31298.31"),
        high=Decimal("31314.13"),
        low=Decimal("31232.90"),
        close=Decimal("31248.22"),
        volume=Decimal("5.7810"),
    )
    ticker = market.ticker("BTC-USD", at=AT)
    assert (ticker.bid, ticker.ask) == (Decimal("31228.61"), Decimal("31231.73"))
    assert (ticker.last, ticker.volume_24h) == (Decimal("31230.17"), Decimal("12935.1711"))
    assert ticker.timestamp == datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)


def test_another_process_sees_the_same_and_another_seed_does_not(market: SyntheticMarket) -> None:
    code = """
from datetime import UTC, datetime
from shared.market.synthetic import SyntheticMarket
at = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
for seed in (1, 2):
    print(SyntheticMarket(["ETH-USD"], seed=seed).ticker("ETH-USD", at=at).last)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed[0] == str(market.ticker("ETH-USD", at=AT).last)
    assert printed[1] != printed[0]


@pytest.mark.parametrize(
    ("larger", "smaller", "count"),
    [
        (Timeframe.FIVE_MINUTES, Timeframe.MINUTE, 5),
        (Timeframe.QUARTER, Timeframe.MINUTE, 15),
        (Timeframe.HOUR, Timeframe.FIVE_MINUTES, 12),
        (Timeframe.DAY, Timeframe.MINUTE, 1_440),
    ],
)
@pytest.mark.parametrize("symbol", ["BTC-USD", "XY-USD"])
def test_larger_candles_are_made_of_smaller_ones(
    market: SyntheticMarket, larger: Timeframe, smaller: Timeframe, count: int, symbol: str
) -> None:
    whole = market.candles(symbol, larger, 3, at=AT)
    for candle in whole:
        parts = market.candles(symbol, smaller, count, at=candle.timestamp + timedelta(seconds=larger.seconds))
        assert len(parts) == count
        assert parts[0].timestamp == candle.timestamp
        assert parts[0].open == candle.open
        assert parts[-1].close == candle.close
        assert max(part.high for part in parts) == candle.high
        assert min(part.low for part in parts) == candle.low
        assert sum(part.volume for part in parts) == candle.volume


def test_each_candle_opens_where_the_one_before_closed(market: SyntheticMarket) -> None:
    candles = market.candles("ETH-USD", Timeframe.MINUTE, 1_000, at=datetime(2026, 3, 4, 0, 7, tzinfo=UTC))
    assert all(left.close == right.open for left, right in itertools.pairwise(candles))


def test_the_ticker_moves_within_the_open_candle_and_meets_it_at_its_ends(market: SyntheticMarket) -> None:
    opens = datetime(2026, 3, 4, 12, 34, tzinfo=UTC)
    (candle,) = market.candles("BTC-USD", Timeframe.MINUTE, 1, at=opens + timedelta(minutes=1))
    lasts = [market.ticker("BTC-USD", at=opens + timedelta(seconds=second)).last for second in range(61)]
    assert (lasts[0], lasts[60]) == (candle.open, candle.close)
    assert all(candle.low <= last <= candle.high for last in lasts)
    assert len(set(lasts)) > 30


def test_the_volume_of_24_hours_is_that_of_the_candles(market: SyntheticMarket) -> None:
    at = datetime(2026, 3, 5, tzinfo=UTC)
    (day,) = market.candles("BTC-USD", Timeframe.DAY, 1, at=at)
    assert market.ticker("BTC-USD", at=at).volume_24h == day.volume


def test_the_book_stands_around_the_ticker(market: SyntheticMarket) -> None:
    ticker, book = market.ticker("BTC-USD", at=AT), market.order_book("BTC-USD", 20, at=AT)
    assert (book.bids[0].price, book.asks[0].price) == (ticker.bid, ticker.ask)
    assert book == market.order_book("BTC-USD", 20, at=AT)


def test_it_moves_enough_for_simple_strategies(market: SyntheticMarket) -> None:
    """Counted without any of our strategies: gaps between a candle and the next but one, and turns of an average."""
    candles = market.candles("BTC-USD", Timeframe.MINUTE, 1_000, at=AT)
    gaps = [number for number in range(2, 1_000) if candles[number].low > candles[number - 2].high]
    averages = [sum(candle.close for candle in candles[at - 10 : at]) / 10 for at in range(10, 1_000)]
    above = [candles[at].close > average for at, average in zip(range(10, 1_000), averages, strict=True)]
    turns = sum(left != right for left, right in itertools.pairwise(above))
    assert len(gaps) > 50
    assert turns > 100


@pytest.mark.parametrize("strategy", ["ema_crossover", "fair_value_gap", "rsi"])
@pytest.mark.parametrize("symbol", ["BTC-USD", "ETH-USD"])
def test_every_strategy_finds_something_within_the_half_hour(
    market: SyntheticMarket, strategy: str, symbol: str
) -> None:
    judge = StrategyRegistry().make(strategy, {})
    signals = [judge.on_candle(candle) for candle in market.candles(symbol, Timeframe.MINUTE, 1_000, at=AT)]
    assert sum(signal is not None for signal in signals) > 1_000 / 30


def test_nothing_is_quoted_before_its_beginning(market: SyntheticMarket) -> None:
    with pytest.raises(MarketUnavailable, match="the synthetic market begins at 2020-01-01"):
        market.ticker("BTC-USD", at=BEGIN - timedelta(seconds=1))
    assert market.candles("BTC-USD", Timeframe.HOUR, 5, at=BEGIN + timedelta(hours=2, minutes=1)) == (
        market.candles_after("BTC-USD", Timeframe.HOUR, None, 2)
    )
    assert market.candles("BTC-USD", Timeframe.HOUR, 5, at=BEGIN - timedelta(days=1)) == ()
    assert market.candles_after("BTC-USD", Timeframe.HOUR, BEGIN - timedelta(days=9), 1)[0].timestamp == BEGIN
