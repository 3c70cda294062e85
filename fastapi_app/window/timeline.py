"""A value that changes over time, worked out where it is asked for."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock
from typing import Generic, TypeVar

from fastapi_app.window.micros import Micros, instant_of, micros_of

Value = TypeVar("Value")
Compile = Callable[[Micros, Micros], Sequence[tuple[Micros, Value]]]
"""Given [start, end): the value from `start` on, and each later one with the instant from which it holds."""
Span = tuple[datetime, datetime, Value]
"""From, to before, and the value in between. The value may be the same before and after."""

HORIZON = timedelta(days=3653)
"""How far ahead a change is looked for."""

_PIECE_DAYS = 28
_KEPT_PIECES = 16
_LAST_DAY = date.max.toordinal()


class Timeline(Generic[Value]):
    """Compiled 28 days at a time, of which the last few are kept; a question in the span of the one before costs a
    comparison. For several threads at once."""

    def __init__(self, compiled: Compile[Value]) -> None:
        self._compile = compiled
        self._pieces: dict[int, tuple[list[datetime], list[Value]]] = {}
        self._changing = Lock()
        self._last: Span[Value] | None = None

    def at(self, at: datetime) -> Value:
        """`at` is aware, like every instant here; a naive one raises TypeError."""
        last = self._last
        if last is not None and last[0] <= at < last[1]:
            return last[2]
        return self._found(at)[2]

    def span(self, at: datetime) -> Span[Value]:
        last = self._last
        if last is not None and last[0] <= at < last[1]:
            return last
        return self._found(at)

    def changes(self, at: datetime) -> Iterator[tuple[datetime, Value]]:
        """Every change after `at`, in order, with the value from then on; none beyond the horizon."""
        since, until, value = self.span(at)
        last_day = min(since.toordinal() + HORIZON.days, _LAST_DAY)
        while until.toordinal() < last_day:
            _, following, value_then = self.span(until)
            if value_then != value:
                yield until, value_then
            until, value = following, value_then

    def _found(self, at: datetime) -> Span[Value]:
        if at.tzinfo is not UTC:
            at = _utc(at)
        edges, values = self._pieces.get(at.toordinal() // _PIECE_DAYS) or self._piece(at.toordinal() // _PIECE_DAYS)
        following = bisect_right(edges, at, 1, len(edges) - 1)
        self._last = found = (edges[following - 1], edges[following], values[following - 1])
        return found

    def _piece(self, number: int) -> tuple[list[datetime], list[Value]]:
        piece = self._compiled(number)
        with self._changing:
            self._pieces[number] = piece
            if len(self._pieces) > _KEPT_PIECES:
                del self._pieces[next(iter(self._pieces))]
        return piece

    def _compiled(self, number: int) -> tuple[list[datetime], list[Value]]:
        start = _midnight(max(number * _PIECE_DAYS, 1))
        last = (number + 1) * _PIECE_DAYS
        end = _midnight(last) if last <= _LAST_DAY else datetime.max.replace(tzinfo=UTC)
        changes = self._compile(micros_of(start), micros_of(end))
        edges = [instant_of(since) for since, _ in changes]
        return [*edges, end], [value for _, value in changes]


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise TypeError(f"instant: {at.isoformat()} is not aware of its time zone")
    return at.astimezone(UTC)


def _midnight(ordinal: int) -> datetime:
    return datetime.combine(date.fromordinal(ordinal), time(), UTC)
