"""Primaries that are through and wait for their candidates to run."""

from collections import deque
from collections.abc import Sequence

from fastapi_app.cutover.candidates.pair import Pair


class WaitingLine:
    """A line for each endpoint, which take turns, so that none waits behind those of a slow one; bounded in number and
    in bytes, all together. Where it is full, the newest of the longest line gives its place to one of a shorter."""

    def __init__(self, *, max_pairs: int, max_bytes: int) -> None:
        self._max_pairs = max_pairs
        self._max_bytes = max_bytes
        # In the order of turns; none is empty.
        self._lines: dict[str, deque[Pair]] = {}
        self._count = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self._count

    def is_full_for(self, endpoint: str) -> bool:
        """In number; whether there is room for the bytes of one more, `join` tells."""
        return self._count >= self._max_pairs and self._has_its_share(endpoint)

    def join(self, pair: Pair) -> Sequence[Pair]:
        """Those for whom there is no room any more: none, the pair itself, or others that gave it theirs."""
        if pair.size > self._max_bytes:
            return [pair]
        left: list[Pair] = []
        while self._count >= self._max_pairs or self.bytes + pair.size > self._max_bytes:
            if self._has_its_share(pair.plan.endpoint):
                return [*left, pair]
            left.append(self._taken(self._longest(), newest=True))
        self._lines.setdefault(pair.plan.endpoint, deque()).append(pair)
        self._count += 1
        self.bytes += pair.size
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
        pairs = [pair for line in self._lines.values() for pair in line]
        self._lines.clear()
        self._count = self.bytes = 0
        return pairs

    def _has_its_share(self, endpoint: str) -> bool:
        """Whether no other endpoint has so many more that one of them could give way."""
        own = len(self._lines.get(endpoint, ()))
        return not self._lines or own + 1 >= len(self._lines[self._longest()])

    def _longest(self) -> str:
        return max(self._lines, key=lambda endpoint: len(self._lines[endpoint]))

    def _taken(self, endpoint: str, *, newest: bool) -> Pair:
        line = self._lines[endpoint]
        pair = line.pop() if newest else line.popleft()
        if not line:
            del self._lines[endpoint]
        self._count -= 1
        self.bytes -= pair.size
        return pair
