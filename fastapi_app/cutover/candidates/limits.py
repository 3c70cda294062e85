"""What keeps candidates that compute for long, or never end, from holding up clients."""

import asyncio
from collections import Counter
from collections.abc import Callable

HEAVY_SECONDS = 0.02
HEAVY_SHARE = 0.005
"""A native candidate that computes for longer than this at a stretch holds up every client. Where one after the other
does, the next is run when that was a half percent of the time: so nobody sees it at the 99th percentile."""

MIN_OVERDUE = 4
"""How many candidates in a row must be overdue at least before an endpoint is compared no more."""


class HeavyCandidates:
    """Endpoints whose native candidates keep the event loop for long, and until when they rest."""

    def __init__(self) -> None:
        self._heavy: set[str] = set()
        self._rests_until: dict[str, float] = {}

    def rests(self, endpoint: str) -> bool:
        return bool(self._rests_until) and _now() < self._rests_until.get(endpoint, 0.0)

    def note(self, endpoint: str, longest_seconds: float) -> None:
        """One alone may have been the collector's."""
        if longest_seconds <= HEAVY_SECONDS:
            self._heavy.discard(endpoint)
        elif endpoint in self._heavy:
            self._rests_until[endpoint] = _now() + longest_seconds / HEAVY_SHARE
        else:
            self._heavy.add(endpoint)


class HangingCandidates:
    """A handler that hangs in a thread frees its place when it is given up, and keeps the thread: so after as many in a
    row as have a place, no more of that endpoint are run. `stop_comparing` is called with its name and the reason."""

    def __init__(self, stop_comparing: Callable[[str, str], None], *, concurrency: int, timeout_seconds: float) -> None:
        self._stop_comparing = stop_comparing
        self._most_in_a_row = max(concurrency, MIN_OVERDUE)
        self._timeout_seconds = timeout_seconds
        self._in_a_row: Counter[str] = Counter()

    def note(self, endpoint: str, *, overdue: bool) -> None:
        if not overdue:
            self._in_a_row.pop(endpoint, None)
            return
        self._in_a_row[endpoint] += 1
        if self._in_a_row[endpoint] >= self._most_in_a_row:
            count = self._in_a_row.pop(endpoint)
            self._stop_comparing(endpoint, f"{count} candidates in a row took over {self._timeout_seconds:g} s")


def _now() -> float:
    return asyncio.get_running_loop().time()
