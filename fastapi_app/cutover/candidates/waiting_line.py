"""Primaries that are through and wait for their candidates to run."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from fastapi_app.cutover.candidates.pair import Pair


class _Place(NamedTuple):
    pair: Pair
    size: int
    """When it joined: an app may send on behind its end."""


class WaitingLine:
    """A line for each endpoint, which take turns, so that none waits behind those of a slow one; bounded in number and
    in bytes, all together. Where there is no room, those that came last give way to one of an endpoint that has less
    than theirs, in number or in bytes, by what is short."""

    def __init__(self, *, max_pairs: int, max_bytes: int) -> None:
        self._max_pairs = max_pairs
        self._max_bytes = max_bytes
        # In the order of turns; none is empty.
        self._lines: dict[str, deque[_Place]] = {}
        self._count: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether any pair waits."""
        return bool(self._lines)

    def __len__(self) -> int:
        return self._count.total()

    @property
    def bytes(self) -> int:
        return self._bytes.total()

    def is_full_for(self, endpoint: str) -> bool:
        """In number; whether there is room for the bytes of one more, `join` tells."""
        return len(self) >= self._max_pairs and _who_has_more(self._count, endpoint, 1) is None

    def join(self, pair: Pair) -> Sequence[Pair]:
        """Those for whom there is no room any more: none, the pair itself, or others that gave it theirs."""
        leaving = self._those_who_give_way(pair)
        if leaving is None:
            return [pair]
        left = [self._taken(endpoint, newest=True) for endpoint in leaving]
        endpoint, size = pair.plan.endpoint, pair.size
        self._lines.setdefault(endpoint, deque()).append(_Place(pair, size))
        self._count[endpoint] += 1
        self._bytes[endpoint] += size
        return left

    def take(self) -> Pair:
        """The first one of the endpoint whose turn it is. Raises StopIteration where none waits."""
        endpoint = next(iter(self._lines))
        pair = self._taken(endpoint, newest=False)
        if line := self._lines.pop(endpoint, None):
            self._lines[endpoint] = line
        return pair

    def leave(self) -> Sequence[Pair]:
        """All of them, and none waits any more."""
        pairs = [place.pair for line in self._lines.values() for place in line]
        self._lines.clear()
        self._count.clear()
        self._bytes.clear()
        return pairs

    def _those_who_give_way(self, pair: Pair) -> Sequence[str] | None:
        """An endpoint for each pair of it that has to leave; None where that is too much to ask."""
        if len(self) < self._max_pairs and self.bytes + pair.size <= self._max_bytes:
            # As a rule, and quicker to tell than what would be left.
            return ()
        endpoint = pair.plan.endpoint
        leaving: list[str] = []
        # What would be left.
        count, size = self._count.copy(), self._bytes.copy()
        while (is_long := count.total() >= self._max_pairs) or size.total() + pair.size > self._max_bytes:
            other = _who_has_more(count, endpoint, 1) if is_long else _who_has_more(size, endpoint, pair.size)
            if other is None:
                return None
            leaving.append(other)
            size[other] -= self._lines[other][-leaving.count(other)].size
            count[other] -= 1
        return leaving

    def _taken(self, endpoint: str, *, newest: bool) -> Pair:
        line = self._lines[endpoint]
        pair, size = line.pop() if newest else line.popleft()
        self._count[endpoint] -= 1
        self._bytes[endpoint] -= size
        if not line:
            del self._lines[endpoint], self._count[endpoint], self._bytes[endpoint]
        return pair


def _who_has_more(of_each: Counter[str], endpoint: str, more: int) -> str | None:
    """The endpoint that has most, where that is more than this one would have with so much more."""
    if not of_each:
        return None
    most = max(of_each, key=lambda each: of_each[each])
    return most if of_each[most] > of_each[endpoint] + more else None
