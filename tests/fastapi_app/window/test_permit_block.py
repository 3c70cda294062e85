import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fastapi_app.trading_window_async import TradingWindowAsync
from shared.clock import FrozenClock
from shared.errors import Refused
from shared.store.base import LedgerQuery
from shared.store.sqlite import SQLiteStore

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


async def _block(window: TradingWindowAsync, clock: FrozenClock, error: BaseException, *, sends: bool) -> None:
    """Its code takes a minute and a second, and fails."""
    async with window.permit() as permit:
        if sends:
            await permit.sent()
        clock.step(timedelta(seconds=61))
        raise error


@pytest.mark.parametrize("error", [ValueError("no fill"), asyncio.CancelledError("stop")])
@pytest.mark.parametrize(
    ("sends", "note"),
    [(False, "is expired, and can't be released any more"), (True, "is in doubt, and can't be in doubt any more")],
)
async def test_the_block_s_own_exception_goes_on_when_the_permit_is_past_its_deadline(
    clock: FrozenClock, error: BaseException, sends: bool, note: str
) -> None:
    window = TradingWindowAsync({"max_trades_per_day": 1}, clock=clock)
    error.__notes__ = []
    with pytest.raises(type(error)) as raised:
        await _block(window, clock, error, sends=sends)
    assert raised.value is error
    assert [text.partition("' ")[2] for text in error.__notes__] == [note]
    assert [permit["status"] for permit in await window.open_permits()] == ["in_doubt"] * sends
    assert await window.can_trade() is not sends


async def test_a_timeout_stays_a_timeout_when_the_permit_is_past_its_deadline(clock: FrozenClock) -> None:
    window = TradingWindowAsync(clock=clock)

    async def order() -> None:
        async with asyncio.timeout(0.001), window.permit() as permit:
            await permit.sent()
            clock.step(timedelta(seconds=61))
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await order()


@pytest.mark.parametrize("limit", [0, 1])
async def test_a_cancellation_while_the_slot_is_reserved_gives_it_back(
    clock: FrozenClock, tmp_path: Path, limit: int
) -> None:
    with closing(SQLiteStore(tmp_path / "state.sqlite3")) as store:
        window = TradingWindowAsync({"max_trades_per_day": limit}, store=store, clock=clock)
        await window.get_state()

        async def order() -> None:
            async with window.permit():
                await asyncio.Event().wait()

        for steps in range(1, 20):
            task = asyncio.create_task(order())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, Refused)):
                await task
            assert await window.open_permits() == []
        entries = store.ledger("default", LedgerQuery(kind="permit")).entries
        ends = [entry.data["reason"] for entry in entries if entry.data["status"] == "released"]
        assert len(entries) == 2 * len(ends)
        assert set(ends) == ({"CancelledError"} if limit else set())
