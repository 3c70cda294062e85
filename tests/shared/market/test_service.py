"""The market as handlers call it: by name through the port, in JSON, by either face."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from shared.candle import Candle, Timeframe
from shared.errors import MarketUnavailable, UnknownSymbol
from shared.market.base import OrderBook, Ticker
from shared.market.service import MarketService
from shared.outbound import Services
from tests.parity.market import FixedMarket

AT = "2025-03-03T12:00:30.250000Z"

Read = Callable[..., Awaitable[Any]]


class Blocking(FixedMarket):
    """May be asked by the blocking face alone."""

    ticker_async = order_book_async = candles_async = None  # type: ignore[assignment]


class Awaited(FixedMarket):
    """May be asked by the awaited face alone."""

    async def ticker_async(self, symbol: str, *, at: datetime) -> Ticker:
        return super().ticker(symbol, at=at)

    async def order_book_async(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:
        return super().order_book(symbol, limit, at=at)

    async def candles_async(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        return super().candles(symbol, timeframe, limit, at=at)

    ticker = order_book = candles = None  # type: ignore[assignment]


@pytest.fixture(params=[Blocking, Awaited])
def read(request: pytest.FixtureRequest) -> Read:
    outbound = Services({"market": MarketService(request.param())})

    async def by_the_face(method: str, **arguments: Any) -> Any:
        if request.param is Awaited:
            return await outbound.read_async("market", method, **arguments)
        return outbound.read("market", method, **arguments)

    return by_the_face


async def test_a_ticker(read: Read) -> None:
    assert await read("ticker", symbol="ETH-USD", at=AT) == {
        "symbol": "ETH-USD",
        "bid": "0.00000149",
        "ask": "0.00000151",
        "last": "0.00000150",
        "volume_24h": "1000",
        "timestamp": "2025-03-03T12:00:29.250000Z",
    }


async def test_candles(read: Read) -> None:
    assert await read("candles", symbol="BTC-USD", timeframe="15m", limit=2, at=AT) == {
        "symbol": "BTC-USD",
        "timeframe": "15m",
        "candles": [
            {
                "timestamp": "2025-03-03T11:30:00.000000Z",
                "open": "2",
                "high": "3",
                "low": "1.75",
                "close": "2.50",
                "volume": "7.00",
            },
            {
                "timestamp": "2025-03-03T11:45:00.000000Z",
                "open": "3",
                "high": "4",
                "low": "2.75",
                "close": "3.50",
                "volume": "7.00",
            },
        ],
    }


async def test_an_order_book(read: Read) -> None:
    assert await read("order_book", symbol="BTC-USD", limit=2, at=AT) == {
        "symbol": "BTC-USD",
        "bids": [["1000", "1.0"], ["999", "1.0"]],
        "asks": [["1001", "2.50"], ["1002", "2.50"]],
    }


async def test_every_answer_is_json_as_it_is(read: Read) -> None:
    """So that what was recorded in one process is what another one replays."""
    for method, arguments in (
        ("ticker", {}),
        ("candles", {"timeframe": "1m", "limit": 3}),
        ("order_book", {"limit": 1}),
    ):
        answer = await read(method, symbol="BTC-USD", at=AT, **arguments)
        assert json.loads(json.dumps(answer)) == answer


async def test_what_the_market_raises_is_raised(read: Read) -> None:
    with pytest.raises(UnknownSymbol, match="no symbol is named 'BTC-EUR'"):
        await read("ticker", symbol="BTC-EUR", at=AT)


async def test_a_market_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: Any, **_options: Any) -> Any:
        raise MarketUnavailable("the exchange is away")

    monkeypatch.setattr(FixedMarket, "ticker", away)
    service = MarketService(FixedMarket())
    with pytest.raises(MarketUnavailable):
        service.ticker(symbol="BTC-USD", at=AT)
    with pytest.raises(MarketUnavailable):
        await service.ticker_async(symbol="BTC-USD", at=AT)


def test_it_says_where_the_prices_come_from() -> None:
    assert Services({"market": MarketService(FixedMarket())}).read("market", "source") == "fixed"


def test_it_closes_the_market(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(FixedMarket, "close", lambda market: closed.append(market.source))
    MarketService(FixedMarket()).close()
    assert closed == ["fixed"]
