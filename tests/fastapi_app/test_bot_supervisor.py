"""One bot, whichever of several processes runs it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.app import TradingWindowApp, create_app
from fastapi_app.bot_supervisor import BotSupervisor
from shared.bot.control import begun_here, ended_here, started, stopped
from shared.bot.lease import released, taken
from shared.bot.opening import open_bot_store
from shared.bot.service import BotService
from shared.errors import StoreUnavailable
from shared.ports import LivePorts
from shared.settings import BotSettings, CutoverSettings, Settings, StoreSettings
from shared.store.memory import MemoryStore
from tests.fastapi_app.bot.bench import MINUTE
from tests.fastapi_app.bot.processes import SETTINGS, World, newest, until

LOOK = 0.01
MADE_UP = "paper money at the prices of synthetic (made up, seed 1)"
"""Where a bot with the settings' defaults trades."""
LASTING = SETTINGS.model_copy(update={"lease_seconds": 120.0})
"""With a lease that outlasts a minute that the clock is moved by."""


class Processes:
    """Each looks after the bot, with its own name as the lease's holder."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._running: dict[str, AsyncExitStack] = {}

    async def start(self, *names: str) -> None:
        world = self.world
        for name in names:
            make = partial(world.bot, name)
            supervisor = BotSupervisor(world.stores.bot, make, clock=world.clock, look_seconds=LOOK)
            self._running[name] = AsyncExitStack()
            await self._running[name].enter_async_context(supervisor.running())

    async def end(self, name: str) -> None:
        await self._running.pop(name).aclose()

    async def end_all(self) -> None:
        for name in list(self._running):
            await self.end(name)

    async def run_the_bot(self) -> str:
        """The name of the process that does."""
        await until(lambda: self.world.row().holder is not None and newest(self.world.row()) != "")
        return str(self.world.row().holder)


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    processes = Processes(World())
    yield processes
    await processes.end_all()


def tell_to_start(world: World, settings: BotSettings = LASTING) -> None:
    world.stores.bot.change(started(settings, account=world.account, at=world.clock.now()))


def lifespan_of(app: TradingWindowApp) -> AbstractAsyncContextManager[Any]:
    return app.native.router.lifespan_context(app.native)


async def looks(number: int = 10) -> None:
    await asyncio.sleep(number * LOOK)


async def test_nothing_runs_until_it_is_asked_for(processes: Processes) -> None:
    await processes.start("one", "two")
    await looks()
    assert processes.world.row().version == 0
    assert not processes.world.bots


async def test_one_of_three_runs_it_with_the_settings_of_the_start_until_it_is_stopped(processes: Processes) -> None:
    world = processes.world
    await processes.start("one", "two", "three")
    tell_to_start(world, LASTING.model_copy(update={"lease_seconds": 77.0}))
    await processes.run_the_bot()
    assert (world.row().lease_until - world.clock.now()).total_seconds() == 77
    (running,) = [bot for bot in world.bots if bot.is_running]
    await world.minutes(12, running)
    world.stores.bot.change(stopped())
    await until(lambda: world.row().holder is None)
    assert not any(bot.is_running for bot in world.bots)
    orders = world.orders()
    assert orders == await world.trades() >= 2
    world.clock.step(5 * MINUTE)
    await looks()
    assert (world.orders(), world.row().holder) == (orders, None)


async def test_a_process_that_ends_hands_it_over_at_once(processes: Processes) -> None:
    world = processes.world
    await processes.start("one", "two")
    tell_to_start(world)
    first = await processes.run_the_bot()
    await processes.end(first)
    second = await processes.run_the_bot()
    assert {first, second} == {"one", "two"}
    assert world.row().desired == "running"


async def test_a_lease_of_a_process_that_was_killed_is_waited_for_and_then_taken_over(
    processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fastapi_app.bot_supervisor")
    world = processes.world
    tell_to_start(world)
    now = world.clock.now()
    world.stores.bot.change(taken("killed", account=world.account, at=now, until=now + MINUTE))
    await processes.start("one", "two")
    await looks()
    assert (world.row().holder, world.bots) == ("killed", [])
    world.clock.step(MINUTE)
    assert await processes.run_the_bot() in ("one", "two")
    (running,) = [bot for bot in world.bots if bot.is_running]
    assert f"the bot runs here, as {running.holder}, taken over from killed" in caplog.messages
    await world.minutes(12, running)
    assert world.orders() == await world.trades() >= 2


async def test_who_lost_the_lease_stops_and_may_have_it_again(processes: Processes) -> None:
    world = processes.world
    await processes.start("one")
    tell_to_start(world)
    await processes.run_the_bot()
    now = world.clock.now()
    world.clock.step(2 * MINUTE)
    world.stores.bot.change(taken("another", account=world.account, at=now + 2 * MINUTE, until=now + 3 * MINUTE))
    await until(lambda: not any(bot.is_running for bot in world.bots))
    assert world.row().holder == "another"
    world.clock.step(MINUTE)
    await until(lambda: world.row().holder == "one")


async def test_one_that_is_started_again_between_two_looks_runs_with_the_new_settings(processes: Processes) -> None:
    world = processes.world
    await processes.start("one")
    tell_to_start(world)
    await processes.run_the_bot()
    world.clock.step(MINUTE)
    world.stores.bot.change(stopped())
    tell_to_start(world, LASTING.model_copy(update={"lease_seconds": 77.0}))
    await until(lambda: len(world.bots) == 2 and world.bots[1].is_running)
    assert not world.bots[0].is_running
    assert (world.row().lease_until - world.clock.now()).total_seconds() == 77


async def test_a_process_of_its_own_that_ends_is_not_followed_by_another(processes: Processes) -> None:
    world = processes.world
    await processes.start("one")
    for step in (
        begun_here(LASTING, account=world.account, holder="its own", at=world.clock.now()),
        ended_here("its own"),
        released("its own"),
    ):
        world.stores.bot.change(step)
        await looks()
    assert (world.row().holder, world.bots) == (None, [])


async def test_an_app_runs_it_on_files_of_its_own_and_none_on_ports_that_were_handed_in(
    state_file: Path, tmp_path: Path
) -> None:
    settings = Settings(
        store=StoreSettings(path=state_file),
        cutover=CutoverSettings(path=tmp_path / "cutover.sqlite3", token_path=tmp_path / "cutover.token"),
    )
    with closing(open_bot_store(settings.store)) as bots:
        bots.change(started(settings.bot, account=MADE_UP, at=datetime.now(UTC)))
        handed_in = LivePorts(store=MemoryStore(), services={"bot": BotService(bots, settings.bot, account=MADE_UP)})
        async with lifespan_of(create_app(settings, live_ports=handed_in)):
            await looks(20)
            assert bots.read().holder is None
        async with lifespan_of(create_app(settings)):
            await until(lambda: bots.read().last_cycle is not None)
        assert (bots.read().desired, bots.read().holder) == ("running", None)


async def test_what_fails_is_logged_once_and_tried_until_it_works(
    processes: Processes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = processes.world

    async def fails() -> None:
        raise StoreUnavailable("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(world.stores.bot, "read_async", fails)
        await processes.start("one")
        await looks()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "the bot: the store can't answer: the disk is gone")
    ]
    tell_to_start(world)
    await processes.run_the_bot()


async def test_a_strategy_that_this_process_does_not_have_is_told_and_leaves_the_lease_to_others(
    processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    world = processes.world
    await processes.start("one")
    tell_to_start(world, LASTING.model_copy(update={"strategies": {"none_such": {}}}))
    await until(lambda: bool(caplog.records))
    await looks()
    (record,) = caplog.records
    assert record.getMessage().startswith('the bot: strategy: "none_such" is not one of ')
    assert world.row().holder is None
