"""Where backtests run: in processes of their own, so many at once, and so many that wait for one."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from multiprocessing.connection import Connection
from typing import Any

from shared.backtest.job import BacktestJob
from shared.errors import BacktestFailed, BacktestTooLong, TooManyBacktests
from shared.settings import BacktestSettings

logger = logging.getLogger(__name__)

Run = Callable[[BacktestJob], dict[str, Any]]
"""A function of a module: the process that runs it imports it by its name."""

client_left: ContextVar[Callable[[], bool] | None] = ContextVar("client_left", default=None)
"""Whether the client of a caller of the blocking face has left, where that can be known: nobody can cancel it."""

LOOK_SECONDS = 0.25
"""How often it is asked."""

NICE = 10
"""How far the processes stand back behind the server's own where the machine is busy."""


class Processes:
    """Makes its processes when they are needed, and keeps them for the next backtest: to begin one takes a second.

    A thread waits for each that runs; an executor's own processes can't be ended one by one. Both faces raise
    TooManyBacktests, BacktestTooLong and BacktestFailed. Closed, it opens again when used.
    """

    def __init__(self, settings: BacktestSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._admitted: set[_Running] = set()
        self._idle: list[_Process] = []

    def run(self, run: Run, job: BacktestJob) -> dict[str, Any]:
        """Ends the process when `client_left` says so."""
        running = self._admit(run, job)
        left = client_left.get()
        while left is not None and not wait([running.answer], LOOK_SECONDS).done:
            if left():
                running.end()
                break
        return running.answer.result()

    async def run_async(self, run: Run, job: BacktestJob) -> dict[str, Any]:
        """Cancelled, it ends the process."""
        running = self._admit(run, job)
        try:
            return await asyncio.wrap_future(running.answer)
        except asyncio.CancelledError:
            running.end()
            raise

    def close(self) -> None:
        """Ends what runs and what waits: who waits for it gets BacktestFailed."""
        with self._lock:
            threads, self._threads = self._threads, None
            admitted = list(self._admitted)
        for running in admitted:
            running.end()
        if threads is not None:
            threads.shutdown()
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.kill()

    def _admit(self, run: Run, job: BacktestJob) -> "_Running":
        most = self._settings.workers + self._settings.max_queued
        with self._lock:
            if len(self._admitted) >= most:
                raise TooManyBacktests(most, self._settings.retry_after_seconds)
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._settings.workers, thread_name_prefix="backtest")
            running = _Running()
            running.answer = self._threads.submit(self._carry_out, running, run, job)
            self._admitted.add(running)
        running.answer.add_done_callback(lambda _answer: self._leave(running))
        return running

    def _leave(self, running: "_Running") -> None:
        with self._lock:
            self._admitted.discard(running)

    def _carry_out(self, running: "_Running", run: Run, job: BacktestJob) -> dict[str, Any]:
        process = self._idle_process() or _Process()
        try:
            with running.inside(process):
                answer = process.run(run, job, timeout_seconds=self._settings.timeout_seconds)
        except BaseException:
            process.kill()
            raise
        with self._lock:
            self._idle.append(process)
        return answer

    def _idle_process(self) -> "_Process | None":
        """One that is still there: memory may have run out meanwhile."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
        return None


class _Running:
    """A backtest that was admitted. `answer` is what its thread comes back with."""

    answer: Future[dict[str, Any]]

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._ended = False

    def end(self) -> None:
        """Its process is killed, or never begins it."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    @contextmanager
    def inside(self, process: "_Process") -> Iterator[None]:
        """While it runs in the process. Raises BacktestFailed where it was ended before or meanwhile."""
        try:
            with self._lock:
                self._check()
                self._process = process
            yield
        finally:
            with self._lock:
                self._process = None
                self._check()

    def _check(self) -> None:
        if self._ended:
            raise BacktestFailed("it was ended")


class _Process:
    """A process that runs one job after the other, until its parent ends."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="backtest", daemon=True)
        self._process.start()
        theirs.close()

    def run(self, run: Run, job: BacktestJob, *, timeout_seconds: float) -> dict[str, Any]:
        """Raises BacktestTooLong and BacktestFailed, after which it has to be killed."""
        try:
            self._pipe.send((run, job))
            if not self._pipe.poll(timeout_seconds):
                raise BacktestTooLong(timeout_seconds)
            answer, fault = self._pipe.recv()
        except (EOFError, OSError) as exc:
            raise BacktestFailed("its process ended") from exc
        if fault is not None:
            logger.error("a backtest failed:\n%s", fault)
            raise BacktestFailed("its strategy, or the code around it, failed; the log says how")
        found: dict[str, Any] = answer
        return found

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """May be called from any thread, while another is in `run`, and more than once."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection) -> None:
    """The process. Interrupts, which a terminal sends to all processes, are its parent's to judge."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            run, job = pipe.recv()
            try:
                pipe.send((run(job), None))
            except Exception:
                pipe.send((None, traceback.format_exc()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
