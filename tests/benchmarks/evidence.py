"""What a server's cutover has counted."""

import time
from collections import Counter

from fastapi_app.cutover.store.base import CutoverStore
from tests.benchmarks.load import WrongAnswers

_SETTLED_SECONDS = 60.0
_FLUSH_SECONDS = 0.6
"""Within it a process keeps what it has found since: twice its poll, and some."""


def counts_when_settled(store: CutoverStore) -> Counter[str]:
    """By outcome, or the reason of a skip, once they stay as they are. Raises WrongAnswers if they never do."""
    deadline = time.monotonic() + _SETTLED_SECONDS
    counts = counts_now(store)
    while True:
        time.sleep(_FLUSH_SECONDS)
        before, counts = counts, counts_now(store)
        if counts == before:
            return counts
        if time.monotonic() > deadline:
            raise WrongAnswers(f"comparisons still went on {_SETTLED_SECONDS:g} s after their load")


def counts_now(store: CutoverStore) -> Counter[str]:
    """By outcome, or the reason of a skip: all of them where its server has ended."""
    counts: Counter[str] = Counter()
    for key, count in store.counts().items():
        counts[key.reason or key.outcome] += count
    return counts
