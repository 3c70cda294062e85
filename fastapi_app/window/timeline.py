"""A value that changes over time, worked out where it is asked for."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock
from typing import Any, Generic, TypeVar

from fastapi_app.window.micros import Micros, instant_of, micros_of

Value = TypeVar("Value")
Compile = Callable[[Micros, Micros], Sequence[tuple[Micros, Value]]]
"""Given [start, end): the value from `start` on, and each later one with the instant from which it holds."""
Span = tuple[datetime, datetime, Value]
"""From, to before, and the value in between. The value may be the same before and after."""

HORIZON = timedelta(days=3653)
"""How far ahead a change is looked for."""

PIECE_DAYS = 28
MOST_EDGES = 250_000
"""How many edges are kept in memory, over all timelines of the process: about 25 MB of ordinary schedules, of which one
from 2010 on has some 10,000, and 60 MB of the densest."""

_WEIGHT_OF_PIECE = 8
"""In edges: what a piece takes that has none."""
_LAST_DAY = date.max.toordinal()

Piece = tuple[list[datetime], list[Value]]


class Shelf:
    """What timelines have compiled, up to so many edges together, and the latest piece whatever its size; beyond that
    the oldest goes. For several threads at once."""

    def __init__(self, most_edges: int) -> None:
        self._most = most_edges
        self._held = 0
        self._row: deque[tuple[dict[int, Any], int, int]] = deque()
        self._changing = Lock()

    def put(self, pieces: dict[int, Piece[Value]], number: int, piece: Piece[Value]) -> None:
        """Into a timeline's `pieces`, from which it's taken out again when its turn comes."""
        weight = len(piece[0]) + _WEIGHT_OF_PIECE
        with self._changing:
            if number in pieces:
                return
            pieces[number] = piece
            self._row.append((pieces, number, weight))
            self._held += weight
            while self._held > self._most and len(self._row) > 1:
                oldest, its_number, its_weight = self._row.popleft()
                del oldest[its_number]
                self._held -= its_weight


_SHELF = Shelf(MOST_EDGES)


class Timeline(Generic[Value]):
    """Compiled piece by piece, where it is asked, and kept on a shelf; a question in the span of the one before costs a
    comparison. For several threads at once."""

    def __init__(self, compiled: Compile[Value], *, piece_days: int = PIECE_DAYS, shelf: Shelf = _SHELF) -> None:
        self._compile = compiled
        self._piece_days = piece_days
        self._shelf = shelf
        self._pieces: dict[int, Piece[Value]] = {}
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
        number = at.toordinal() // self._piece_days
        edges, values = self._pieces.get(number) or self._piece(number)
        following = bisect_right(edges, at, 1, len(edges) - 1)
        self._last = found = (edges[following - 1], edges[following], values[following - 1])
        return found

    def _piece(self, number: int) -> Piece[Value]:
        start = _midnight(max(number * self._piece_days, 1))
        last = (number + 1) * self._piece_days
        end = _midnight(last) if last <= _LAST_DAY else datetime.max.replace(tzinfo=UTC)
        changes = self._compile(micros_of(start), micros_of(end))
        piece = [*(instant_of(since) for since, _ in changes), end], [value for _, value in changes]
        self._shelf.put(self._pieces, number, piece)
        return piece


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise TypeError(f"instant: {at.isoformat()} is not aware of its time zone")
    return at.astimezone(UTC)


def _midnight(ordinal: int) -> datetime:
    return datetime.combine(date.fromordinal(ordinal), time(), UTC)
