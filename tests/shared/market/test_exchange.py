import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared.candle import Timeframe
from shared.errors import InvalidField, MarketUnavailable
from shared.exchange_client import ExchangeClient
from shared.market.exchange import ExchangeMarket
from shared.settings import ExchangeSettings
from tests.fakes.exchange import HANDLERS, FakeExchange, Fault, cut, dropped, failed, serving, slow
from tests.shared.market.recorded import BEGIN, CANDLES

SYMBOL = "BTC-USD"
AT = BEGIN + timedelta(hours=5, seconds=34)
TICKER, KLINES = "/api/v3/ticker/24hr", "/api/v3/klines"


@pytest.fixture(scope="module", name="served")
def _served() -> Iterator[tuple[FakeExchange, ExchangeMarket]]:
    with serving(FakeExchange(CANDLES, now=AT)) as exchange:
        settings = ExchangeSettings(url=exchange.url, read_attempts=3, retry_wait_seconds=0.01)
        market = ExchangeMarket(ExchangeClient(settings))
        market.symbols()
        yield exchange, market
        market.close()


@pytest.fixture(name="exchange")
def _exchange(served: tuple[FakeExchange, ExchangeMarket], market: ExchangeMarket) -> FakeExchange:  # noqa: ARG001 - for its recovery
    return served[0]


@pytest.fixture(name="market")
def _market(served: tuple[FakeExchange, ExchangeMarket]) -> Iterator[ExchangeMarket]:
    served[0].recover()
    yield served[1]
    served[0].recover()


def problem(ask: Callable[[], Any]) -> str:
    with pytest.raises(MarketUnavailable) as caught:
        ask()
    return caught.value.problem


def test_what_comes_is_exact(market: ExchangeMarket) -> None:
    ticker, book = market.ticker(SYMBOL, at=AT), market.order_book(SYMBOL, 1, at=AT)
    assert [str(value) for value in (ticker.bid, ticker.ask, ticker.last)] == [
        "1300.95000000",
        "1301.05000000",
        "1301.00000000",
    ]
    assert str(ticker.volume_24h) == "8913.30000000000000007"
    assert [*map(str, book.bids[0])] == ["1300.95", "0.05000001"]
    assert [*map(str, book.asks[0])] == ["1301.05", "0.05000002"]


@pytest.mark.parametrize("fault", [failed(500), failed(503), failed(429), dropped(), cut()], ids=str)
def test_a_read_that_fails_is_tried_again(exchange: FakeExchange, market: ExchangeMarket, fault: Fault) -> None:
    exchange.fail(TICKER, fault, fault)
    assert market.ticker(SYMBOL, at=AT).last == 1301
    assert len(exchange.asked(TICKER)) >= 3


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(exchange: FakeExchange) -> None:
    settings = ExchangeSettings(
        url=exchange.url,
        request_timeout_seconds=0.25,
        read_attempts=20,
        read_timeout_seconds=60,
        retry_wait_seconds=0.01,
    )
    exchange.fail(TICKER, slow(0.6))
    market = ExchangeMarket(ExchangeClient(settings))
    assert market.ticker(SYMBOL, at=AT).last == 1301
    assert len(exchange.asked(TICKER)) >= 2
    market.close()


def test_after_the_last_attempt_the_market_is_out_of_reach(exchange: FakeExchange, market: ExchangeMarket) -> None:
    exchange.fail(TICKER, *[failed(503)] * 4)
    told = problem(lambda: market.ticker(SYMBOL, at=AT))
    assert (
        told
        == f'ExchangeNotAvailable: binance GET {exchange.url}{TICKER} 503 Service Unavailable {{"msg": "out of order"}}'
    )
    assert len(exchange.asked(TICKER)) == 3


def test_a_server_that_is_gone_is_out_of_reach() -> None:
    with serving(FakeExchange(CANDLES, now=AT)) as gone:
        pass
    settings = ExchangeSettings(url=gone.url, read_attempts=2, retry_wait_seconds=0.01)
    market = ExchangeMarket(ExchangeClient(settings))
    assert problem(market.symbols).startswith("ExchangeNotAvailable: binance GET http://127.0.0.1")
    market.close()


def test_an_answer_that_says_no_is_not_asked_for_again(exchange: FakeExchange, market: ExchangeMarket) -> None:
    exchange.fail(TICKER, failed(401))
    assert problem(lambda: market.ticker(SYMBOL, at=AT)).startswith("AuthenticationError: binance GET")
    assert len(exchange.asked(TICKER)) == 1


def test_an_answer_that_makes_no_sense_is_out_of_reach(market: ExchangeMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        HANDLERS,
        ("GET", KLINES),
        lambda _exchange, _request: [[int(BEGIN.timestamp() * 1_000), "1", "0", "2", "1", "1"]],
    )
    assert problem(lambda: market.candles(SYMBOL, Timeframe.MINUTE, 5, at=BEGIN + timedelta(minutes=1))) == (
        "binance gave a candle that can't be: high: 0 is not a finite Decimal greater than 0 and less than 10^18"
    )


def test_a_quote_that_is_missing_is_told(market: ExchangeMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HANDLERS, ("GET", TICKER), lambda _exchange, _request: {"symbol": "BTCUSD", "lastPrice": "1"})
    assert problem(lambda: market.ticker(SYMBOL, at=AT)) == "binance has no bid for BTC-USD"


def test_a_timeframe_that_the_exchange_does_not_have_is_a_wrong_field(exchange: FakeExchange) -> None:
    market = ExchangeMarket(ExchangeClient(ExchangeSettings(url=exchange.url)))
    market._client.read(_without_quarters)
    with pytest.raises(InvalidField, match='timeframe: "15m" is not one that binance has: 1m, 1h'):
        market.candles(SYMBOL, Timeframe.QUARTER, 1, at=AT)
    market.close()


async def _without_quarters(exchange: Any) -> None:
    exchange.timeframes = {"1m": "1m", "1h": "1h"}


def test_what_is_no_longer_traded_is_left_out(market: ExchangeMarket) -> None:
    assert market.symbols() == ("BTC-USD", "ETH-USD")


def test_without_an_end_the_candle_that_is_open_is_left_out(market: ExchangeMarket) -> None:
    assert market.candles_after(SYMBOL, Timeframe.MINUTE, CANDLES[297].timestamp, 50) == CANDLES[298:300]


def test_more_candles_than_an_answer_holds_come_page_by_page(
    exchange: FakeExchange, market: ExchangeMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = HANDLERS["GET", KLINES]
    monkeypatch.setitem(HANDLERS, ("GET", KLINES), lambda exchange, request: whole(exchange, request)[:70])
    assert market.candles(SYMBOL, Timeframe.MINUTE, 200, at=AT) == CANDLES[100:300]
    assert len(exchange.asked(KLINES)) == 3


def test_a_feed_passes_over_a_gap(market: ExchangeMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of an exchange that looks no further than the rows that are asked for would reach."""
    whole = HANDLERS["GET", KLINES]

    def gappy(exchange: FakeExchange, request: Any) -> Any:
        start, limit = int(request.fields["startTime"]), int(request.fields["limit"])
        rows = whole(exchange, request)
        gone = range(10, 250)
        opens = {int(CANDLES[number].timestamp.timestamp() * 1_000) for number in gone}
        return [row for row in rows if row[0] not in opens and row[0] < start + limit * 60_000]

    monkeypatch.setitem(HANDLERS, ("GET", KLINES), gappy)
    assert market.candles_after(SYMBOL, Timeframe.MINUTE, CANDLES[9].timestamp, 2, until=AT) == CANDLES[250:252]


def test_a_slow_exchange_holds_no_event_loop_up(exchange: FakeExchange, market: ExchangeMarket) -> None:
    async def ask() -> tuple[int, float]:
        exchange.fail(TICKER, slow(0.3))
        asked = asyncio.create_task(market.ticker_async(SYMBOL, at=AT))
        turns, begin = 0, time.monotonic()
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        await asked
        return turns, time.monotonic() - begin

    turns, seconds = asyncio.run(ask())
    assert seconds > 0.25
    assert turns > 5


def test_a_caller_that_leaves_cancels_its_request_alone(exchange: FakeExchange, market: ExchangeMarket) -> None:
    async def ask() -> int:
        exchange.fail(TICKER, slow(0.4))
        left = asyncio.create_task(market.ticker_async(SYMBOL, at=AT))
        while not exchange.asked(TICKER):  # noqa: ASYNC110 - it lives in other threads
            await asyncio.sleep(0.01)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        return int((await market.ticker_async("ETH-USD", at=AT)).last)

    assert asyncio.run(ask()) == 1301
