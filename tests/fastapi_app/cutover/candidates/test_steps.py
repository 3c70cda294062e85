"""A coroutine under `Steps` goes on as it would without, and its longest step is known."""

import asyncio
import time

import pytest

from fastapi_app.cutover.candidates.steps import Steps


def _keep_the_loop(seconds: float) -> None:
    begun = time.thread_time()
    while time.thread_time() - begun < seconds:
        pass


async def test_the_longest_step_counts_and_no_wait() -> None:
    async def work() -> None:
        _keep_the_loop(0.01)
        await asyncio.sleep(0.2)
        _keep_the_loop(0.03)

    steps = Steps(work())
    await steps
    assert 0.03 <= steps.longest_seconds < 0.15


async def test_what_it_raises_comes_through_with_the_time_of_the_step() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        _keep_the_loop(0.02)
        raise ValueError("its own")

    steps = Steps(work())
    with pytest.raises(ValueError, match="its own"):
        await steps
    assert steps.longest_seconds >= 0.02


async def test_a_cancellation_reaches_it_and_it_may_go_on() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
        await asyncio.sleep(0)
        seen.append("went on")

    async def await_it() -> None:
        await Steps(work())

    task = asyncio.create_task(await_it())
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert seen == ["cancelled", "went on"]


async def test_who_asked_for_a_cancellation_is_told_apart() -> None:
    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async def waits() -> None:
        await asyncio.sleep(3_600)

    async def awaited(steps: Steps[None]) -> None:
        await steps

    own, others = Steps(cancels_itself()), Steps(waits())
    tasks = [asyncio.create_task(awaited(steps)) for steps in (own, others)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [True, True]
    assert (own.cancelled_itself, others.cancelled_itself) == (True, False)


async def test_what_it_returns_comes_through() -> None:
    async def answers() -> int:
        await asyncio.sleep(0)
        return 42

    assert await Steps(answers()) == 42
