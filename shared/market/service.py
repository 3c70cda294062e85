"""The market as a service behind the ports: JSON in, JSON out, as the wire shows it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.candle import Candle, Timeframe
from shared.clock import utc_text
from shared.market.base import Level, Market, OrderBook, Ticker
from shared.wire_fields import plain_decimal


class MarketService:
    """Reads for request handlers, called by name through `ports.outbound`. `at` is the request's instant as ISO 8601,
    amounts are plain decimal strings. Raises what the market raises."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def ticker(self, *, symbol: str, at: str) -> dict[str, Any]:
        return _ticker_json(self._market.ticker(symbol, at=datetime.fromisoformat(at)))

    async def ticker_async(self, *, symbol: str, at: str) -> dict[str, Any]:
        return _ticker_json(await self._market.ticker_async(symbol, at=datetime.fromisoformat(at)))

    def order_book(self, *, symbol: str, limit: int, at: str) -> dict[str, Any]:
        return _book_json(self._market.order_book(symbol, limit, at=datetime.fromisoformat(at)))

    async def order_book_async(self, *, symbol: str, limit: int, at: str) -> dict[str, Any]:
        return _book_json(await self._market.order_book_async(symbol, limit, at=datetime.fromisoformat(at)))

    def candles(self, *, symbol: str, timeframe: str, limit: int, at: str) -> dict[str, Any]:
        instant = datetime.fromisoformat(at)
        candles = self._market.candles(symbol, Timeframe(timeframe), limit, at=instant)
        return _candles_json(symbol, timeframe, candles)

    async def candles_async(self, *, symbol: str, timeframe: str, limit: int, at: str) -> dict[str, Any]:
        instant = datetime.fromisoformat(at)
        candles = await self._market.candles_async(symbol, Timeframe(timeframe), limit, at=instant)
        return _candles_json(symbol, timeframe, candles)

    def source(self) -> str:
        """Where the prices come from, for people."""
        return self._market.source

    def close(self) -> None:
        self._market.close()


def _ticker_json(ticker: Ticker) -> dict[str, Any]:
    return {
        "symbol": ticker.symbol,
        "bid": plain_decimal(ticker.bid),
        "ask": plain_decimal(ticker.ask),
        "last": plain_decimal(ticker.last),
        "volume_24h": plain_decimal(ticker.volume_24h),
        "timestamp": utc_text(ticker.timestamp),
    }


def _book_json(book: OrderBook) -> dict[str, Any]:
    return {"symbol": book.symbol, "bids": _levels_json(book.bids), "asks": _levels_json(book.asks)}


def _levels_json(levels: Sequence[Level]) -> list[list[str]]:
    return [[plain_decimal(level.price), plain_decimal(level.quantity)] for level in levels]


def _candles_json(symbol: str, timeframe: str, candles: Sequence[Candle]) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "timeframe": timeframe,
        "candles": [
            {
                "timestamp": utc_text(candle.timestamp),
                "open": plain_decimal(candle.open),
                "high": plain_decimal(candle.high),
                "low": plain_decimal(candle.low),
                "close": plain_decimal(candle.close),
                "volume": plain_decimal(candle.volume),
            }
            for candle in candles
        ],
    }
