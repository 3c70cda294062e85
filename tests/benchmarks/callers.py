"""Many callers on one window in one process: threads on the old class, tasks on the new one.

Run as a program it is the measured process: it reads one question a line and answers each with a line.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import uvloop

from fastapi_app.trading_window_async import TradingWindowAsync
from legacy_flask.trading_window import TradingWindow
from shared.ports import LivePorts
from shared.store.base import Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import MAX_TRADES_PER_DAY, WindowConfig
from shared.wire import TradeRequest
from tests.benchmarks.figures import percentile
from tests.benchmarks.machine import pinned
from tests.benchmarks.servers import ROOT

Operation = Literal["can_trade", "try_register_trade"]
Face = Literal["threads", "tasks"]
Backend = Literal["memory", "SQLite"]

CONFIG = {"max_trades_per_day": MAX_TRADES_PER_DAY}
TRADE = TradeRequest.model_validate({"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Each of so many callers calls again and again for so long."""

    operation: Operation
    callers: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """What came of a question."""

    rate: float
    p99_ms: float
    slowest_ms: float


class CallersProcess:
    """The measured process, from outside."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, question: Question) -> Calls:
        """Raises RuntimeError when the process ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(question)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process with the callers ended; its traceback is above")
        return Calls(**json.loads(line))


@contextmanager
def calling(face: Face, backend: Backend, *, folder: Path, core: int | None) -> Iterator[CallersProcess]:
    command = [sys.executable, "-m", "tests.benchmarks.callers", face, backend, str(folder)]
    process = subprocess.Popen(
        pinned(command, core),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield CallersProcess(process)
        finally:
            process.kill()


def main(face: Face, backend: Backend, folder: Path) -> None:
    for number, line in enumerate(sys.stdin):
        question = Question(**json.loads(line))
        store = MemoryStore() if backend == "memory" else SQLiteStore(folder / f"{number}.sqlite3")
        store.create(DEFAULT_WINDOW_ID, WindowConfig(max_trades_per_day=MAX_TRADES_PER_DAY))
        timing = _threads(question, store) if face == "threads" else uvloop.run(_tasks(question, store))
        counted = store.snapshot(DEFAULT_WINDOW_ID).sequence
        assert counted == (len(timing.calls) if question.operation == "try_register_trade" else 0), "a trade was lost"
        store.close()
        sys.stdout.write(json.dumps(asdict(timing.summary())) + "\n")
        sys.stdout.flush()


class _Timing:
    """Begins now. `calls` are the seconds of each call, to be appended to."""

    def __init__(self, question: Question) -> None:
        self.calls: list[float] = []
        self._begin = time.perf_counter()
        self.deadline = self._begin + question.seconds
        self._end = self._begin

    def end(self) -> None:
        self._end = time.perf_counter()

    def summary(self) -> Calls:
        return Calls(
            rate=len(self.calls) / (self._end - self._begin),
            p99_ms=percentile(self.calls, 99) * 1e3,
            slowest_ms=max(self.calls) * 1e3,
        )


def _threads(question: Question, store: Store) -> _Timing:
    """A window per call on the ports of one request, as the Flask views do."""
    live = LivePorts(store=store)
    timings: list[_Timing] = []
    # Until all threads are there, none begins.
    start = threading.Barrier(question.callers, action=lambda: timings.append(_Timing(question)))

    def caller() -> None:
        start.wait()
        timing = timings[0]
        while (begin := time.perf_counter()) < timing.deadline:
            window = TradingWindow(CONFIG, ports=live.for_request())
            if question.operation == "can_trade":
                window.can_trade()
            else:
                window.try_register_trade(TRADE)
            timing.calls.append(time.perf_counter() - begin)

    with ThreadPoolExecutor(question.callers) as pool:
        for called in [pool.submit(caller) for _ in range(question.callers)]:
            called.result()
    timings[0].end()
    return timings[0]


async def _tasks(question: Question, store: Store) -> _Timing:
    """A call begins where its caller asks for a turn in the loop, as a thread's call waits for its turn at the
    interpreter. A window per call on the ports of one request, as the native endpoints do."""
    live = LivePorts(store=store)
    timing = _Timing(question)

    async def caller() -> None:
        while (begin := time.perf_counter()) < timing.deadline:
            await asyncio.sleep(0)
            window = TradingWindowAsync(ports=live.for_request())
            if question.operation == "can_trade":
                await window.can_trade()
            else:
                await window.try_register_trade(TRADE)
            timing.calls.append(time.perf_counter() - begin)

    async with asyncio.TaskGroup() as group:
        for _ in range(question.callers):
            group.create_task(caller())
    timing.end()
    return timing


if __name__ == "__main__":
    _, given_face, given_backend, given_folder = sys.argv
    main(given_face, given_backend, Path(given_folder))  # type: ignore[arg-type]
