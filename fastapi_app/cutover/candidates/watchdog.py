"""Sees when a candidate holds up the event loop, and says whose it is."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable
from contextvars import Context, ContextVar
from functools import partial
from typing import Any

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
IDLE_SECONDS = 1.0

BLAME_SECONDS = 5.0
"""How long a candidate that has ended stands for the tasks that it has left; later they may be the app's as a whole,
which whoever comes first happens to start."""


class Candidate:
    """One candidate, as the tasks that run for it know it by their context."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.ended_at: float | None = None
        """By the monotonic clock."""
        self.longest_seconds = 0.0
        """Processor time of the longest step of the tasks that it has started and that have ended."""

    def is_to_blame(self) -> bool:
        """For what runs in its name."""
        return self.ended_at is None or time.monotonic() - self.ended_at < BLAME_SECONDS


_candidate: ContextVar[Candidate | None] = ContextVar("candidate", default=None)


def candidate_of(task: "asyncio.Task[Any]") -> Candidate | None:
    """For whom a task runs: the candidate's own task, and whatever it has started, which inherits its context."""
    # Task.get_context is new in Python 3.12; before, the collector alone knows.
    contexts = [task.get_context()] if hasattr(task, "get_context") else gc.get_referents(task)
    found = next((each for each in contexts if isinstance(each, Context)), None)
    return None if found is None else candidate_in(found)


def candidate_in(context: Context | None) -> Candidate | None:
    """For whom whatever runs in this context runs; without one in the current."""
    return _candidate.get() if context is None else context.get(_candidate)


class Watchdog:
    """A thread that asks the event loop for a sign of life while candidates run on it.

    A coroutine that blocks can't be stopped from outside, so the endpoint whose candidate does it is reported, by
    `on_blocked(endpoint, seconds)` in this thread, as soon as the loop has been silent for `block_seconds`.
    """

    def __init__(self, on_blocked: Callable[[str, float], None], *, block_seconds: float) -> None:
        self._on_blocked = on_blocked
        self._block_seconds = block_seconds
        self._watched: set[asyncio.Task[None]] = set()
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="cutover-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Blocks until the thread has ended; not to be called on the event loop, whose silence it would wait out."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            self._wanted.set()
            thread.join()

    def watch(self, endpoint: str) -> Candidate:
        """The task that calls it is a candidate of this endpoint, until it ends."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is what calls
        candidate = Candidate(endpoint)
        _candidate.set(candidate)
        self._watched.add(task)
        if not self._wanted.is_set():
            self._wanted.set()
        task.add_done_callback(partial(self._forget, candidate))
        return candidate

    def _forget(self, candidate: Candidate, task: asyncio.Task[None]) -> None:
        candidate.ended_at = time.monotonic()
        self._watched.discard(task)
        if not self._watched:
            self._wanted.clear()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopping.is_set():
            if not self._wanted.wait(IDLE_SECONDS) or self._stopping.is_set():
                continue
            alive = threading.Event()
            try:
                loop.call_soon_threadsafe(alive.set)
            except RuntimeError:
                # The loop is closed.
                return
            if not alive.wait(self._block_seconds):
                try:
                    self._report(loop)
                except Exception:
                    # The next one that blocks is to be seen, too.
                    logger.exception("a report of the watchdog failed")
                while not alive.wait(PAUSE_SECONDS) and not self._stopping.is_set():
                    pass
            self._stopping.wait(PAUSE_SECONDS)

    def _report(self, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.current_task(loop)
        candidate = None if task is None else candidate_of(task)
        if candidate is None or not candidate.is_to_blame():
            logger.warning("the event loop has been silent for %.1f s, and no candidate runs", self._block_seconds)
        else:
            self._on_blocked(candidate.endpoint, self._block_seconds)
