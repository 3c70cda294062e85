"""The operator hears in time that a calendar ends, from a server that runs for weeks."""

import asyncio
import logging
from datetime import timedelta

import pytest
import time_machine

from fastapi_app import calendar_watch
from fastapi_app.calendar_watch import watching_calendars
from fastapi_app.window.schedule import schedule_of
from shared.errors import StoreUnavailable
from shared.store.memory import MemoryStore
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.processes import until

SHANGHAI = WindowConfig(calendar="XSHG")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    monkeypatch.setattr(calendar_watch, "PERIOD_SECONDS", 0.01)
    store = MemoryStore()
    store.create("asia", SHANGHAI)
    store.create("default", WindowConfig())
    return store


async def test_a_calendar_that_ends_in_thirty_days_is_told_again_each_time(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    ends = schedule_of(SHANGHAI).known_until
    assert ends is not None
    with time_machine.travel(ends - timedelta(days=30, seconds=1)) as clock:
        async with watching_calendars(store):
            await asyncio.sleep(0.1)
            assert caplog.records == []
            clock.shift(timedelta(seconds=1))
            await until(lambda: len(caplog.records) >= 2)
    assert {(record.levelno, record.getMessage().partition(",")[0]) for record in caplog.records} == {
        (logging.WARNING, f"window 'asia': the calendar XSHG is known until {ends:%Y-%m-%dT%H:%M:%S.%fZ}")
    }


async def test_a_calendar_that_can_not_be_had_is_told_and_keeps_no_server_from_starting(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.create("nowhere", WindowConfig(calendar="NOWHERE"))
    async with watching_calendars(store):
        pass
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert record.getMessage().startswith("window 'nowhere': the calendar NOWHERE can't be had: ")


async def test_a_store_that_can_not_answer_is_told_once_and_asked_again(
    store: MemoryStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    window_ids = store.window_ids_async

    async def gone(*, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        nonlocal asked
        asked += 1
        if asked <= 3:
            raise StoreUnavailable("the disk is gone")
        return await window_ids(after=after, limit=limit)

    monkeypatch.setattr(store, "window_ids_async", gone)
    async with watching_calendars(store):
        await until(lambda: asked >= 6)
    (record,) = caplog.records
    assert record.getMessage() == (
        "the calendars of the windows can't be looked through: the store can't answer: the disk is gone"
    )
