"""The awaited face of a market that has its prices in memory."""

import asyncio
from datetime import datetime

from shared.candle import Candle, Timeframe
from shared.market.base import Market, OrderBook, Ticker

INLINE_CANDLES = 100
"""How many candles take no longer than a small request. A thousand take some hundredths of a second."""


class InlineMarket(Market):
    """A Market whose answers are so quick that an event loop takes them inline, but for many candles, and for candles
    that aren't at hand."""

    def is_at_hand(self, symbol: str, timeframe: Timeframe) -> bool:  # noqa: ARG002
        """Whether a few candles take no longer than it takes to pick them."""
        return True

    async def symbols_async(self) -> tuple[str, ...]:
        return self.symbols()

    async def ticker_async(self, symbol: str, *, at: datetime) -> Ticker:
        return self.ticker(symbol, at=at)

    async def order_book_async(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:
        return self.order_book(symbol, limit, at=at)

    async def candles_async(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        if limit <= INLINE_CANDLES and self.is_at_hand(symbol, timeframe):
            return self.candles(symbol, timeframe, limit, at=at)
        return await asyncio.to_thread(self.candles, symbol, timeframe, limit, at=at)

    async def candles_after_async(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        if limit <= INLINE_CANDLES and self.is_at_hand(symbol, timeframe):
            return self.candles_after(symbol, timeframe, after, limit, until=until)
        return await asyncio.to_thread(self.candles_after, symbol, timeframe, after, limit, until=until)

    def close(self) -> None:
        """There is nothing to let go of."""
