"""Sees when a candidate holds up the event loop, and says whose it is."""

import asyncio
import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
IDLE_SECONDS = 1.0


class Watchdog:
    """A thread that asks the event loop for a sign of life while candidates run on it.

    A coroutine that blocks can't be stopped from outside, so the endpoint whose candidate does it is reported once, by
    `on_blocked(endpoint, seconds)` in this thread, as soon as the loop has been silent for `block_seconds`.
    A task that a candidate starts of its own isn't known as one.
    """

    def __init__(self, on_blocked: Callable[[str, float], None], *, block_seconds: float) -> None:
        self._on_blocked = on_blocked
        self._block_seconds = block_seconds
        self._candidates: dict[asyncio.Task[None], str] = {}
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

    def watch(self, task: asyncio.Task[None], endpoint: str) -> None:
        self._candidates[task] = endpoint
        self._wanted.set()
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._candidates.pop(task, None)
        if not self._candidates:
            self._wanted.clear()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopping.is_set():
            if not self._wanted.wait(IDLE_SECONDS) or self._stopping.is_set():
                continue
            alive = threading.Event()
            try:
                loop.call_soon_threadsafe(alive.set)
                if not alive.wait(self._block_seconds):
                    self._report(loop)
                    while not alive.wait(PAUSE_SECONDS) and not self._stopping.is_set():
                        pass
            except RuntimeError:
                # The loop is closed.
                return
            self._stopping.wait(PAUSE_SECONDS)

    def _report(self, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.current_task(loop)
        endpoint = self._candidates.get(task) if task is not None else None
        if endpoint is None:
            logger.warning("the event loop has been silent for %.1f s, and no candidate runs", self._block_seconds)
        else:
            self._on_blocked(endpoint, self._block_seconds)
