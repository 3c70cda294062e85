"""What keeps candidates that compute for long, or never end, from holding up clients."""

import asyncio
from collections import Counter
from collections.abc import Callable

from fastapi_app.bridge.trace import Trace
from shared.modes import Side

HEAVY_SECONDS = 0.02
HEAVY_SHARE = 0.0025
"""A native candidate that computes for longer than this at a stretch holds up every client. Where one after the other
does, the next is run when that was a quarter percent of the time: those who wait and those who wait behind them stay
below one in a hundred."""

TOO_LARGE_REST_SECONDS = 1.0
"""How long an endpoint rests whose native candidate was over the limit of an answer: one that builds it at once holds
up the loop, and one that doesn't is cut each time."""

FULL_AT_ONCE = 20
"""How many mismatches of an endpoint are kept in full one right after the other."""

BYTES_OF_ONE = 64 * 2**10
"""From here on a mismatch stands for several: to redact so much JSON takes about a tenth of a second."""

MIN_OVERDUE = 4

MAX_OVERDUE_IN_ALL = 100
"""How many native candidates of an endpoint may be overdue in a process, in a row or not."""

HANGING_ENDPOINTS = 4
"""How many may have legacy candidates that never end, before the others' find no thread."""


def max_overdue(concurrency: int) -> int:
    """How many candidates in a row may be overdue before an endpoint is compared no more, and how many may keep a
    thread, in a row or not, before no other of that endpoint is run."""
    return max(concurrency, MIN_OVERDUE)


class KeptThreads:
    """The threads that legacy candidates keep which were given up and haven't ended, by endpoint."""

    def __init__(self, *, concurrency: int) -> None:
        self._most = max_overdue(concurrency)
        self._kept: dict[str, list[Trace]] = {}

    def note(self, endpoint: str, trace: Trace) -> None:
        self._kept.setdefault(endpoint, []).append(trace)

    def are_too_many(self, endpoint: str) -> bool:
        """Whether the endpoint has to wait until one of its own ends."""
        if endpoint not in self._kept:
            return False
        kept = self._kept[endpoint] = [trace for trace in self._kept[endpoint] if not trace.finished]
        return len(kept) >= self._most


class HeavyCandidates:
    """Endpoints whose native candidates keep the event loop for long, and until when they rest. The first one after a
    rest runs alone: requests that waited behind it would start as many again at once. A candidate is told by any object
    of its own."""

    def __init__(self) -> None:
        self._heavy: set[str] = set()
        self._rests_until: dict[str, float] = {}
        self._alone: dict[str, object] = {}

    def rests(self, endpoint: str) -> bool:
        if endpoint in self._alone:
            return True
        return bool(self._rests_until) and _now() < self._rests_until.get(endpoint, 0.0)

    def begin(self, endpoint: str, candidate: object) -> None:
        """Before a candidate runs, of an endpoint that doesn't rest."""
        if self._rests_until.pop(endpoint, None) is not None:
            self._alone[endpoint] = candidate

    def end(self, endpoint: str, candidate: object) -> None:
        """It has ended, or is waited for no more."""
        if self._alone.get(endpoint) is candidate:
            del self._alone[endpoint]

    def note(self, endpoint: str, longest_seconds: float, *, too_large: bool) -> None:
        """One long stretch alone may have been the collector's, unless much was built in it."""
        rest_seconds = 0.0
        if too_large:
            rest_seconds = max(TOO_LARGE_REST_SECONDS, longest_seconds / HEAVY_SHARE)
        elif longest_seconds <= HEAVY_SECONDS:
            self._heavy.discard(endpoint)
        elif endpoint in self._heavy:
            rest_seconds = longest_seconds / HEAVY_SHARE
        else:
            self._heavy.add(endpoint)
        if rest_seconds:
            # One that ran beside it, and rests shorter, doesn't end the rest.
            self._rests_until[endpoint] = max(self._rests_until.get(endpoint, 0.0), _now() + rest_seconds)


class HangingCandidates:
    """A handler that hangs in a thread frees its place when it is given up, and keeps the thread. So no more of its
    endpoint are run after `max_overdue` in a row, or after `MAX_OVERDUE_IN_ALL` native ones, whose threads nobody can
    count: `stop_comparing` is called with its name, the candidate's side and a reason."""

    def __init__(
        self, stop_comparing: Callable[[str, Side, str], None], *, concurrency: int, timeout_seconds: float
    ) -> None:
        self._stop_comparing = stop_comparing
        self._max_in_a_row = max_overdue(concurrency)
        self._timeout_seconds = timeout_seconds
        self._in_a_row: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()

    def note(self, endpoint: str, side: Side, *, overdue: bool) -> None:
        if not overdue:
            self._in_a_row.pop(endpoint, None)
            return
        self._in_a_row[endpoint] += 1
        self._in_all[endpoint] += side == "native"
        told = None
        if self._in_a_row[endpoint] >= self._max_in_a_row:
            told = f"{self._in_a_row[endpoint]} candidates in a row"
        elif self._in_all[endpoint] >= MAX_OVERDUE_IN_ALL:
            told = f"{self._in_all[endpoint]} native candidates"
        if told is not None:
            del self._in_a_row[endpoint], self._in_all[endpoint]
            self._stop_comparing(endpoint, side, f"{told} took over {self._timeout_seconds:g} s")


class FullMismatches:
    """Paces what is kept in full of an endpoint that differs each time: to redact and to write a mismatch costs many
    times its comparison. First `FULL_AT_ONCE`, then `per_second`; each is counted all the same. One with large bodies
    stands for as many as take so long."""

    def __init__(self, *, per_second: float) -> None:
        self._per_second = per_second
        self._left: dict[str, tuple[float, float]] = {}
        """How many were left by endpoint, and when; below 0 after a large one."""

    def take(self, endpoint: str, *, body_bytes: int) -> bool:
        """Whether one more, with two answers of so many bytes, may be kept now; it is counted as kept then."""
        now = _now()
        left, since = self._left.get(endpoint, (float(FULL_AT_ONCE), now))
        left = min(FULL_AT_ONCE, left + (now - since) * self._per_second)
        enough = left >= 1
        self._left[endpoint] = (left - max(1.0, body_bytes / BYTES_OF_ONE) if enough else left, now)
        return enough


def _now() -> float:
    return asyncio.get_running_loop().time()
