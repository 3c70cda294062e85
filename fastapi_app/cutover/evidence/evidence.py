"""What this process has counted and found, until it is kept."""

import threading
from collections import Counter, deque
from collections.abc import Sequence

from fastapi_app.cutover.comparing.observation import Mismatch, Outcome
from fastapi_app.cutover.store.base import CountKey
from shared.modes import Mode

WAITING_MISMATCHES = 100
"""How many wait to be kept; while the store can't take them, older ones are counted and no more."""


class Evidence:
    """Counts of comparisons and the newest mismatches, which are redacted and cut already. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[CountKey] = Counter()
        self._mismatches: deque[Mismatch] = deque(maxlen=WAITING_MISMATCHES)

    def count(self, endpoint: str, mode: Mode, outcome: Outcome, reason: str = "") -> None:
        with self._lock:
            self._counts[CountKey(endpoint, mode, outcome, reason)] += 1

    def add(self, mismatch: Mismatch) -> None:
        with self._lock:
            self._mismatches.append(mismatch)

    def take(self) -> tuple[Counter[CountKey], Sequence[Mismatch]]:
        with self._lock:
            taken = self._counts, list(self._mismatches)
            self._counts = Counter()
            self._mismatches.clear()
        return taken

    def give_back(self, counts: Counter[CountKey], mismatches: Sequence[Mismatch]) -> None:
        """What could not be kept; it comes before what was found since."""
        with self._lock:
            self._counts.update(counts)
            newer = list(self._mismatches)
            self._mismatches.clear()
            self._mismatches.extend([*mismatches, *newer])
