"""What the broker's tests share: a market whose prices a test sets, candles, and orders in few words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from shared.broker.base import OrderRequest, Quote
from shared.broker.money import PaperRules
from shared.errors import UnknownSymbol

NOON = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BTC = "BTC-USD"
ETH = "ETH-USD"
FREE = PaperRules()
"""No fee and no slippage."""


class Market:
    """A PriceSource with one set of prices for all instants; a symbol without a price is unknown."""

    def __init__(self, **lasts: str) -> None:
        self.quotes: dict[str, Quote] = {}
        self.asked: list[tuple[str, datetime]] = []
        for symbol, last in lasts.items():
            self.set(symbol.replace("_", "-"), last)

    def set(self, symbol: str, last: str, *, bid: str | None = None, ask: str | None = None) -> None:
        self.quotes[symbol] = Quote(Decimal(bid or last), Decimal(ask or last), Decimal(last))

    def quote(self, symbol: str, at: datetime) -> Quote:
        self.asked.append((symbol, at))
        if symbol not in self.quotes:
            raise UnknownSymbol(symbol)
        return self.quotes[symbol]

    async def quote_async(self, symbol: str, at: datetime) -> Quote:
        return self.quote(symbol, at)


@dataclass(frozen=True)
class Candle:
    timestamp: datetime
    high: Decimal
    low: Decimal
    close: Decimal


def candle(low: str, high: str, *, minute: int = 1) -> Candle:
    """One that opens this many minutes after noon."""
    return Candle(NOON + minute * MINUTE, high=Decimal(high), low=Decimal(low), close=Decimal(low))


_NUMBERS: Iterator[int] = count(1)


def order(side: Any, quantity: str, price: str | None = None, **changes: Any) -> OrderRequest:
    """A limit order where there is a price, else a market order; in bitcoin, under a name of its own."""
    values: dict[str, Any] = {
        "client_order_id": f"client-{next(_NUMBERS)}",
        "symbol": BTC,
        "side": side,
        "type": "market" if price is None else "limit",
        "quantity": Decimal(quantity),
        "price": None if price is None else Decimal(price),
        **changes,
    }
    return OrderRequest(**values)


def buy(quantity: str, price: str | None = None, **changes: Any) -> OrderRequest:
    return order("buy", quantity, price, **changes)


def sell(quantity: str, price: str | None = None, **changes: Any) -> OrderRequest:
    return order("sell", quantity, price, **changes)
