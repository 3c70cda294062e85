import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.loop_thread import LoopThread, LoopThreadClosed

DEADLINE_SECONDS = 20.0


async def _where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def _stays(begun: threading.Event) -> None:
    begun.set()
    await asyncio.sleep(DEADLINE_SECONDS)


def test_threads_and_loops_share_one_loop() -> None:
    thread = LoopThread("shared-loop")
    with ThreadPoolExecutor(4) as pool:
        blocking = [pool.submit(thread.run, _where) for _ in range(4)]
        awaited = [pool.submit(asyncio.run, thread.run_async(_where)) for _ in range(4)]
        assert {future.result(DEADLINE_SECONDS) for future in blocking + awaited} == {"shared-loop"}
    assert [one.name for one in threading.enumerate()].count("shared-loop") == 1
    thread.close()
    assert "shared-loop" not in [one.name for one in threading.enumerate()]


def test_what_the_work_raises_is_the_callers() -> None:
    async def fails() -> None:
        raise LookupError("here")

    thread = LoopThread("failing")
    with pytest.raises(LookupError, match="here"):
        thread.run(fails)
    thread.close()


def test_work_that_is_going_on_when_it_closes_is_told_so() -> None:
    thread, begun = LoopThread("closing"), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        blocking = pool.submit(thread.run, lambda: _stays(begun))
        awaited = pool.submit(asyncio.run, thread.run_async(lambda: _stays(begun)))
        assert begun.wait(DEADLINE_SECONDS)
        while thread.run(_tasks) < 4:  # serve, both, and the one that counts
            pass
        thread.close()
        for future in (blocking, awaited):
            with pytest.raises(LoopThreadClosed):
                future.result(DEADLINE_SECONDS)
    thread.close()


async def _tasks() -> int:
    return len(asyncio.all_tasks())


def test_the_last_thing_runs_on_the_loop_once_all_else_has_ended() -> None:
    thread, begun, order = LoopThread("last"), threading.Event(), list[str]()

    async def ends() -> None:
        try:
            await _stays(begun)
        finally:
            order.append("cancelled")

    async def last() -> None:
        order.append(threading.current_thread().name)

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(thread.run, ends)
        assert begun.wait(DEADLINE_SECONDS)
        thread.close(last)
        assert isinstance(call.exception(DEADLINE_SECONDS), LoopThreadClosed)
    assert order == ["cancelled", "last"]
    thread.close(last)
    assert len(order) == 2


def test_a_closed_one_starts_again() -> None:
    thread = LoopThread("again")
    thread.close()
    assert thread.run(_where) == "again"
    thread.close()
    assert thread.run(_where) == "again"
    thread.close()


@pytest.mark.parametrize("outlives", [False, True])
def test_a_caller_that_is_cancelled_cancels_the_work_unless_it_outlives_it(outlives: bool) -> None:
    thread = LoopThread("cancelled")
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    outcome: list[str] = []

    async def work() -> None:
        begun.set()
        try:
            await asyncio.to_thread(go_on.wait, DEADLINE_SECONDS)
            outcome.append("done")
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise
        finally:
            ended.set()

    async def call() -> None:
        caller = asyncio.create_task(thread.run_async(work, outlives_caller=outlives))
        await asyncio.to_thread(begun.wait, DEADLINE_SECONDS)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        if outlives:
            go_on.set()
        await asyncio.to_thread(ended.wait, DEADLINE_SECONDS)

    asyncio.run(call())
    assert outcome == ["done" if outlives else "cancelled"]
    go_on.set()
    thread.close()


def test_its_own_thread_may_not_wait_for_itself() -> None:
    thread = LoopThread("own")

    async def waits() -> None:
        thread.run(_where)

    with pytest.raises(RuntimeError, match="the loop of own would wait for itself"):
        thread.run(waits)
    thread.close()
