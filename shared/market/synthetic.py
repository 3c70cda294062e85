"""The synthetic market: made-up prices that need no network, and are the same in every process and after a restart."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.candle import Candle, Timeframe
from shared.clock import aware
from shared.errors import MarketUnavailable, UnknownSymbol
from shared.market.base import Level, OrderBook, Ticker
from shared.market.inline import InlineMarket
from shared.market.synthetic_path import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    MINUTE,
    QUARTER,
    SECOND,
    SPAN_SECONDS,
    VOLUME_UNITS,
    Bar,
    SyntheticPath,
)

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
"""When the first candle opens."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVELS = {
    Timeframe.MINUTE: MINUTE,
    Timeframe.FIVE_MINUTES: FIVE_MINUTES,
    Timeframe.QUARTER: QUARTER,
    Timeframe.HOUR: HOUR,
    Timeframe.DAY: DAY,
}
_BARS_A_DAY = 86_400 // SPAN_SECONDS[FIVE_MINUTES]
_BOOK_TURNOVER_TICKS = 5_000_000


class SyntheticMarket(InlineMarket):
    """Prices as a function of seed, symbol and instant: exact, with two decimals, volumes with four.

    They are a random walk between daily levels, which follow slow waves. The ticker's `last` is the price at the start
    of its second, within the candle that is open; its volume is that of the newest 288 closed candles of 5 minutes.
    It knows no present: `candles_after` without `until` reaches into the future.
    """

    def __init__(self, symbols: Iterable[str], *, seed: int) -> None:
        self._seed = seed
        self._paths = {symbol: SyntheticPath(seed, symbol) for symbol in sorted(symbols)}

    @property
    def source(self) -> str:
        return f"synthetic (made up, seed {self._seed})"

    def symbols(self) -> tuple[str, ...]:
        return tuple(self._paths)

    def ticker(self, symbol: str, *, at: datetime) -> Ticker:
        path, second = self._path(symbol), _second(at)
        last, half_spread = _last_and_half_spread(path, second)
        end = second // SPAN_SECONDS[FIVE_MINUTES]
        start = max(end - _BARS_A_DAY, _seconds(BEGIN) // SPAN_SECONDS[FIVE_MINUTES])
        return Ticker(
            symbol=symbol,
            bid=_price(last - half_spread),
            ask=_price(last + half_spread),
            last=_price(last),
            volume_24h=_volume(path.volume(FIVE_MINUTES, start, end)),
            timestamp=_instant(second),
        )

    def order_book(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:
        path, second = self._path(symbol), _second(at)
        last, half_spread = _last_and_half_spread(path, second)
        drawn = path.numbers("book", second, 2 * limit)
        quantities = [
            _volume(_BOOK_TURNOVER_TICKS * VOLUME_UNITS * (8_192 + number) // 65_536 // last) for number in drawn
        ]
        return OrderBook(
            symbol=symbol,
            bids=tuple(
                Level(_price(last - half_spread * place), quantity)
                for place, quantity in enumerate(quantities[:limit], start=1)
                if last > half_spread * place
            ),
            asks=tuple(
                Level(_price(last + half_spread * place), quantity)
                for place, quantity in enumerate(quantities[limit:], start=1)
            ),
        )

    def candles(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        end = _seconds(at) // timeframe.seconds
        return self._candles(symbol, timeframe, end - limit, end)

    def candles_after(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        first = _seconds(BEGIN) // timeframe.seconds
        if after is not None:
            first = max(first, _seconds(after) // timeframe.seconds + 1)
        end = first + limit
        if until is not None:
            end = min(end, _seconds(until) // timeframe.seconds)
        return self._candles(symbol, timeframe, first, end)

    def _candles(self, symbol: str, timeframe: Timeframe, first: int, end: int) -> tuple[Candle, ...]:
        path, level = self._path(symbol), _LEVELS[timeframe]
        first = max(first, _seconds(BEGIN) // timeframe.seconds)
        return tuple(
            _candle(path.bar(level, index), _instant(index * timeframe.seconds)) for index in range(first, end)
        )

    def _path(self, symbol: str) -> SyntheticPath:
        try:
            return self._paths[symbol]
        except KeyError:
            raise UnknownSymbol(symbol) from None


def _seconds(instant: datetime) -> int:
    return (aware(instant) - _EPOCH) // timedelta(seconds=1)


def _second(at: datetime) -> int:
    if aware(at) < BEGIN:
        raise MarketUnavailable(f"the synthetic market begins at {BEGIN:%Y-%m-%d}, after {at:%Y-%m-%d}")
    return _seconds(at)


def _instant(second: int) -> datetime:
    return _EPOCH + timedelta(seconds=second)


def _last_and_half_spread(path: SyntheticPath, second: int) -> tuple[int, int]:
    last = path.bar(SECOND, second).open
    return last, max(1, last // 20_000)


def _candle(bar: Bar, opens: datetime) -> Candle:
    return Candle(
        opens,
        _price(bar.open),
        _price(bar.high),
        _price(bar.low),
        _price(bar.close),
        _volume(bar.volume),
    )


def _price(ticks: int) -> Decimal:
    return Decimal(ticks).scaleb(-2)


def _volume(units: int) -> Decimal:
    return Decimal(units).scaleb(-4)
