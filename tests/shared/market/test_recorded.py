import asyncio
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.candle import Candle, Timeframe
from shared.errors import InvalidField, MarketUnavailable
from shared.market.base import Level
from shared.market.recorded import RecordedMarket
from shared.market.resampling import resampled, total
from tests.shared.market.recorded import BEGIN, CANDLES, END, minute


def market_of(*candles: Candle, timeframe: Timeframe = Timeframe.MINUTE) -> RecordedMarket:
    return RecordedMarket({"BTC-USD": candles}, timeframe=timeframe, source="recorded (a test)")


def test_it_names_its_files(tmp_path: Path) -> None:
    path = tmp_path / "btc.csv"
    path.write_text("timestamp,open,high,low,close,volume\n")
    market = RecordedMarket.of_files({"BTC-USD": path}, timeframe=Timeframe.MINUTE)
    assert market.source == f"recorded (BTC-USD from {path})"
    assert market.candles("BTC-USD", Timeframe.HOUR, 5, at=BEGIN) == ()
    with pytest.raises(MarketUnavailable, match="the recording of BTC-USD is empty"):
        market.ticker("BTC-USD", at=BEGIN)


def test_the_ticker_is_the_newest_closed_candle() -> None:
    market = market_of(*CANDLES)
    ticker = market.ticker("BTC-USD", at=BEGIN + timedelta(minutes=8, seconds=59))
    assert {ticker.bid, ticker.ask, ticker.last} == {Decimal(1008)}
    assert ticker.timestamp == BEGIN + timedelta(minutes=8)
    assert ticker.volume_24h == Decimal("0.80000028")
    book = market.order_book("BTC-USD", 5, at=BEGIN + timedelta(minutes=8))
    assert book.bids == book.asks == (Level(Decimal(1008), Decimal("0.10000007")),)


def test_the_volume_is_that_of_24_hours() -> None:
    later = CANDLES[0]._replace(timestamp=BEGIN + timedelta(hours=24), volume=Decimal(7))
    market = market_of(*CANDLES[:3], later)
    ticker = market.ticker("BTC-USD", at=BEGIN + timedelta(days=2))
    assert ticker.timestamp == BEGIN + timedelta(hours=24, minutes=1)
    assert ticker.volume_24h == Decimal("7.20000003")  # without the first minute's, which is a minute too old


def test_without_volume_there_is_no_level() -> None:
    market = market_of(minute(0)._replace(volume=Decimal(0)))
    assert market.order_book("BTC-USD", 5, at=END).asks == ()


def test_before_the_first_candle_is_closed_there_is_no_price() -> None:
    sentence = (
        "the market can't answer: the recording of BTC-USD begins at 2026-03-04T10:00:00.000000Z, "
        "and has no candle closed at 2026-03-04T10:00:59.000000Z"
    )
    with pytest.raises(MarketUnavailable) as caught:
        market_of(*CANDLES).ticker("BTC-USD", at=BEGIN + timedelta(seconds=59))
    assert str(caught.value) == sentence


def test_past_its_end_the_last_candle_stays_the_newest() -> None:
    market = market_of(*CANDLES)
    assert market.ticker("BTC-USD", at=END + timedelta(days=365)).last == 1360
    assert market.candles("BTC-USD", Timeframe.MINUTE, 2, at=END + timedelta(days=365)) == CANDLES[-2:]


def test_smaller_candles_than_the_recorded_ones_there_are_none() -> None:
    market = market_of(timeframe=Timeframe.HOUR)
    with pytest.raises(InvalidField) as caught:
        market.candles("BTC-USD", Timeframe.QUARTER, 1, at=END)
    assert str(caught.value) == 'timeframe: "15m" is not at least that of the recording, 1h'


def test_larger_candles_are_made_of_what_is_there() -> None:
    given = [CANDLES[number] for number in (3, 4, 5, 6, 8, 9, 10, 12, 14, 15, 16)]
    made = resampled(given, timeframe=Timeframe.MINUTE, into=Timeframe.FIVE_MINUTES)
    assert made == (
        # the candle of 10:00 began before the recording, and that of 10:15 ends behind it
        Candle(
            BEGIN + timedelta(minutes=5),
            Decimal(1005),
            Decimal("1011.50"),
            Decimal("1004.25"),
            Decimal(1010),
            Decimal("0.40000028"),
        ),
        Candle(
            BEGIN + timedelta(minutes=10),
            Decimal(1010),
            Decimal("1016.50"),
            Decimal("1009.25"),
            Decimal(1015),
            Decimal("0.30000036"),
        ),
    )
    assert resampled([], timeframe=Timeframe.MINUTE, into=Timeframe.DAY) == ()
    assert resampled(CANDLES[1:4], timeframe=Timeframe.MINUTE, into=Timeframe.FIVE_MINUTES) == ()


def test_a_day_is_that_of_utc() -> None:
    opens = datetime(2026, 3, 4, tzinfo=UTC)
    hours = [minute(0)._replace(timestamp=opens + timedelta(hours=hour)) for hour in range(-1, 25)]
    (day,) = resampled(hours, timeframe=Timeframe.HOUR, into=Timeframe.DAY)
    assert (day.timestamp, day.volume) == (opens, Decimal("2.4"))


def test_sums_are_exact() -> None:
    assert str(total([Decimal(123456789012345678), Decimal("0.000000000000000001")])) == (
        "123456789012345678.000000000000000001"
    )


def test_larger_candles_are_made_once_and_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month of minutes takes most of a second."""
    threads: list[threading.Thread] = []

    def noted(*arguments: Any, **options: Any) -> Any:
        threads.append(threading.current_thread())
        return resampled(*arguments, **options)

    monkeypatch.setattr("shared.market.recorded.resampled", noted)
    market = market_of(*CANDLES)

    async def ask() -> None:
        asked = [
            market.candles_async("BTC-USD", Timeframe.HOUR, 2, at=END),
            market.candles_after_async("BTC-USD", Timeframe.HOUR, None, 2),
            market.candles_async("BTC-USD", Timeframe.HOUR, 3, at=END),
        ]
        assert [len(each) for each in await asyncio.gather(*asked)] == [2, 2, 3]

    asyncio.run(ask())
    (thread,) = threads
    assert thread is not threading.main_thread()
