import asyncio
import time

from fastapi_app.cutover.candidates.patience import Patience


async def test_it_is_over_after_its_seconds() -> None:
    over = asyncio.Event()
    begun = time.monotonic()
    Patience(0.1, over.set)
    await asyncio.wait_for(over.wait(), timeout=10)
    assert time.monotonic() - begun >= 0.099


async def test_of_a_stretch_in_which_the_loop_stands_still_a_fifth_counts() -> None:
    over = asyncio.Event()
    Patience(0.1, over.set)
    time.sleep(0.2)  # noqa: ASYNC251 - that is the fault
    resumed = time.monotonic()
    await asyncio.wait_for(over.wait(), timeout=10)
    assert time.monotonic() - resumed >= 0.079


async def test_once_it_has_ended_nobody_is_called() -> None:
    over = asyncio.Event()
    patience = Patience(0.02, over.set)
    await asyncio.sleep(0.01)
    patience.end()
    await asyncio.sleep(0.05)
    assert not over.is_set()
