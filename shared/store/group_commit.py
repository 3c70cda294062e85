"""One thread that writes for everybody: what waits goes into one transaction, and each caller is told after the commit
that holds its write. Threads wait blocking, event loops awaiting; a backend brings the transaction."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from shared.errors import StoreUnavailable

MAX_JOBS_PER_COMMIT = 256

T = TypeVar("T")
BatchT = TypeVar("BatchT")


class Job(Generic[BatchT, T]):
    """One caller's part of a transaction: `work` is run with the backend's batch, then `settle` is called once."""

    def __init__(self, work: Callable[[BatchT], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None


class _ThreadJob(Job[BatchT, T]):
    def __init__(self, work: Callable[[BatchT], T]) -> None:
        super().__init__(work)
        self.settled = threading.Event()


class _LoopJob(Job[BatchT, T]):
    def __init__(self, work: Callable[[BatchT], T], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(work)
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()


class GroupCommit(Generic[BatchT]):
    """Hands jobs to one writer thread, in the order in which they came.

    `commit` gets the jobs of one transaction and sets each one's `result` or `error`; what it raises fails them all.
    The thread starts with the first job and ends with `close`.
    """

    def __init__(self, commit: Callable[[Sequence[Job[BatchT, Any]]], None], *, max_waiting: int) -> None:
        self._commit = commit
        self._max_waiting = max_waiting
        self._jobs: queue.SimpleQueue[Job[BatchT, Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Callable[[BatchT], T]) -> T:
        """Blocks until the work is committed. Raises what the work or the commit raised."""
        job = _ThreadJob(work)
        self._hand_over(job)
        job.settled.wait()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # set wherever no error is

    async def run_async(self, work: Callable[[BatchT], T]) -> T:
        """As `run`, awaited. Once handed over, the work is done even when its caller is cancelled."""
        job = _LoopJob(work, asyncio.get_running_loop())
        self._hand_over(job)
        await job.future
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # set wherever no error is

    def close(self) -> None:
        """Commits what was handed over, then ends the thread."""
        with self._lock:
            self._closed = True
            self._jobs.put(None)
            thread = self._thread
        if thread is not None:
            thread.join()

    def _hand_over(self, job: Job[BatchT, Any]) -> None:
        if self._jobs.qsize() >= self._max_waiting:
            raise StoreUnavailable(f"{self._max_waiting} writes are waiting, as many as may")
        # The lock keeps a job from coming behind the end mark, where nobody would ever answer it.
        with self._lock:
            if self._closed:
                raise StoreUnavailable("it is closed")
            if self._thread is None:
                thread = threading.Thread(target=self._write, name="store-writer", daemon=True)
                try:
                    thread.start()
                except RuntimeError as exc:
                    raise StoreUnavailable(f"its writer can't start: {exc}") from exc
                self._thread = thread
            self._jobs.put(job)

    def _write(self) -> None:
        ended = False
        while not ended:
            jobs, ended = self._next_jobs()
            if jobs:
                try:
                    self._commit(jobs)
                except BaseException as exc:
                    for job in jobs:
                        job.error = exc
                _settle(jobs)

    def _next_jobs(self) -> tuple[list[Job[BatchT, Any]], bool]:
        """Waits for a job, then takes along what else is waiting; and whether the end mark was met."""
        job = self._jobs.get()
        jobs: list[Job[BatchT, Any]] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) == MAX_JOBS_PER_COMMIT:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True


def _settle(jobs: Sequence[Job[BatchT, Any]]) -> None:
    """Wakes each waiter; an event loop once for all of its jobs."""
    of_loops: dict[asyncio.AbstractEventLoop, list[_LoopJob[BatchT, Any]]] = {}
    for job in jobs:
        if isinstance(job, _ThreadJob):
            job.settled.set()
        elif isinstance(job, _LoopJob):
            of_loops.setdefault(job.loop, []).append(job)
    for loop, loop_jobs in of_loops.items():
        try:
            loop.call_soon_threadsafe(_settle_futures, loop_jobs)
        except RuntimeError:
            # The loop was closed meanwhile: nobody waits there any more.
            continue


def _settle_futures(jobs: Sequence[_LoopJob[BatchT, Any]]) -> None:
    for job in jobs:
        if not job.future.done():
            job.future.set_result(None)
