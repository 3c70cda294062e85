import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.main_bot_async import main_async
from fastapi_app.trading_window_async import TradingWindowAsync
from shared.bot.control import started, stopped
from shared.bot.opening import open_bot_store
from shared.bot.store.base import BotRow
from shared.broker.base import OrderRequest, OrdersQuery
from shared.errors import BotIsRunning, BotIsStopped, LeaseHeld, MarketUnavailable
from shared.settings import BotSettings, Settings, StoreSettings
from tests.fastapi_app.bot.bench import MINUTE, TestedBroker
from tests.fastapi_app.bot.processes import SETTINGS, World, newest, until
from tests.fastapi_app.bot.runs import BTC, QUICK
from tests.shared.strategies.markets import START


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for bot in world.bots:
        if bot.is_running:
            await bot.stop()


async def test_it_trades_until_it_is_stopped_with_a_trade_for_each_order(world: World) -> None:
    bot = world.bot("one")
    await bot.start()
    await until(lambda: newest(world.row()) != "")
    assert world.orders() == 0  # what was before it began is for its strategies alone
    await world.minutes(12, bot)
    await bot.stop()
    orders = world.orders()
    assert orders >= 2
    assert await world.trades() == orders
    assert len(world.messages.texts) == orders
    assert world.row().holder is None
    world.clock.step(5 * MINUTE)
    await asyncio.sleep(0.2)
    assert world.orders() == orders


async def test_its_first_start_enters_the_trend_that_is_under_way_and_no_later_one_does(world: World) -> None:
    joins = SETTINGS.model_copy(update={"join_trend": True})
    bot = world.bot("one", joins)
    await bot.start()
    await until(lambda: world.orders() == 1)
    await bot.stop()
    (order,) = world.broker.orders(OrdersQuery())
    # The last candle that is closed when it starts, an hour into the market, opened at 00:59.
    assert order.client_order_id == "ema_crossover-BTC-USD-20260304T005900Z-1"
    assert await world.trades() == len(world.messages.texts) == 1
    world.clock.step(timedelta(seconds=1))
    again = world.bot("two", joins)
    await again.start()
    await until(lambda: world.row().last_cycle["at"] == "2026-03-04T01:00:01.000000Z")
    await again.stop()
    assert world.orders() == 1


async def test_status_tells_what_the_row_says(world: World) -> None:
    bot = world.bot("one")
    assert await bot.status() == {
        "status": "stopped",
        "started_at": None,
        "symbol": BTC,
        "strategies": ["ema_crossover"],
        "last_cycle": None,
    }
    await world.stores.bot.change_async(started(SETTINGS, account=world.account, at=world.clock.now()))
    await bot.start()
    await until(lambda: world.row().last_cycle is not None)
    told = await world.bot("another process").status()
    assert (told["status"], told["started_at"]) == ("running", "2026-03-04T01:00:00.000000Z")
    assert told["last_cycle"] == {"at": "2026-03-04T01:00:00.000000Z", "candles": 0, "error": None}


async def test_a_cycle_that_fails_is_logged_with_its_cause_and_the_next_one_runs(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    bot = world.bot("one")
    await bot.start()
    await until(lambda: newest(world.row()) != "")
    world.market.fails = True
    await until(lambda: (world.row().last_cycle or {}).get("error") is not None)
    assert world.row().last_cycle["error"] == "the market can't answer: it is closed for the day"
    failure = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert failure.exc_info is not None
    assert isinstance(failure.exc_info[1], MarketUnavailable)
    world.market.fails = False
    await until(lambda: world.row().last_cycle["error"] is None)
    await world.minutes(2, bot)


async def test_each_cycle_settles_orders_that_others_have_left_on_their_way(world: World) -> None:
    """Such as a request's, whose process ended between the order and its trade."""
    window = TradingWindowAsync(store=world.stores.windows, clock=world.clock)
    await window.reserve_sent({"symbol": BTC, "side": "buy", "quantity": "1"}, client_order_id="by-hand")
    order = OrderRequest(client_order_id="by-hand", symbol=BTC, side="buy", type="market", quantity=Decimal(1))
    await world.broker.place_async(order, at=world.clock.now())
    await world.bot("one").start()
    await until(lambda: world.row().last_cycle is not None)
    assert await window.open_permits() == []
    assert await world.trades() == 1


async def test_a_broker_that_fails_once_costs_no_order_and_doubles_none(world: World) -> None:
    bot = world.bot("one")
    failures = iter(range(2))

    def fails(_request: OrderRequest) -> None:
        if next(failures, None) is not None:
            raise RuntimeError("a fault")

    world.broker.before = fails
    await bot.start()
    await until(lambda: newest(world.row()) != "")
    await world.minutes(30, bot)
    await bot.stop()
    orders = world.broker.orders(OrdersQuery(limit=10_000))
    assert orders
    assert len({order.client_order_id for order in orders}) == len(orders) == await world.trades()


async def test_one_process_runs_it_and_another_goes_on_when_the_lease_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = world.bot("one"), world.bot("two")
    await one.start()
    await until(lambda: newest(world.row()) != "")
    with pytest.raises(LeaseHeld, match="run by one"):
        await two.start()
    await world.minutes(10, one)
    # The first one goes silent, as one that hangs does; its lease ends.
    monkeypatch.setattr(one, "_renew", lambda _cycle: asyncio.sleep(0))
    world.clock.step(2 * MINUTE)
    await asyncio.sleep(0.2)
    await two.start()
    assert world.row().holder == "two"
    await world.minutes(10, two)
    await until(lambda: not one.is_running)
    await two.stop()
    assert world.orders() == await world.trades() >= 4


async def test_stop_finishes_the_order_that_is_on_its_way(world: World) -> None:
    bot = world.bot("one")
    placing = asyncio.Event()

    class Slow(TestedBroker):
        async def place_async(self, request: OrderRequest, *, at: datetime) -> Any:
            placing.set()
            await asyncio.sleep(0.2)
            return await super().place_async(request, at=at)

    world.broker.__class__ = Slow
    await bot.start()
    await until(lambda: newest(world.row()) != "")
    while not placing.is_set():
        world.clock.step(MINUTE)
        await asyncio.sleep(0.06)
    await bot.stop()
    assert world.orders() == await world.trades() >= 1
    assert world.row().state["intents"] == []


async def test_it_is_started_once_and_stopped_once(world: World) -> None:
    bot = world.bot("one")
    with pytest.raises(BotIsStopped):
        await bot.stop()
    await bot.start()
    with pytest.raises(BotIsRunning):
        await bot.start()
    await bot.stop()
    with pytest.raises(BotIsStopped):
        await bot.stop()
    await bot.start()
    await bot.stop()


async def test_the_process_of_its_own_runs_on_a_file_and_leaves_the_bot_stopped(state_file: Path) -> None:
    settings = Settings(
        store=StoreSettings(path=state_file),
        bot=BotSettings(strategies=QUICK, risk_per_trade=Decimal("0.001"), cycle_seconds=0.05),
    )
    stop = asyncio.Event()
    store = open_bot_store(settings.store)
    crashed = BotRow(desired="running", holder="a process that was killed", lease_until=START, started_at=START)
    store.change(lambda _row: crashed)
    running = asyncio.create_task(main_async(settings, stop=stop))
    try:
        await until(lambda: running.done() or store.read().last_cycle is not None)
        row = store.read()
        assert (row.desired, row.config and row.config["risk_per_trade"]) == ("running", "0.001")
        assert row.state is not None
        assert list(row.state["candles"]) == [BTC]  # warmed up on what the synthetic market was before
        with pytest.raises(BotIsRunning):
            await main_async(settings, stop=stop)
        stop.set()
        await running
        assert (store.read().desired, store.read().holder) == ("stopped", None)

        again = asyncio.create_task(main_async(settings, stop=asyncio.Event()))
        await until(lambda: again.done() or store.read().holder is not None)
        await store.change_async(stopped())
        async with asyncio.timeout(10):
            await again
        assert store.read().holder is None
    finally:
        stop.set()
        store.close()
