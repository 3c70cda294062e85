"""Prices, as a paper broker asks for them."""

from datetime import datetime
from decimal import Decimal

from shared.broker.base import Quote
from shared.errors import UnknownSymbol
from shared.market.base import Market, Ticker


class MarketPrices:
    """The quotes of a market's tickers. Raises what the market raises."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def quote(self, symbol: str, at: datetime) -> Quote:
        return _quote(self._market.ticker(symbol, at=at))

    async def quote_async(self, symbol: str, at: datetime) -> Quote:
        return _quote(await self._market.ticker_async(symbol, at=at))


class LastPrices:
    """A PriceSource for a paper broker: each symbol's last close is what it is bought and sold at."""

    def __init__(self) -> None:
        self._quotes: dict[str, Quote] = {}

    def set(self, symbol: str, price: Decimal) -> None:
        self._quotes[symbol] = Quote(price, price, price)

    def quote(self, symbol: str, at: datetime) -> Quote:  # noqa: ARG002 - the last one is the present one
        try:
            return self._quotes[symbol]
        except KeyError:
            raise UnknownSymbol(symbol) from None

    async def quote_async(self, symbol: str, at: datetime) -> Quote:
        return self.quote(symbol, at)


def _quote(ticker: Ticker) -> Quote:
    return Quote(bid=ticker.bid, ask=ticker.ask, last=ticker.last)
