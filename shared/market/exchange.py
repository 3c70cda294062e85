"""An exchange's market, through ccxt."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from shared.candle import Candle, Timeframe
from shared.clock import aware
from shared.errors import ExchangeRefused, ExchangeUnavailable, InvalidField, MarketUnavailable
from shared.exchange_client import Call, ExchangeClient, spot_market
from shared.market.base import Level, OrderBook, Ticker

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MIN_ROWS, _MAX_ROWS = 100, 1_000
_BOOK_SIZES = (20, 100)
"""The sizes of a book that every exchange takes."""


class ExchangeMarket:
    """The exchange's spot markets; BTC-USD is its BTC/USD.

    What is closed is told by the caller's instant, so its clock has to be right. An exchange leaves out the candles in
    which nothing was traded, or doesn't, as it likes; `candles` gives fewer where it does.
    """

    def __init__(self, client: ExchangeClient) -> None:
        self._client = client

    @property
    def source(self) -> str:
        return self._client.source

    def symbols(self) -> tuple[str, ...]:
        return self._read(_symbols)

    async def symbols_async(self) -> tuple[str, ...]:
        return await self._read_async(_symbols)

    def ticker(self, symbol: str, *, at: datetime) -> Ticker:
        instant = aware(at)
        return self._read(lambda exchange: _ticker(exchange, symbol, instant))

    async def ticker_async(self, symbol: str, *, at: datetime) -> Ticker:
        instant = aware(at)
        return await self._read_async(lambda exchange: _ticker(exchange, symbol, instant))

    def order_book(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:
        aware(at)
        return self._read(lambda exchange: _order_book(exchange, symbol, limit))

    async def order_book_async(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:
        aware(at)
        return await self._read_async(lambda exchange: _order_book(exchange, symbol, limit))

    def candles(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        first, end = _newest(timeframe, limit, at)
        return self._read(lambda exchange: _candles(exchange, symbol, timeframe, first, end, limit))

    async def candles_async(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        first, end = _newest(timeframe, limit, at)
        return await self._read_async(lambda exchange: _candles(exchange, symbol, timeframe, first, end, limit))

    def candles_after(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        first, end = _behind(timeframe, after), until and timeframe.open_of(until)
        return self._read(lambda exchange: _candles(exchange, symbol, timeframe, first, end, limit))

    async def candles_after_async(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        first, end = _behind(timeframe, after), until and timeframe.open_of(until)
        return await self._read_async(lambda exchange: _candles(exchange, symbol, timeframe, first, end, limit))

    def close(self) -> None:
        """Lets go of the client, too."""
        self._client.close()

    def _read(self, call: Call[T]) -> T:
        try:
            return self._client.read(call)
        except (ExchangeRefused, ExchangeUnavailable) as exc:
            raise MarketUnavailable(exc.problem) from exc

    async def _read_async(self, call: Call[T]) -> T:
        try:
            return await self._client.read_async(call)
        except (ExchangeRefused, ExchangeUnavailable) as exc:
            raise MarketUnavailable(exc.problem) from exc


async def _symbols(exchange: Any) -> tuple[str, ...]:
    return tuple(
        sorted(
            f"{market['base']}-{market['quote']}"
            for market in exchange.markets.values()
            if market["spot"] and market["active"] is not False
        )
    )


async def _ticker(exchange: Any, symbol: str, at: datetime) -> Ticker:
    got = await exchange.fetch_ticker(spot_market(exchange, symbol)["symbol"])
    for field in ("bid", "ask", "last", "baseVolume"):
        if got[field] is None:
            raise MarketUnavailable(f"{exchange.id} has no {field} for {symbol}")
    return Ticker(
        symbol=symbol,
        bid=got["bid"],
        ask=got["ask"],
        last=got["last"],
        volume_24h=got["baseVolume"],
        timestamp=at if got["timestamp"] is None else _instant(got["timestamp"]),
    )


async def _order_book(exchange: Any, symbol: str, limit: int) -> OrderBook:
    size = next((size for size in _BOOK_SIZES if size >= limit), limit)
    got = await exchange.fetch_order_book(spot_market(exchange, symbol)["symbol"], size)
    return OrderBook(symbol=symbol, bids=_levels(got["bids"], limit), asks=_levels(got["asks"], limit))


def _levels(rows: Iterable[Any], limit: int) -> tuple[Level, ...]:
    return tuple(Level(row[0], row[1]) for row in list(rows)[:limit])


async def _candles(
    exchange: Any, symbol: str, timeframe: Timeframe, first: datetime, end: datetime | None, limit: int
) -> tuple[Candle, ...]:
    """The first candles that open from `first` on and before `end`. Without an `end` the newest that the exchange
    gives is taken to be open still."""
    name = spot_market(exchange, symbol)["symbol"]
    known = exchange.timeframes or {}
    if str(timeframe) not in known:
        rule = f"one that {exchange.id} has: {', '.join(known)}"
        raise InvalidField("timeframe", str(timeframe), rule)
    if end is None:
        rows = await exchange.fetch_ohlcv(name, str(timeframe), _milliseconds(first), _rows(limit + 1))
        return tuple(_candle(exchange, row) for row in rows[:-1])[:limit]
    step, found = timedelta(seconds=timeframe.seconds), list[Candle]()
    while first < end and len(found) < limit:
        asked = _rows(limit - len(found))
        rows = await exchange.fetch_ohlcv(name, str(timeframe), _milliseconds(first), asked)
        page = [_candle(exchange, row) for row in rows if first <= _instant(row[0]) < end]
        found += page
        # Nothing in the stretch: some exchanges look no further than the rows that are asked for would reach.
        first = page[-1].timestamp + step if page else first + asked * step
    return tuple(found[:limit])


def _candle(exchange: Any, row: list[Any]) -> Candle:
    try:
        return Candle(_instant(row[0]), *row[1:6])
    except InvalidField as exc:
        raise MarketUnavailable(f"{exchange.id} gave a candle that can't be: {exc}") from exc


def _rows(wanted: int) -> int:
    return min(_MAX_ROWS, max(_MIN_ROWS, wanted))


def _newest(timeframe: Timeframe, limit: int, at: datetime) -> tuple[datetime, datetime]:
    end = timeframe.open_of(at)
    return max(_EPOCH, end - limit * timedelta(seconds=timeframe.seconds)), end


def _behind(timeframe: Timeframe, after: datetime | None) -> datetime:
    if after is None:
        return _EPOCH
    return max(_EPOCH, timeframe.open_of(after) + timedelta(seconds=timeframe.seconds))


def _instant(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND
