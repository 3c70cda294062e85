import multiprocessing
import random
from pathlib import Path

from fastapi_app.bot.replay import ReplayStores
from tests.fastapi_app.bot.durable_run import CANDLES, WINDOW, run
from tests.fastapi_app.bot.runs import BROKER, check_books, replayed, told
from tests.shared.strategies.markets import drifting

KILLS = 10


async def test_a_process_that_is_killed_at_random_leaves_the_ledger_of_one_that_is_not(state_file: Path) -> None:
    """With SIGKILL, in the middle of whatever it does; the last run is in this process, and ends."""
    drawn = random.Random(6)
    kills = sum(_killed(state_file, after=drawn.uniform(0.01, 0.12)) for _ in range(KILLS))
    assert kills > KILLS / 2
    candles = drifting(9, length=CANDLES)
    stores = ReplayStores.in_file(state_file, BROKER)
    try:
        result = await replayed(candles, window=WINDOW, stores=stores)
    finally:
        stores.close()
    assert told(result) == told(await replayed(candles, window=WINDOW))
    check_books(result, window=WINDOW)


def _killed(path: Path, *, after: float) -> bool:
    """Whether the process was still at it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([run.__module__])
    begun, sender = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(path, sender))
    process.start()
    begun.recv()
    process.join(after)
    was_alive = process.is_alive()
    process.kill()
    process.join()
    begun.close()
    sender.close()
    process.close()
    return was_alive
