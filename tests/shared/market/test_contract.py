"""What every market promises: one suite for all markets and both faces. A new market is one more line in MARKETS."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from shared.candle import Candle, Timeframe
from shared.errors import UnknownSymbol
from shared.exchange_client import ExchangeClient
from shared.market.base import Market, OrderBook, Ticker
from shared.market.exchange import ExchangeMarket
from shared.market.recorded import RecordedMarket
from shared.market.synthetic import SyntheticMarket
from shared.settings import ExchangeSettings
from tests.fakes.exchange import FakeExchange, serving
from tests.shared.market.recorded import BEGIN, CANDLES, csv_text

SYMBOL = "BTC-USD"
AT = BEGIN + timedelta(hours=5, seconds=34)
"""300 minutes of the recording are closed, and the next is open."""


@contextmanager
def _synthetic(_directory: Path) -> Iterator[Market]:
    yield SyntheticMarket([SYMBOL, "ETH-USD"], seed=7)


@contextmanager
def _csv(directory: Path) -> Iterator[Market]:
    path = directory / "btc.csv"
    path.write_text(csv_text())
    yield RecordedMarket.of_files({SYMBOL: path, "ETH-USD": path}, timeframe=Timeframe.MINUTE)


@contextmanager
def _parquet(directory: Path) -> Iterator[Market]:
    path = directory / "btc.parquet"
    columns = zip(*CANDLES, strict=True)
    parquet.write_table(arrow.table(dict(zip(Candle._fields, map(list, columns), strict=True))), path)
    yield RecordedMarket.of_files({SYMBOL: path, "ETH-USD": path}, timeframe=Timeframe.MINUTE)


@contextmanager
def _exchange(_directory: Path) -> Iterator[Market]:
    with serving(FakeExchange(CANDLES, now=AT)) as exchange:
        market = ExchangeMarket(ExchangeClient(ExchangeSettings(url=exchange.url)))
        yield market
        market.close()


MARKETS: dict[str, Callable[[Path], AbstractContextManager[Market]]] = {
    "synthetic": _synthetic,
    "csv": _csv,
    "parquet": _parquet,
    "exchange": _exchange,
}


class Face:
    """Calls a market blocking, or awaits it on a loop of its own."""

    def __init__(self, market: Market, *, awaited: bool) -> None:
        self._market = market
        self._awaited = awaited

    def _ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        if not self._awaited:
            return getattr(self._market, name)(*arguments, **options)
        return asyncio.run(getattr(self._market, f"{name}_async")(*arguments, **options))

    def symbols(self) -> tuple[str, ...]:
        symbols: tuple[str, ...] = self._ask("symbols")
        return symbols

    def ticker(self, symbol: str = SYMBOL, *, at: datetime = AT) -> Ticker:
        ticker: Ticker = self._ask("ticker", symbol, at=at)
        return ticker

    def order_book(self, symbol: str = SYMBOL, limit: int = 20, *, at: datetime = AT) -> OrderBook:
        book: OrderBook = self._ask("order_book", symbol, limit, at=at)
        return book

    def candles(
        self, limit: int, timeframe: Timeframe = Timeframe.MINUTE, *, symbol: str = SYMBOL, at: datetime = AT
    ) -> tuple[Candle, ...]:
        candles: tuple[Candle, ...] = self._ask("candles", symbol, timeframe, limit, at=at)
        return candles

    def after(
        self,
        after: datetime | None,
        limit: int,
        timeframe: Timeframe = Timeframe.MINUTE,
        *,
        symbol: str = SYMBOL,
        **until: Any,
    ) -> tuple[Candle, ...]:
        candles: tuple[Candle, ...] = self._ask("candles_after", symbol, timeframe, after, limit, **until)
        return candles


@pytest.fixture(scope="module", params=MARKETS)
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with MARKETS[request.param](tmp_path_factory.mktemp("market")) as made:
        yield made


@pytest.fixture(params=["blocking", "awaited"])
def face(market: Market, request: pytest.FixtureRequest) -> Face:
    return Face(market, awaited=request.param == "awaited")


def test_it_says_where_prices_come_from(market: Market) -> None:
    assert market.source.startswith(("synthetic (made up", "recorded (BTC-USD from ", "binance (sandbox)"))


def test_symbols_are_in_order(face: Face) -> None:
    assert face.symbols() == ("BTC-USD", "ETH-USD")


def test_a_symbol_that_is_not_quoted_is_told(face: Face) -> None:
    for symbol in ("NOPE-USD", "btc-usd", "BTC", "BTC/USD", "BTCUSD", "BTC-", "BTC-USD-X", ""):
        for ask in (
            partial(face.ticker, symbol),
            partial(face.order_book, symbol),
            partial(face.candles, 1, symbol=symbol),
            partial(face.after, None, 1, symbol=symbol, until=AT),
        ):
            with pytest.raises(UnknownSymbol) as caught:
                ask()
            assert caught.value.symbol == symbol
            assert str(caught.value) == f"no symbol is named {symbol!r}"


def test_the_ticker_is_exact_and_of_its_instant(face: Face) -> None:
    ticker = face.ticker()
    assert ticker.symbol == SYMBOL
    assert {type(value) for value in (ticker.bid, ticker.ask, ticker.last, ticker.volume_24h)} == {Decimal}
    assert Decimal(0) < ticker.bid <= ticker.last <= ticker.ask
    assert ticker.volume_24h > 0
    assert ticker.timestamp.tzinfo is UTC
    assert AT - timedelta(minutes=1) < ticker.timestamp <= AT


def test_the_ticker_agrees_with_the_candle_that_closed(face: Face) -> None:
    (closed,) = face.candles(1)
    ticker = face.ticker(at=AT.replace(second=0))
    assert abs(ticker.last - closed.close) <= 1


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_the_book_is_in_order_and_as_deep_as_asked_for(face: Face, limit: int) -> None:
    ticker, book = face.ticker(), face.order_book(limit=limit)
    assert 1 <= len(book.bids) <= limit
    assert 1 <= len(book.asks) <= limit
    assert [level.price for level in book.bids] == sorted({level.price for level in book.bids}, reverse=True)
    assert [level.price for level in book.asks] == sorted({level.price for level in book.asks})
    assert (book.bids[0].price, book.asks[0].price) == (ticker.bid, ticker.ask)
    assert {type(value) for level in book.bids + book.asks for value in level} == {Decimal}
    assert all(level.quantity > 0 for level in book.bids + book.asks)


@pytest.mark.parametrize("timeframe", Timeframe)
def test_candles_are_the_newest_that_are_closed(face: Face, timeframe: Timeframe) -> None:
    step = timedelta(seconds=timeframe.seconds)
    candles = face.candles(5, timeframe)
    if timeframe is not Timeframe.DAY:  # the recording has none
        assert len(candles) == 5
        assert candles[-1].timestamp + step <= AT < candles[-1].timestamp + 2 * step
    assert all(later.timestamp - earlier.timestamp == step for earlier, later in itertools.pairwise(candles))
    assert {type(value) for candle in candles for value in candle[1:]} <= {Decimal}


def test_a_candle_is_closed_from_the_next_ones_open_on(face: Face) -> None:
    turn = AT.replace(second=0)
    assert face.candles(1, at=turn)[0].timestamp == turn - timedelta(minutes=1)
    assert face.candles(1, at=turn - timedelta(microseconds=1))[0].timestamp == turn - timedelta(minutes=2)
    assert face.after(turn - timedelta(minutes=2), 5, until=turn - timedelta(microseconds=1)) == ()
    assert len(face.after(turn - timedelta(minutes=2), 5, until=turn)) == 1


def test_larger_candles_are_made_of_the_smaller_ones(face: Face) -> None:
    minutes = face.candles(300)
    hours = face.candles(5, Timeframe.HOUR)
    assert len(minutes) == 300
    for number, hour in enumerate(hours):
        parts = minutes[60 * number : 60 * number + 60]
        assert hour == (
            parts[0].timestamp,
            parts[0].open,
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            sum(part.volume for part in parts),
        )


def test_a_feed_gets_every_candle_once(face: Face) -> None:
    got: list[Candle] = list(face.candles(1, at=AT - timedelta(hours=4)))
    while page := face.after(got[-1].timestamp, 77, until=AT):
        assert len(page) <= 77
        got += page
    assert got == list(face.candles(241))


def test_a_feed_that_begins_between_two_candles_gets_the_next(face: Face) -> None:
    first = face.after(BEGIN + timedelta(seconds=1), 1, until=AT)
    assert [candle.timestamp for candle in first] == [BEGIN + timedelta(minutes=1)]
    assert face.after(AT, 5, until=AT) == ()


def test_the_first_candles_of_a_market(face: Face) -> None:
    first = face.after(None, 3)
    assert len(first) == 3
    assert face.after(None, 2, until=AT) == first[:2]
    assert face.after(first[0].timestamp, 2) == first[1:]


def test_an_instant_may_have_any_zone(face: Face) -> None:
    there = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert face.candles(2, at=there) == face.candles(2)
    assert face.ticker(at=there) == face.ticker()


def test_a_naive_instant_is_refused(face: Face) -> None:
    naive = AT.replace(tzinfo=None)
    for ask in (
        lambda: face.ticker(at=naive),
        lambda: face.order_book(at=naive),
        lambda: face.candles(1, at=naive),
        lambda: face.after(naive, 1),
        lambda: face.after(AT, 1, until=naive),
    ):
        with pytest.raises(ValueError, match="not aware of its time zone"):
            ask()


def test_threads_and_loops_ask_at_once(market: Market) -> None:
    expected = Face(market, awaited=False).candles(50), Face(market, awaited=False).ticker()

    async def both() -> tuple[tuple[Candle, ...], Ticker]:
        return await asyncio.gather(
            market.candles_async(SYMBOL, Timeframe.MINUTE, 50, at=AT), market.ticker_async(SYMBOL, at=AT)
        )

    def blocking() -> tuple[tuple[Candle, ...], Ticker]:
        return market.candles(SYMBOL, Timeframe.MINUTE, 50, at=AT), market.ticker(SYMBOL, at=AT)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(asyncio.run, both()) if number % 2 else pool.submit(blocking) for number in range(12)]
        assert [tuple(answer.result(20)) for answer in asked] == [expected] * 12


def test_a_closed_market_opens_again(market: Market) -> None:
    before = market.candles(SYMBOL, Timeframe.MINUTE, 3, at=AT)
    market.close()
    market.close()
    assert market.candles(SYMBOL, Timeframe.MINUTE, 3, at=AT) == before


@pytest.mark.parametrize("recorded", ["csv", "parquet", "exchange"])
def test_the_recording_comes_through_unchanged(recorded: str, tmp_path: Path) -> None:
    with MARKETS[recorded](tmp_path) as market:
        assert market.candles(SYMBOL, Timeframe.MINUTE, 1_000, at=AT) == CANDLES[:300]
        assert market.candles_after(SYMBOL, Timeframe.MINUTE, CANDLES[9].timestamp, 2) == CANDLES[10:12]
        (quarter,) = market.candles(SYMBOL, Timeframe.QUARTER, 1, at=BEGIN + timedelta(minutes=30))
        assert [*map(str, quarter[1:])] == ["1015", "1031.50", "1014.25", "1030", "1.50000330"]
