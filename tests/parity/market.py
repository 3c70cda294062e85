"""A small market whose every answer can be told by heart."""

from datetime import datetime, timedelta
from decimal import Decimal

from shared.candle import Candle, Timeframe
from shared.errors import UnknownSymbol
from shared.market.base import Level, OrderBook, Ticker
from shared.market.inline import InlineMarket

_CANDLES = {"BTC-USD": 3, "ETH-USD": 1_100, "WAVE-USD": 60}
_LEVELS = 120
_QUOTES = {
    "BTC-USD": (Decimal("64250.05"), Decimal("64250.15"), Decimal("64250.10")),
    "ETH-USD": (Decimal("1.49E-6"), Decimal("1.51E-6"), Decimal("1.50E-6")),
    "WAVE-USD": (Decimal(105), Decimal(105), Decimal(105)),
}


class FixedMarket(InlineMarket):
    """Bitcoin costs 64250.10 and ether 0.00000150, at any time: a quote is a second old.

    Whatever their length, bitcoin has three candles that are closed, and ether 1,100; they open at 1, 2, 3 …, and close
    0.50 higher. The wave has 60: they open at 106, 105 … 100, and up again, and so on. A book has 120 levels a side:
    bids from 1000 down, asks from 1001 up, of quantities 1.0 and 2.50.
    """

    def __init__(self, source: str = "fixed") -> None:
        self._source = source

    @property
    def source(self) -> str:
        return self._source

    def symbols(self) -> tuple[str, ...]:
        return tuple(_QUOTES)

    def ticker(self, symbol: str, *, at: datetime) -> Ticker:
        bid, ask, last = _known(symbol)
        return Ticker(
            symbol=symbol,
            bid=bid,
            ask=ask,
            last=last,
            volume_24h=Decimal("1E+3"),
            timestamp=at - timedelta(seconds=1),
        )

    def order_book(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:  # noqa: ARG002
        _known(symbol)
        places = range(min(limit, _LEVELS))
        return OrderBook(
            symbol=symbol,
            bids=tuple(Level(Decimal(1000 - place), Decimal("1.0")) for place in places),
            asks=tuple(Level(Decimal(1001 + place), Decimal("2.50")) for place in places),
        )

    def candles(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        _known(symbol)
        end, length, count = timeframe.open_of(at), timedelta(seconds=timeframe.seconds), _CANDLES[symbol]
        numbers = range(max(0, count - limit), count)
        return tuple(_candle(end - length * (count - number), _opening_price(symbol, number)) for number in numbers)

    def candles_after(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        raise NotImplementedError("no request handler feeds itself")


def _opening_price(symbol: str, number: int) -> Decimal:
    return Decimal(100 + abs(number % 12 - 6) if symbol == "WAVE-USD" else 1 + number)


def _candle(opens: datetime, price: Decimal) -> Candle:
    return Candle(opens, price, price + 1, price - Decimal("0.25"), price + Decimal("0.50"), Decimal("7.00"))


def _known(symbol: str) -> tuple[Decimal, Decimal, Decimal]:
    try:
        return _QUOTES[symbol]
    except KeyError:
        raise UnknownSymbol(symbol) from None
