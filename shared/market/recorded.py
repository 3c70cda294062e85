"""A market of recorded candles, held in memory."""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path

from shared.candle import Candle, Timeframe
from shared.clock import aware, utc_text
from shared.errors import InvalidField, MarketUnavailable, UnknownSymbol
from shared.market.base import Level, OrderBook, Ticker
from shared.market.files import read_candles
from shared.market.inline import InlineMarket
from shared.market.resampling import resampled, total

_DAY = timedelta(days=1)
_OPENS = attrgetter("timestamp")


class RecordedMarket(InlineMarket):
    """Candles as they were; larger timeframes are made of them, smaller ones there are none.

    A recording has no quotes and no book. So bid, ask and last are the close of the newest candle that is closed, whose
    end is the ticker's timestamp; the book has one level a side, at that price, with that candle's volume. Past the
    recording's end its last candle stays the newest; before the first one is closed, MarketUnavailable is raised.
    """

    def __init__(self, candles: Mapping[str, Iterable[Candle]], *, timeframe: Timeframe, source: str) -> None:
        self._candles = {symbol: tuple(candles[symbol]) for symbol in sorted(candles)}
        self._timeframe = timeframe
        self._source = source
        self._resampled: dict[tuple[str, Timeframe], Sequence[Candle]] = {
            (symbol, timeframe): own for symbol, own in self._candles.items()
        }
        self._resampling = threading.Lock()

    @classmethod
    def of_files(cls, files: Mapping[str, Path], *, timeframe: Timeframe) -> "RecordedMarket":
        """Each symbol's candles from its file, read now. Raises CandleFileError."""
        return cls(
            {symbol: read_candles(path, timeframe) for symbol, path in files.items()},
            timeframe=timeframe,
            source=f"recorded ({', '.join(f'{symbol} from {path}' for symbol, path in sorted(files.items()))})",
        )

    @property
    def source(self) -> str:
        return self._source

    def symbols(self) -> tuple[str, ...]:
        return tuple(self._candles)

    def ticker(self, symbol: str, *, at: datetime) -> Ticker:
        candles, newest = self._until(symbol, at)
        end = candles[newest].timestamp + timedelta(seconds=self._timeframe.seconds)
        oldest = bisect_left(candles, end - _DAY, key=_OPENS)
        price = candles[newest].close
        return Ticker(
            symbol=symbol,
            bid=price,
            ask=price,
            last=price,
            volume_24h=total(candle.volume for candle in candles[oldest : newest + 1]),
            timestamp=end,
        )

    def order_book(self, symbol: str, limit: int, *, at: datetime) -> OrderBook:
        candles, newest = self._until(symbol, at)
        levels = (Level(candles[newest].close, candles[newest].volume),) if candles[newest].volume else ()
        return OrderBook(symbol=symbol, bids=levels[:limit], asks=levels[:limit])

    def candles(self, symbol: str, timeframe: Timeframe, limit: int, *, at: datetime) -> tuple[Candle, ...]:
        candles = self._of(symbol, timeframe)
        end = _closed(candles, timeframe, at)
        return tuple(candles[max(0, end - limit) : end])

    def candles_after(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        candles = self._of(symbol, timeframe)
        first = 0 if after is None else bisect_right(candles, aware(after), key=_OPENS)
        end = len(candles) if until is None else _closed(candles, timeframe, until)
        return tuple(candles[first : min(end, first + limit)])

    def is_at_hand(self, symbol: str, timeframe: Timeframe) -> bool:
        """A month of minutes takes most of a second to be made into larger candles, once."""
        return symbol not in self._candles or (symbol, timeframe) in self._resampled

    def _until(self, symbol: str, at: datetime) -> tuple[Sequence[Candle], int]:
        """The symbol's own candles, and the place of the newest that is closed at that instant."""
        candles = self._of(symbol, self._timeframe)
        closed = _closed(candles, self._timeframe, at)
        if not closed:
            begin = f"begins at {utc_text(candles[0].timestamp)}" if candles else "is empty"
            raise MarketUnavailable(f"the recording of {symbol} {begin}, and has no candle closed at {utc_text(at)}")
        return candles, closed - 1

    def _of(self, symbol: str, timeframe: Timeframe) -> Sequence[Candle]:
        if symbol not in self._candles:
            raise UnknownSymbol(symbol)
        if timeframe.seconds < self._timeframe.seconds:
            raise InvalidField("timeframe", str(timeframe), f"at least that of the recording, {self._timeframe}")
        place = symbol, timeframe
        if place not in self._resampled:
            with self._resampling:
                if place not in self._resampled:
                    own = self._candles[symbol]
                    self._resampled[place] = resampled(own, timeframe=self._timeframe, into=timeframe)
        return self._resampled[place]


def _closed(candles: Sequence[Candle], timeframe: Timeframe, at: datetime) -> int:
    """How many of the candles are closed at that instant."""
    return bisect_left(candles, timeframe.open_of(at), key=_OPENS)
