"""Tasks, threads and event loops at once."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from shared.errors import Refused
from shared.store.base import Applied, Store
from shared.window import Outcome, Transition, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.contract.faces import ALL, ids_of
from tests.shared.store.helpers import CONFIG, DEADLINE_SECONDS, INSTANT, in_thread, trade, trade_within_limit


async def test_a_caller_that_is_cancelled_does_not_undo_its_write(store: Store) -> None:
    await store.create_async("w", CONFIG)
    tasks = [asyncio.create_task(store.apply_async("w", trade(str(n)), instant=INSTANT)) for n in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*tasks, return_exceptions=True)
        # Whoever is answered after them knows that they are written.
        last = await store.apply_async("w", trade("last"), instant=INSTANT)
    assert last.answer == {"trades_today": 11}
    assert ids_of(store.ledger("w", ALL)) == ["last", *map(str, range(9, -1, -1))]


def at_once(store: Store, transition: Callable[[str], Transition[dict[str, int]]]) -> list[Any]:
    """700 writes of one window, all begun at the same instant: 200 tasks on one loop, 16 threads with 20 each, four
    threads with an event loop each and 45 tasks there. The answers and errors."""
    crowd = threading.Barrier(21)

    def contested(name: str) -> Transition[dict[str, int]]:
        def run(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[dict[str, int]]:
            time.sleep(0)  # lets another thread in, where nothing keeps it out
            return transition(name)(config, state, instant)

        return run

    def blocking(name: str) -> list[Any]:
        crowd.wait(DEADLINE_SECONDS)
        answers: list[Any] = []
        for number in range(20):
            try:
                answers.append(store.apply("w", contested(f"{name}-{number}"), instant=INSTANT))
            except Refused as refusal:
                answers.append(refusal)
        return answers

    async def tasks(name: str, count: int) -> list[Any]:
        writes = [store.apply_async("w", contested(f"{name}-{number}"), instant=INSTANT) for number in range(count)]
        return await asyncio.gather(*writes, return_exceptions=True)

    def looping(name: str, count: int) -> list[Any]:
        crowd.wait(DEADLINE_SECONDS)
        return asyncio.run(tasks(name, count))

    threads = [in_thread(looping, "big-loop", 200)]
    threads += [in_thread(blocking, f"thread-{number}") for number in range(16)]
    threads += [in_thread(looping, f"loop-{number}", 45) for number in range(4)]
    return [answer for thread in threads for answer in thread.result(DEADLINE_SECONDS)]


def test_tasks_threads_and_loops_at_once_lose_no_count(store: Store) -> None:
    store.create("w", CONFIG)
    answers = at_once(store, trade)
    every = list(range(1, 701))
    assert sorted(answer.answer["trades_today"] for answer in answers) == every
    assert sorted(answer.entries[0].sequence for answer in answers) == every
    assert all(answer.after.sequence == answer.before.sequence + 1 for answer in answers)
    page = store.ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == every[::-1]
    assert len(set(ids_of(page))) == 700
    assert {entry.id: entry.sequence for entry in page.entries} == {
        answer.entries[0].id: answer.entries[0].sequence for answer in answers
    }
    window = store.snapshot("w")
    assert (window.state["trades_today"], window.sequence) == (700, 700)


def test_tasks_threads_and_loops_at_once_get_no_slot_too_many(store: Store) -> None:
    store.create("w", WindowConfig(max_trades_per_day=100))
    answers = at_once(store, trade_within_limit)
    granted = [answer.answer["trades_today"] for answer in answers if isinstance(answer, Applied)]
    assert sorted(granted) == list(range(1, 101))
    assert [type(answer) for answer in answers].count(Refused) == 600
    assert store.ledger("w", ALL).sequence == 100


def test_windows_do_not_mix_when_many_are_written_at_once(store: Store) -> None:
    async def write() -> None:
        writes: list[Coroutine[Any, Any, object]] = []
        for number in range(30):
            await store.create_async(f"w{number}", CONFIG)
            for count in range(number):
                writes.append(store.apply_async(f"w{number}", trade(f"w{number}-{count}"), instant=INSTANT))
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*writes)

    asyncio.run(write())
    assert [store.snapshot(f"w{number}").sequence for number in range(30)] == list(range(30))
    assert set(ids_of(store.ledger("w4", ALL))) == {"w4-0", "w4-1", "w4-2", "w4-3"}
