"""What a replay's report remembers while the candles pass: prices in few enough points to draw, and refusals."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.bot.events import Event
from shared.candle import Candle

MAX_POINTS = 1_000

_TOLD_EVERY = 250


@dataclass(slots=True)
class Stretch:
    """Neighbouring candles as one: when the first and the last opened, the extremes, and the last close."""

    first: datetime
    last: datetime
    low: Decimal
    high: Decimal
    close: Decimal


class Tape:
    """Of at most `candles` candles, so that no more than MAX_POINTS stretches come of them."""

    def __init__(self, candles: int) -> None:
        self._each = max(1, -(-candles // MAX_POINTS))
        self._in_last = 0
        self.stretches: list[Stretch] = []
        self.candles = 0
        self.is_at_end = False
        """Whether there were no more candles, rather than that somebody has stopped it."""
        self.refused: Counter[tuple[str, int]] = Counter()
        """How often this run was refused something, by code and by the number of the stretch."""
        self.sentences: dict[str, str] = {}
        """The newest sentence of each code."""

    def played(
        self, candles: Iterable[Candle], *, is_stopped: Callable[[], bool], progress: Callable[[int], None]
    ) -> Iterator[Candle]:
        """Hands the candles on until it is stopped. `progress` is told how many have passed, now and then."""
        for candle in candles:
            if is_stopped():
                return
            self._take(candle)
            if self.candles % _TOLD_EVERY == 0:
                progress(self.candles)
            yield candle
        self.is_at_end = True
        progress(self.candles)

    def observe(self, event: Event) -> None:
        if event.kind == "refused":
            self.refused[event.code, len(self.stretches) - 1] += 1
            self.sentences[event.code] = event.text

    def _take(self, candle: Candle) -> None:
        self.candles += 1
        if self._in_last in (0, self._each):
            self._in_last = 1
            self.stretches.append(Stretch(candle.timestamp, candle.timestamp, candle.low, candle.high, candle.close))
            return
        self._in_last += 1
        last = self.stretches[-1]
        last.last, last.close = candle.timestamp, candle.close
        last.low = min(last.low, candle.low)
        last.high = max(last.high, candle.high)
