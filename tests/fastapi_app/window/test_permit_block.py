import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from fastapi_app.trading_window_async import TradingWindowAsync
from shared.clock import FrozenClock
from shared.store.base import LedgerQuery
from shared.store.memory import MemoryStore

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
PAST_ITS_DEADLINE = timedelta(seconds=61)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.mark.parametrize("error", [ValueError("no fill"), asyncio.CancelledError("stop")])
@pytest.mark.parametrize(
    ("sends", "status", "note"),
    [
        (False, "expired", "is expired, and can't be released any more"),
        (True, "in_doubt", "is in doubt, and can't be in doubt any more"),
    ],
)
async def test_the_block_s_own_exception_goes_on_when_the_permit_is_past_its_deadline(
    clock: FrozenClock, error: BaseException, sends: bool, status: str, note: str
) -> None:
    window = TradingWindowAsync(clock=clock)
    error.__notes__ = []
    with pytest.raises(type(error)) as raised:
        async with window.permit() as permit:
            if sends:
                await permit.sent()
            clock.step(PAST_ITS_DEADLINE)
            raise error
    assert raised.value is error
    assert [text.partition("' ")[2] for text in error.__notes__] == [note]
    assert (await window.get_permit(permit.id))["status"] == status


async def test_a_timeout_stays_a_timeout_when_the_permit_is_past_its_deadline(clock: FrozenClock) -> None:
    window = TradingWindowAsync(clock=clock)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001), window.permit() as permit:
            await permit.sent()
            clock.step(PAST_ITS_DEADLINE)
            await asyncio.Event().wait()


@pytest.mark.parametrize(("sends", "status"), [(False, "released"), (True, "in_doubt")])
async def test_an_exception_before_sent_gives_the_slot_back_and_after_it_keeps_it(
    clock: FrozenClock, sends: bool, status: str
) -> None:
    store = MemoryStore()
    window = TradingWindowAsync({"max_trades_per_day": 1}, store=store, clock=clock)
    with pytest.raises(ValueError, match="no fill"):
        async with window.permit() as permit:
            if sends:
                await permit.sent()
            raise ValueError("no fill")
    assert (await window.get_permit(permit.id))["status"] == status
    assert await window.can_trade() is not sends
    newest = store.ledger("default", LedgerQuery(limit=1)).entries[0]
    assert newest.data.get("reason") == (None if sends else "ValueError")
