"""A value that changes over time, worked out where it is asked for."""

from bisect import bisect_left, bisect_right
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
MOST_EDGES = 300_000
"""How many edges are kept in memory, over all timelines of the process: about 40 MB of ordinary schedules, one of which
weighs 30,000 from 2010 on, and 70 MB of the densest."""

_WEIGHT_OF_DAY = 2
"""In edges: what a day takes by itself."""
_LAST_DAY = date.max.toordinal()
_NEVER = datetime.max.replace(tzinfo=UTC)

Day = tuple[tuple[datetime, ...], tuple[Value, ...], tuple[datetime, ...]]
"""The changes after the day's midnight, the values before and after each, and these changes again, between the last
one before them and the next one after them."""
Piece = tuple[Day[Value], ...]


class Shelf:
    """What timelines have compiled, up to so many edges together, and the latest piece whatever its size; beyond that
    the oldest goes. For several threads at once."""

    def __init__(self, most_edges: int) -> None:
        self._most = most_edges
        self._held = 0
        self._row: deque[tuple[dict[int, Any], int, int]] = deque()
        self._changing = Lock()

    def put(self, pieces: dict[int, Piece[Value]], number: int, piece: Piece[Value], *, edges: int) -> None:
        """Into a timeline's `pieces`, from which it is taken out again when its turn comes."""
        weight = edges + _WEIGHT_OF_DAY * len(piece)
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
    """Compiled some days at a time, where it is asked, and kept on a shelf; from then on a question is a bisection of
    one day. For several threads at once."""

    def __init__(self, compiled: Compile[Value], *, piece_days: int = PIECE_DAYS, shelf: Shelf = _SHELF) -> None:
        self._compile = compiled
        self._piece_days = piece_days
        self._shelf = shelf
        self._pieces: dict[int, Piece[Value]] = {}

    def at(self, at: datetime) -> Value:
        """`at` is aware, like every instant here; a naive one raises TypeError."""
        # Remembering the last span would cost every other question more than it saves the same one.
        if at.tzinfo is not UTC:
            at = _utc(at)
        ordinal, piece_days = at.toordinal(), self._piece_days
        number = ordinal // piece_days
        changes, values, _ = (self._pieces.get(number) or self._piece(number))[ordinal % piece_days]
        return values[bisect_right(changes, at)]

    def span(self, at: datetime) -> Span[Value]:
        if at.tzinfo is not UTC:
            at = _utc(at)
        ordinal, piece_days = at.toordinal(), self._piece_days
        number = ordinal // piece_days
        changes, values, edges = (self._pieces.get(number) or self._piece(number))[ordinal % piece_days]
        passed = bisect_right(changes, at)
        return edges[passed], edges[passed + 1], values[passed]

    def changes(self, at: datetime) -> Iterator[tuple[datetime, Value]]:
        """Every change after `at`, in order, with the value from then on; none beyond the horizon."""
        since, until, value = self.span(at)
        last_day = min(since.toordinal() + HORIZON.days, _LAST_DAY)
        while until.toordinal() < last_day:
            _, following, value_then = self.span(until)
            if value_then != value:
                yield until, value_then
            until, value = following, value_then

    def _piece(self, number: int) -> Piece[Value]:
        first = number * self._piece_days
        midnights = [_midnight(ordinal) for ordinal in range(first, first + self._piece_days + 1)]
        changes = self._compile(micros_of(midnights[0]), micros_of(midnights[-1]))
        edges = [*(instant_of(since) for since, _ in changes), midnights[-1]]
        values = [value for _, value in changes]
        days: list[Day[Value]] = []
        after = 1
        for midnight in midnights[1:]:
            before, after = after - 1, bisect_left(edges, midnight, after, len(values))
            days.append(
                (tuple(edges[before + 1 : after]), tuple(values[before:after]), tuple(edges[before : after + 1]))
            )
        piece = tuple(days)
        self._shelf.put(self._pieces, number, piece, edges=len(values))
        return piece


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise TypeError(f"instant: {at.isoformat()} is not aware of its time zone")
    return at.astimezone(UTC)


def _midnight(ordinal: int) -> datetime:
    """Before the first day and after the last one it is the first and the last instant there is."""
    if ordinal > _LAST_DAY:
        return _NEVER
    return datetime.combine(date.fromordinal(max(ordinal, 1)), time(), UTC)
