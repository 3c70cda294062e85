"""The market's contract: what every source of prices promises."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from shared.candle import Candle, Timeframe


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticker:
    """A symbol's prices as of `timestamp`, in its quote currency; `volume_24h` in its base currency."""

    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    volume_24h: Decimal
    timestamp: datetime


class Level(NamedTuple):
    """One price of an order book, and the quantity that waits there."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderBook:
    """What waits to be traded, the best price first on either side."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Market(Protocol):
    """Prices to read. Each method has two faces on one engine: called, it blocks its thread; with `_async`, it is
    awaited from any event loop. All of them may be called from any thread.

    Symbols are written BTC-USD. `at` is the caller's present instant: a market reads no clock of its own. Every
    method raises MarketUnavailable when the market can't answer; one that is given a symbol raises UnknownSymbol for
    one that the market doesn't quote. A naive instant is a ValueError.
    """

    @property
    def source(self) -> str:
        """Where the prices come from, for people: logs and health show it. Says `synthetic` where they are made up."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """What the market quotes, in order of their names."""
        ...

    async def symbols_async(self) -> tuple[str, ...]: ...

    def ticker(self, symbol: str, *, at: datetime) -> Ticker:
        """The prices at that instant. bid <= last <= ask need not hold on an exchange, where trades lag quotes."""
        ...

    async def ticker_async(self, symbol: str, *, at: datetime) -> Ticker: ...

    def order_book(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:
        """The best levels, at most `limit` a side."""
        ...

    async def order_book_async(self, symbol: str, limit: int, *, at: datetime) -> OrderBook: ...

    def candles(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        """The newest candles that are closed at that instant, at most `limit`, the oldest first.

        A candle is closed from the instant on at which the next one opens. Raises InvalidField for a timeframe that
        the market doesn't have.
        """
        ...

    async def candles_async(
        self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime
    ) -> tuple[Candle, ...]: ...

    def candles_after(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        """The first candles that open after `after` (None: from the market's first on) and are closed at `until`
        (None: all that the market has closed), at most `limit`, the oldest first. For a feed: the open of the last
        candle that it got is the next call's `after`.
        """
        ...

    async def candles_after_async(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]: ...

    def close(self) -> None:
        """Lets go of files, connections and threads. A closed market opens again when used."""
        ...
