"""What a server's cutover has counted."""

import time
from collections import Counter

from fastapi_app.cutover.store.base import CutoverStore
from tests.benchmarks.load import WrongAnswers

_SETTLED_SECONDS = 60.0
_FLUSH_SECONDS = 0.6
"""Within it a process keeps what it has found since: twice its poll, and some."""


def counts_when_settled(store: CutoverStore, *, quiet_seconds: float = _FLUSH_SECONDS) -> Counter[str]:
    """By outcome, or the reason of a skip, once they stay as they are for so long. Raises WrongAnswers if they never
    do."""
    deadline = time.monotonic() + _SETTLED_SECONDS
    counts = _counts(store)
    while True:
        time.sleep(quiet_seconds)
        before, counts = counts, _counts(store)
        if counts == before:
            return counts
        if time.monotonic() > deadline:
            raise WrongAnswers(f"comparisons still went on {_SETTLED_SECONDS:g} s after their load")


def _counts(store: CutoverStore) -> Counter[str]:
    counts: Counter[str] = Counter()
    for key, count in store.counts().items():
        counts[key.reason or key.outcome] += count
    return counts
