"""The threads in which the WSGI app runs: a bounded number of them, and a bounded line before them."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

logger = logging.getLogger(__name__)

Work = Callable[[], object]


class Job:
    """Work in the queue; without any once a thread has it, or it was withdrawn."""

    __slots__ = ("since", "work")

    def __init__(self, work: Work) -> None:
        self.work: Work | None = work
        self.since = time.monotonic()


class PoolFullError(Exception):
    """As many requests run and wait as may, or the pool is closed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolFigures:
    """`busy` and `queued` are of this moment, the others since the start."""

    busy: int
    queued: int
    started: int
    refused: int
    queue_seconds_total: float
    queue_seconds_max: float


class WorkerPool:
    """Runs work in threads that start when needed.

    Not concurrent.futures': at the interpreter's exit that one waits for each of its threads, so one request that
    never ends keeps the process from ending (rows 14 and 18). These are daemons.
    """

    def __init__(self, *, threads: int, max_queued: int) -> None:
        if threads < 1 or max_queued < 0:
            raise ValueError(f"threads must be 1 or more and max_queued 0 or more, not {threads} and {max_queued}")
        self.threads = threads
        self.max_queued = max_queued
        self._work: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._outstanding = 0
        self._withdrawn = 0
        self._busy = 0
        self._started = 0
        self._refused = 0
        self._queue_seconds_total = 0.0
        self._queue_seconds_max = 0.0

    def figures(self) -> PoolFigures:
        with self._lock:
            return PoolFigures(
                busy=self._busy,
                queued=self._outstanding - self._busy,
                started=self._started,
                refused=self._refused,
                queue_seconds_total=self._queue_seconds_total,
                queue_seconds_max=self._queue_seconds_max,
            )

    def submit(self, work: Work) -> Job:
        """Raises PoolFullError, and then the work was not taken."""
        with self._lock:
            if self._closed or self._outstanding >= self.threads + self.max_queued:
                self._refused += 1
                raise PoolFullError
            if len(self._threads) < min(self._outstanding + 1, self.threads):
                self._add_thread()
            self._outstanding += 1
            job = Job(work)
            self._work.put(job)
            return job

    def withdraw(self, job: Job) -> bool:
        """Whether the work was still in the queue. It will not run, and its place is free."""
        with self._lock:
            if job.work is None:
                return False
            job.work = None
            self._outstanding -= 1
            self._withdrawn += 1
            # They stay in the queue until a thread comes by, and there may be none for a long time.
            if self._withdrawn > self.max_queued:
                self._sweep()
            return True

    def close(self) -> None:
        """Takes no more work, and lets each thread end once there is none left."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._work.put(None)

    def _sweep(self) -> None:
        kept = []
        with suppress(queue.Empty):
            while True:
                job = self._work.get_nowait()
                if job is None or job.work is not None:
                    kept.append(job)
        for job in kept:
            self._work.put(job)
        self._withdrawn = 0

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=f"wsgi-{len(self._threads) + 1}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more threads: those that are there must do, and without any the request is refused.
            if not self._threads:
                self._refused += 1
                raise PoolFullError from None
            return
        self._threads.append(thread)

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            with self._lock:
                work, job.work = job.work, None
                if work is None:
                    self._withdrawn -= 1
                    continue
                waited = time.monotonic() - job.since
                self._busy += 1
                self._started += 1
                self._queue_seconds_total += waited
                self._queue_seconds_max = max(self._queue_seconds_max, waited)
            try:
                work()
            except BaseException:
                # A thread that dies of its work would be missing from then on.
                logger.exception("a thread's work failed")
            finally:
                with self._lock:
                    self._busy -= 1
                    self._outstanding -= 1
            # What the request held must not live on until the next one comes.
            del job, work
