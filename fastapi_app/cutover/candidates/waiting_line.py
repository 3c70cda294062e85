"""Primaries that are through and wait for their candidates to run."""

from collections import deque
from collections.abc import Sequence

from fastapi_app.cutover.candidates.pair import Pair


class WaitingLine:
    """First come, first served; bounded in number and in bytes."""

    def __init__(self, *, max_pairs: int, max_bytes: int) -> None:
        self._max_pairs = max_pairs
        self._max_bytes = max_bytes
        self._pairs: deque[Pair] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def is_full(self) -> bool:
        """In number; whether there is room for the bytes of one more, `join` tells."""
        return len(self._pairs) >= self._max_pairs

    def join(self, pair: Pair) -> bool:
        """Whether there was room."""
        if self.is_full or self.bytes + pair.size > self._max_bytes:
            return False
        self._pairs.append(pair)
        self.bytes += pair.size
        return True

    def take(self) -> Pair:
        """The first one. Raises IndexError where none waits."""
        pair = self._pairs.popleft()
        self.bytes -= pair.size
        return pair

    def leave(self) -> Sequence[Pair]:
        """All of them, and none waits any more."""
        pairs = list(self._pairs)
        self._pairs.clear()
        self.bytes = 0
        return pairs
