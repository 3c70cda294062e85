"""Backtests in processes of their own: bounded, and ended when they have to be."""

import asyncio
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from shared.backtest.job import BacktestJob
from shared.backtest.processes import Processes, client_left
from shared.candle import Timeframe
from shared.errors import BacktestFailed, BacktestTooLong, TooManyBacktests
from shared.settings import BacktestSettings, BotSettings, BrokerSettings
from shared.window_config import WindowConfig
from tests.shared.backtest import runs
from tests.shared.strategies.markets import drifting

DEADLINE_SECONDS = 60.0


def job(name: str = "any") -> BacktestJob:
    asked = {"symbols": ["BTC-USD"], "timeframe": Timeframe.MINUTE, "strategies": {name: {}}}
    candles = tuple(drifting(1, length=20))
    return BacktestJob.of(
        BotSettings(), BrokerSettings(), WindowConfig(), candles, asked=asked, capital=Decimal("1000.50")
    )


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes(BacktestSettings(workers=1, max_queued=1, retry_after_seconds=7))
    yield made
    made.close()


def process_of(file: Path) -> int:
    wait_for(file.exists)
    return int(file.read_text())


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def wait_async(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_for, condition)


async def test_a_process_of_its_own_runs_one_after_the_other_on_either_face(processes: Processes) -> None:
    first = await processes.run_async(runs.tells_its_process, job())
    second = await asyncio.to_thread(processes.run, runs.tells_its_process, job())
    assert first == second == {"pid": first["pid"], "candles": 20}
    assert first["pid"] != os.getpid()


async def test_a_process_that_ended_while_it_was_idle_costs_no_backtest(processes: Processes) -> None:
    first = await processes.run_async(runs.tells_its_process, job())
    os.kill(first["pid"], signal.SIGKILL)  # as where memory runs out
    await wait_async(lambda: not multiprocessing.active_children())
    second = await processes.run_async(runs.tells_its_process, job())
    assert second["candles"] == 20


async def test_past_the_bound_it_is_refused_and_who_leaves_ends_the_process(
    processes: Processes, tmp_path: Path
) -> None:
    file = tmp_path / "runs"
    running = asyncio.create_task(processes.run_async(runs.takes_long, job(str(file))))
    await wait_async(file.exists)
    waiting = asyncio.create_task(processes.run_async(runs.tells_its_process, job()))
    await asyncio.sleep(0)
    with pytest.raises(TooManyBacktests, match="2 backtests run or wait already") as refused:
        await processes.run_async(runs.tells_its_process, job())
    assert refused.value.retry_after_seconds == 7

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert is_gone(process_of(file))
    assert (await waiting)["pid"] != process_of(file)


async def test_who_leaves_while_it_waits_gives_the_place_back(processes: Processes, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    running = asyncio.create_task(processes.run_async(runs.takes_long, job(str(file))))
    await wait_async(file.exists)
    waiting = asyncio.create_task(processes.run_async(runs.takes_long, job(str(tmp_path / "never"))))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other = asyncio.create_task(processes.run_async(runs.tells_its_process, job()))
    await asyncio.sleep(0)
    running.cancel()
    assert (await other)["candles"] == 20
    assert not (tmp_path / "never").exists()


def test_a_caller_that_blocks_ends_the_process_when_its_client_is_gone(processes: Processes, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    token = client_left.set(file.exists)
    try:
        with pytest.raises(BacktestFailed, match="it was ended"):
            processes.run(runs.takes_long, job(str(file)))
        assert is_gone(process_of(file))
    finally:
        client_left.reset(token)


def test_the_time_limit_ends_the_process(tmp_path: Path) -> None:
    processes = Processes(BacktestSettings(timeout_seconds=0.5))
    try:
        with pytest.raises(BacktestTooLong, match=r"took longer than 0\.5 s"):
            processes.run(runs.takes_long, job(str(tmp_path / "runs")))
        assert multiprocessing.active_children() == []
    finally:
        processes.close()


def test_a_fault_is_told_and_logged_and_the_next_one_runs(
    processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BacktestFailed, match="the log says how"):
        processes.run(runs.fails, job())
    assert "ZeroDivisionError: a strategy's own fault" in caplog.text
    with pytest.raises(BacktestFailed, match="its process ended"):
        processes.run(runs.dies, job())
    assert processes.run(runs.tells_its_process, job())["candles"] == 20


async def test_closing_ends_what_runs_and_what_waits_and_it_opens_again(processes: Processes, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    running = asyncio.create_task(processes.run_async(runs.takes_long, job(str(file))))
    await wait_async(file.exists)
    waiting = asyncio.create_task(processes.run_async(runs.takes_long, job(str(tmp_path / "never"))))
    await asyncio.sleep(0)
    await asyncio.to_thread(processes.close)
    for answer in (running, waiting):
        with pytest.raises(BacktestFailed):
            await answer
    assert is_gone(process_of(file))
    assert not (tmp_path / "never").exists()
    assert (await processes.run_async(runs.tells_its_process, job()))["candles"] == 20


def test_a_pickled_job_is_the_same() -> None:
    assert pickle.loads(pickle.dumps(job())) == job()
