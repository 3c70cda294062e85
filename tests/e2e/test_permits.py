"""A thousand `async with window.permit(...)` at once, in four processes on one file: no slot is lost, none is given
twice."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.trading_window_async import TradingWindowAsync
from shared.clock import FrozenClock
from shared.errors import PermitConflict, Refused
from shared.store.base import LedgerQuery
from shared.store.sqlite import SQLiteStore
from tests.e2e.servers import DEADLINE_SECONDS, ROOT

PROCESSES = 4
EACH = 250
NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
CONFIG = {"max_trades_per_day": 10_000, "permit_seconds": 3_600, "in_doubt_after_seconds": 3_600}
SUCCEEDING, RAISING, CANCELLED = 336, 332, 332
"""Of a thousand, by their number in their process modulo three: 84, 83 and 83 in each of the four."""


def test_the_blocks_of_a_thousand_are_as_many_as_they_are_said_to_be() -> None:
    assert PROCESSES * EACH == SUCCEEDING + RAISING + CANCELLED == 1_000
    assert [len(range(kind, EACH, 3)) * PROCESSES for kind in range(3)] == [SUCCEEDING, RAISING, CANCELLED]


class Failed(Exception):
    pass


async def _block(window: TradingWindowAsync, kind: int, *, sends: bool, reached: asyncio.Event) -> str:
    try:
        async with window.permit({"symbol": f"S{kind}"}) as permit:
            if sends or kind == 0:
                await permit.sent()
            reached.set()
            if kind == 1:
                raise Failed  # noqa: TRY301 - as the code of a block does
            if kind == 2:
                await asyncio.Event().wait()
    except Failed:
        return "raised"
    except asyncio.CancelledError:
        return "cancelled"
    except Refused as refusal:
        return refusal.reasons[0].code
    finally:
        reached.set()
    assert permit.trade is not None
    return "succeeded"


async def _visit(path: Path, *, sends: bool) -> dict[str, int]:
    """All of one process's blocks at once, from a common start; what became of them."""
    with closing(SQLiteStore(path, busy_timeout_seconds=DEADLINE_SECONDS)) as store:
        window = TradingWindowAsync(CONFIG, store=store, clock=FrozenClock(NOON))
        await window.get_state()
        print("ready", flush=True)  # noqa: T201 - a line for the parent
        await asyncio.to_thread(sys.stdin.readline)
        reached = [asyncio.Event() for _ in range(EACH)]
        blocks = [
            asyncio.create_task(_block(window, number % 3, sends=sends, reached=reached[number]))
            for number in range(EACH)
        ]
        for number in range(2, EACH, 3):
            await reached[number].wait()
            blocks[number].cancel()
        return Counter(await asyncio.gather(*blocks))


def _in_four_processes(path: Path, *, sends: bool) -> Counter[str]:
    """What became of all blocks, once each process's store is open and all were let go at once."""
    command = [sys.executable, "-m", "tests.e2e.test_permits", str(path), str(int(sends))]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        outputs = []
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            output, _ = process.communicate(timeout=DEADLINE_SECONDS)
            assert process.returncode == 0
            outputs.append(json.loads(output))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return sum((Counter(output) for output in outputs), Counter[str]())


@asynccontextmanager
async def opened(path: Path, config: Mapping[str, Any]) -> AsyncIterator[tuple[TradingWindowAsync, SQLiteStore]]:
    with closing(SQLiteStore(path, busy_timeout_seconds=DEADLINE_SECONDS)) as store:
        window = TradingWindowAsync(config, store=store, clock=FrozenClock(NOON))
        await window.get_state()
        yield window, store


async def made(path: Path, config: Mapping[str, Any]) -> None:
    async with opened(path, config):
        pass


def check_ledger(store: SQLiteStore, *, limit: int, ends: Mapping[str, int]) -> None:
    """Played from its beginning, occupied slots never pass the limit, and each permit has at most one end."""
    entries = store.ledger("default", LedgerQuery(limit=100_000)).entries[::-1]
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    occupied = 0
    last: dict[str, str] = {}
    for entry in entries:
        if entry.kind != "permit":
            assert entry.kind == "trade"
            continue
        assert entry.subject is not None
        assert last.get(entry.subject) not in ("confirmed", "released", "expired")
        last[entry.subject] = entry.data["status"]
        occupied += {"pending": 1, "released": -1, "expired": -1}.get(entry.data["status"], 0)
        assert 0 <= occupied <= limit
    assert Counter(last.values()) == ends
    assert sum(entry.kind == "trade" for entry in entries) == ends.get("confirmed", 0)
    assert occupied == store.snapshot("default").state["trades_today"]


async def test_before_sent_an_exception_and_a_cancellation_give_the_slot_back(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    await made(path, CONFIG)
    became = await asyncio.to_thread(_in_four_processes, path, sends=False)
    assert became == {"succeeded": SUCCEEDING, "raised": RAISING, "cancelled": CANCELLED}
    async with opened(path, CONFIG) as (window, store):
        assert (await window.get_state())["trades_today"] == SUCCEEDING
        assert await window.open_permits() == []
        check_ledger(store, limit=10_000, ends={"confirmed": SUCCEEDING, "released": RAISING + CANCELLED})


async def test_after_sent_the_rest_is_in_doubt_and_reconciling_settles_the_count(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    await made(path, CONFIG)
    became = await asyncio.to_thread(_in_four_processes, path, sends=True)
    assert became == {"succeeded": SUCCEEDING, "raised": RAISING, "cancelled": CANCELLED}
    async with opened(path, CONFIG) as (window, store):
        assert (await window.get_state())["trades_today"] == 1_000
        in_doubt = await window.open_permits()
        assert Counter(permit["status"] for permit in in_doubt) == {"in_doubt": RAISING + CANCELLED}

        halves = in_doubt[::2], in_doubt[1::2]
        await asyncio.gather(*(window.confirm(permit["id"]) for permit in halves[0]))
        await asyncio.gather(*(window.release(permit["id"]) for permit in halves[1]))

        assert (await window.get_state())["trades_today"] == SUCCEEDING + 332
        assert await window.open_permits() == []
        check_ledger(store, limit=10_000, ends={"confirmed": SUCCEEDING + 332, "released": 332})
        with pytest.raises(PermitConflict, match="is confirmed, and can't be released any more"):
            await window.release(halves[0][0]["id"])


@pytest.mark.parametrize("limit", [1, 100])
async def test_a_limit_below_the_demand_is_met_exactly(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "state.sqlite3"
    config = {**CONFIG, "max_trades_per_day": limit}
    await made(path, config)
    became = await asyncio.to_thread(_in_four_processes, path, sends=True)
    granted = became["succeeded"] + became["raised"] + became["cancelled"]
    assert (granted, became["DAILY_LIMIT"]) == (limit, 1_000 - limit)
    async with opened(path, config) as (window, store):
        state = await window.get_state()
        assert (state["trades_today"], state["remaining_trades"]) == (limit, 0)
        doubtful = became["raised"] + became["cancelled"]
        ends = {"confirmed": became["succeeded"], "in_doubt": doubtful}
        check_ledger(store, limit=limit, ends={status: count for status, count in ends.items() if count})
        for permit in await window.open_permits():
            await window.release(permit["id"])
        assert (await window.get_state())["trades_today"] == became["succeeded"]


async def test_a_limit_below_the_demand_is_never_passed_while_slots_come_back(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    config = {**CONFIG, "max_trades_per_day": 400}
    await made(path, config)
    became = await asyncio.to_thread(_in_four_processes, path, sends=False)
    assert set(became) <= {"succeeded", "raised", "cancelled", "DAILY_LIMIT"}
    assert became.total() == 1_000
    async with opened(path, config) as (window, store):
        assert (await window.get_state())["trades_today"] == became["succeeded"]
        assert await window.open_permits() == []
        released = became["raised"] + became["cancelled"]
        check_ledger(store, limit=400, ends={"confirmed": became["succeeded"], "released": released})


async def test_who_is_cancelled_in_the_middle_of_a_step_leaves_nothing_that_doesn_t_end_by_itself(
    tmp_path: Path,
) -> None:
    """A reservation whose caller is gone expires, a step that was handed over is written."""
    clock = FrozenClock(NOON)
    with closing(SQLiteStore(tmp_path / "state.sqlite3")) as store:
        window = TradingWindowAsync({**CONFIG, "permit_seconds": 10}, store=store, clock=clock)
        await window.get_state()

        async def trade() -> None:
            async with window.permit():
                pass

        became: list[BaseException | None] = []
        for turns in range(200):
            task = asyncio.create_task(trade())
            for _ in range(turns % 20):
                await asyncio.sleep(0.000_1)
            task.cancel()
            became += await asyncio.gather(task, return_exceptions=True)
        assert all(one is None or isinstance(one, asyncio.CancelledError) for one in became)
        clock.set(datetime(2025, 3, 3, 13, tzinfo=UTC))
        count = (await window.get_state())["trades_today"]
        assert await window.open_permits() == []
        of_trades = store.ledger("default", LedgerQuery(kind="trade", limit=1_000)).entries
        assert count == len(of_trades) >= became.count(None)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_visit(Path(sys.argv[1]), sends=sys.argv[2] == "1"))))  # noqa: T201
