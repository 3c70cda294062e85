"""An event loop in a thread of its own, so that blocking threads and other event loops share what lives on one loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThreadClosed(Exception):
    """Work that was still going on when its loop was closed."""


class LoopThread:
    """Runs coroutines on its own loop. The thread starts with the first one, and again after `close` or a fork."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Future[Any] | None = None

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Blocks until the work is done; an interrupt leaves it running. Not for the loop's own thread."""
        if threading.current_thread() is self._thread:
            raise RuntimeError(f"the loop of {self._name} would wait for itself")
        return self._hand_over(work).result()

    async def run_async(self, work: Callable[[], Coroutine[Any, Any, T]], *, outlives_caller: bool = False) -> T:
        """As `run`, awaited from any loop. A caller that is cancelled cancels the work, unless it outlives it."""
        waiting = asyncio.wrap_future(self._hand_over(work))
        return await (asyncio.shield(waiting) if outlives_caller else waiting)

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Cancels what is going on (its callers get LoopThreadClosed), runs `last` if the thread has run at all, and
        ends the thread."""
        with self._lock:
            thread, loop, stop = self._thread, self._loop, self._stop
            self._thread = None
        if thread is not None and thread.is_alive() and loop is not None and stop is not None:
            loop.call_soon_threadsafe(stop.set_result, last)
            thread.join()

    def _hand_over(self, work: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._start()
            assert self._loop is not None  # noqa: S101 - `_start` waits for it
            assert self._stop is not None  # noqa: S101
            return asyncio.run_coroutine_threadsafe(_told_of_close(work, self._stop), self._loop)

    def _start(self) -> None:
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Future[Any]]] = Future()

        async def serve() -> None:
            loop = asyncio.get_running_loop()
            stop = loop.create_future()
            ready.set_result((loop, stop))
            last = await stop
            going_on = asyncio.all_tasks() - {asyncio.current_task()}
            for task in going_on:
                task.cancel()
            await asyncio.gather(*going_on, return_exceptions=True)
            if last is not None:
                await last()

        self._thread = threading.Thread(target=asyncio.run, args=(serve(),), name=self._name, daemon=True)
        self._thread.start()
        self._loop, self._stop = ready.result()


async def _told_of_close(work: Callable[[], Coroutine[Any, Any, T]], stop: "asyncio.Future[Any]") -> T:
    try:
        return await work()
    except asyncio.CancelledError:
        if stop.done():
            raise LoopThreadClosed from None
        raise
