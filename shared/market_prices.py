"""A market's prices, as a paper broker asks for them."""

from datetime import datetime

from shared.broker.base import Quote
from shared.market.base import Market, Ticker


class MarketPrices:
    """The quotes of a market's tickers. Raises what the market raises."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def quote(self, symbol: str, at: datetime) -> Quote:
        return _quote(self._market.ticker(symbol, at=at))

    async def quote_async(self, symbol: str, at: datetime) -> Quote:
        return _quote(await self._market.ticker_async(symbol, at=at))


def _quote(ticker: Ticker) -> Quote:
    return Quote(bid=ticker.bid, ask=ticker.ask, last=ticker.last)
