import threading
import time
from functools import partial

import pytest

from fastapi_app.bridge.pool import PoolFullError, WorkerPool
from tests.e2e.servers import wait_for

TIMEOUT = 10.0


def assert_ends(pool: WorkerPool) -> None:
    """Each thread does, once the pool is closed."""
    wait_for(lambda: not any(thread.is_alive() for thread in pool._threads), "every thread has ended")


def test_threads_start_when_needed_and_no_more_than_may() -> None:
    pool = WorkerPool(threads=2, max_queued=5)
    gate = threading.Event()
    before = threading.active_count()
    for _ in range(5):
        pool.submit(lambda: gate.wait(TIMEOUT))
    wait_for(lambda: pool.figures().busy == 2, "two work")
    assert threading.active_count() - before == 2
    assert pool.figures().queued == 3
    gate.set()
    wait_for(lambda: pool.figures().busy == pool.figures().queued == 0, "all is done")
    assert pool.figures().started == 5
    pool.close()
    assert_ends(pool)


def test_one_more_than_fits_is_refused_and_not_run() -> None:
    pool = WorkerPool(threads=1, max_queued=1)
    gate = threading.Event()
    ran: list[int] = []
    pool.submit(lambda: gate.wait(TIMEOUT))
    pool.submit(lambda: ran.append(1))
    with pytest.raises(PoolFullError):
        pool.submit(lambda: ran.append(2))
    assert pool.figures().refused == 1
    gate.set()
    pool.close()
    assert_ends(pool)
    assert ran == [1]


def test_work_that_raises_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    pool = WorkerPool(threads=1, max_queued=5)

    def fails() -> None:
        raise SystemExit

    ran = threading.Event()
    pool.submit(fails)
    pool.submit(ran.set)
    assert ran.wait(TIMEOUT)
    pool.close()
    assert_ends(pool)
    assert "a thread's work failed" in caplog.text


def test_closing_finishes_what_was_taken_and_takes_no_more() -> None:
    pool = WorkerPool(threads=1, max_queued=5)
    gate = threading.Event()
    ran: list[int] = []
    pool.submit(lambda: gate.wait(TIMEOUT))
    for number in range(3):
        pool.submit(partial(ran.append, number))
    pool.close()
    pool.close()
    wait_for(lambda: pool.figures().queued == 3, "three wait")
    with pytest.raises(PoolFullError):
        pool.submit(lambda: None)
    assert any(thread.is_alive() for thread in pool._threads)
    gate.set()
    assert_ends(pool)
    assert ran == [0, 1, 2]
    assert (pool.figures().busy, pool.figures().queued) == (0, 0)


def test_what_is_withdrawn_does_not_run_and_leaves_its_place() -> None:
    pool = WorkerPool(threads=1, max_queued=2)
    gate = threading.Event()
    ran: list[int] = []
    running = pool.submit(lambda: gate.wait(TIMEOUT))
    wait_for(lambda: pool.figures().busy == 1, "the thread is busy")
    assert not pool.withdraw(running)
    first = pool.submit(partial(ran.append, 1))
    pool.submit(partial(ran.append, 2))
    assert pool.withdraw(first)
    assert not pool.withdraw(first)
    assert pool.figures().queued == 1
    pool.submit(partial(ran.append, 3))
    with pytest.raises(PoolFullError):
        pool.submit(partial(ran.append, 4))
    gate.set()
    pool.close()
    assert_ends(pool)
    assert ran == [2, 3]
    assert (pool.figures().started, pool.figures().busy, pool.figures().queued) == (3, 0, 0)


def test_those_withdrawn_do_not_pile_up_while_no_thread_is_free() -> None:
    pool = WorkerPool(threads=1, max_queued=5)
    gate = threading.Event()
    ran: list[int] = []
    pool.submit(lambda: gate.wait(TIMEOUT))
    pool.submit(partial(ran.append, 1))
    for _ in range(1_000):
        assert pool.withdraw(pool.submit(lambda: None))
    assert pool._work.qsize() < 20
    pool.submit(partial(ran.append, 2))
    pool.close()
    gate.set()
    assert_ends(pool)
    assert ran == [1, 2]


def test_time_in_the_queue_is_counted() -> None:
    pool = WorkerPool(threads=1, max_queued=5)
    gate = threading.Event()
    pool.submit(lambda: gate.wait(TIMEOUT))
    wait_for(lambda: pool.figures().busy == 1, "the thread is busy")
    began = time.monotonic()
    pool.submit(lambda: None)
    wait_for(lambda: time.monotonic() - began >= 0.05, "it has waited")
    gate.set()
    pool.close()
    assert_ends(pool)
    figures = pool.figures()
    assert 0.05 <= figures.queue_seconds_max <= figures.queue_seconds_total < TIMEOUT


def test_a_system_out_of_threads_makes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = WorkerPool(threads=3, max_queued=5)
    gate = threading.Event()
    started = threading.Thread.start

    def refuses(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    with pytest.raises(PoolFullError):
        pool.submit(lambda: None)
    monkeypatch.setattr(threading.Thread, "start", started)
    pool.submit(lambda: gate.wait(TIMEOUT))
    monkeypatch.setattr(threading.Thread, "start", refuses)
    ran = threading.Event()
    pool.submit(ran.set)
    gate.set()
    assert ran.wait(TIMEOUT)
    pool.close()
    assert_ends(pool)


@pytest.mark.parametrize(("threads", "max_queued"), [(0, 1), (1, -1)])
def test_impossible_sizes_are_refused(threads: int, max_queued: int) -> None:
    with pytest.raises(ValueError, match=f"not {threads} and {max_queued}"):
        WorkerPool(threads=threads, max_queued=max_queued)
