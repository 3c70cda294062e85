"""The wire of the market's routes: their queries, the models of their answers, and the header of made-up prices."""

from pydantic import BaseModel, ConfigDict

from shared.outbound import UnknownService
from shared.ports import LivePorts
from shared.wire import read_query
from shared.wire_fields import CandleLimit, LevelLimit, QueryTimeframe


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CandlesQuery(_Query):
    """Which candles: the newest that are closed."""

    timeframe: QueryTimeframe = "1m"
    limit: CandleLimit = 100


class OrderBookQuery(_Query):
    """How much of an order book: the best levels of each side."""

    limit: LevelLimit = 20


class TickerAnswer(BaseModel):
    """Prices in the symbol's quote currency, the volume in its base currency."""

    symbol: str
    bid: str
    ask: str
    last: str
    volume_24h: str
    timestamp: str


class CandleAnswer(BaseModel):
    """`timestamp` is the instant of its open."""

    timestamp: str
    open: str
    high: str
    low: str
    close: str
    volume: str


class CandlesAnswer(BaseModel):
    """The oldest candle first."""

    symbol: str
    timeframe: str
    candles: list[CandleAnswer]


class OrderBookAnswer(BaseModel):
    """Pairs of price and quantity, the best price first on either side."""

    symbol: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


def headers_of_prices(live_ports: LivePorts) -> dict[str, str]:
    """Those of each answer that succeeds and shows prices, or what came of them: where they are made up, it says so.

    The contract fixes the bodies' keys, so a header has to say it. It is the same for the whole of a process.
    """
    try:
        source: str = live_ports.for_request().outbound.read("market", "source")
    except UnknownService:
        return {}
    return {"X-Prices": "synthetic"} if source.startswith("synthetic") else {}


def read_candles_query(query_string: bytes) -> CandlesQuery:
    """Raises InvalidField."""
    return read_query(CandlesQuery, query_string)


def read_order_book_query(query_string: bytes) -> OrderBookQuery:
    """Raises InvalidField."""
    return read_query(OrderBookQuery, query_string)
