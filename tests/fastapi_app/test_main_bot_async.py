import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.bot.desk import Carried, OrderDesk
from fastapi_app.main_bot_async import main_async
from fastapi_app.trading_window_async import TradingWindowAsync
from shared.bot.control import started, stopped
from shared.bot.opening import open_bot_store
from shared.bot.state import Intent
from shared.bot.store.base import BotRow
from shared.broker.base import OrderRequest, OrdersQuery
from shared.errors import BotIsRunning, BotIsStopped, LeaseHeld, LeaseLost, MarketUnavailable, OutcomeUnknown
from shared.settings import BotSettings, Settings, StoreSettings
from tests.fastapi_app.bot.bench import MINUTE, TestedBroker
from tests.fastapi_app.bot.processes import SETTINGS, World, newest, until
from tests.fastapi_app.bot.runs import BTC, ETH, QUICK
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
    await asyncio.sleep(0.3)  # more of them fail, by the same cause
    assert world.messages.texts == ["a cycle failed: the market can't answer: it is closed for the day"]
    world.market.fails = False
    await until(lambda: world.row().last_cycle["error"] is None)
    world.messages.texts.clear()
    world.market.fails = True
    await until(lambda: world.row().last_cycle["error"] is not None)
    await until(lambda: len(world.messages.texts) == 1)
    world.market.fails = False
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


async def test_an_order_that_nobody_can_tell_of_yet_holds_up_no_candle(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = TradingWindowAsync(store=world.stores.windows, clock=world.clock)
    await window.reserve_sent({"symbol": BTC, "side": "buy", "quantity": "1"}, client_order_id="by-hand")
    found = world.broker.order_by_client_id_async

    async def asked(client_order_id: str) -> Any:
        if client_order_id == "by-hand":
            raise OutcomeUnknown("it may still come in")
        return await found(client_order_id)

    monkeypatch.setattr(world.broker, "order_by_client_id_async", asked)
    bot = world.bot("one")
    await bot.start()
    await until(lambda: world.row().last_cycle is not None)
    assert world.row().last_cycle["error"] is None
    await world.minutes(3, bot)
    assert [permit["client_order_id"] for permit in await window.open_permits()] == ["by-hand"]


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


async def test_who_was_held_up_before_an_order_sends_none_once_another_process_has_gone_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a machine that slept: else the order would be one that nobody knows of, without a stop."""
    one, two = world.bot("one"), world.bot("two")
    held_up, goes_on = asyncio.Event(), asyncio.Event()
    carry_out = OrderDesk.carry_out
    intents: list[Intent] = []

    async def slow(desk: OrderDesk, intent: Intent, **more: Any) -> Carried:
        if not intents:
            intents.append(intent)
            held_up.set()
            await goes_on.wait()
        return await carry_out(desk, intent, **more)

    monkeypatch.setattr(OrderDesk, "carry_out", slow)
    monkeypatch.setattr(one, "_renew", lambda _cycle: asyncio.sleep(0))
    await one.start()
    await until(lambda: newest(world.row()) != "")
    while not held_up.is_set():
        world.clock.step(MINUTE)
        await asyncio.sleep(0.06)
    world.clock.step(5 * MINUTE)
    world.market.fails = True
    await two.start()
    await until(lambda: world.row().state["intents"] == [])
    assert world.row().state["counts"] == {"ORDER_REFUSED": 1}
    goes_on.set()
    await one.wait()
    assert world.orders() == 0
    assert world.row().state["holdings"] == {}


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


async def test_the_lease_is_kept_while_stop_waits_for_an_order(world: World) -> None:
    bot = world.bot("one", SETTINGS.model_copy(update={"lease_seconds": 1.0}))
    placing, answers = asyncio.Event(), asyncio.Event()

    class Slow(TestedBroker):
        async def place_async(self, request: OrderRequest, *, at: datetime) -> Any:
            placing.set()
            await answers.wait()
            return await super().place_async(request, at=at)

    world.broker.__class__ = Slow
    await bot.start()
    await until(lambda: newest(world.row()) != "")
    while not placing.is_set():
        world.clock.step(MINUTE)
        await asyncio.sleep(0.06)
    stopping = asyncio.create_task(bot.stop())
    await asyncio.sleep(0.05)
    world.clock.step(timedelta(seconds=5))
    await until(lambda: world.row().lease_until > world.clock.now())
    answers.set()
    await stopping
    assert world.row().holder is None
    assert world.orders() == await world.trades() == 1


async def test_a_cycle_that_hangs_leaves_the_bot_to_another_process_and_does_not_hold_up_a_stop(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    market, hangs = world.market.candles_after_async, asyncio.Event()

    async def hang(*asked: Any, **bounds: Any) -> Any:
        if not hangs.is_set():
            hangs.set()
            await asyncio.Event().wait()
        return await market(*asked, **bounds)

    settings = SETTINGS.model_copy(update={"lease_seconds": 0.3, "max_cycle_seconds": 0.2})
    hanging = world.bot("one", settings)
    await hanging.start()
    await until(lambda: newest(world.row()) != "")
    monkeypatch.setattr(world.market, "candles_after_async", hang)
    text = "a cycle has taken more than 0.2 s; the lease is left to others"
    await until(lambda: text in world.messages.texts)
    world.clock.step(timedelta(seconds=1))
    other = world.bot("two", settings)
    await other.start()
    assert world.row().holder == "two"
    await hanging.stop()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        f"the bot: {text}",
        "the bot is stopped in a cycle that hangs; who goes on reconciles what was on its way",
    ]
    assert world.row().holder == "two"
    await other.stop()
    assert world.messages.texts.count(text) == 1


async def test_a_stop_that_nobody_waits_for_any_more_ends_the_bot_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = world.bot("one")
    await bot.start()
    await until(lambda: newest(world.row()) != "")
    hangs = asyncio.Event()

    async def hang(*_asked: Any, **_bounds: Any) -> Any:
        hangs.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(world.market, "candles_after_async", hang)
    await hangs.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bot.stop(), 0.1)
    await until(lambda: world.row().holder is None)


async def test_a_position_keeps_its_stop_when_its_symbol_is_traded_no_more(world: World) -> None:
    bot = world.bot("one")
    await bot.start()
    await until(lambda: newest(world.row()) != "")
    while not world.row().state["holdings"]:
        await world.minutes(1, bot)
    await bot.stop()
    orders = world.orders()
    other = world.bot("two", SETTINGS.model_copy(update={"symbols": [ETH]}))
    reached = "1000000" if world.row().state["holdings"][BTC]["direction"] == "long" else "0.000001"
    held = {**world.row().state["holdings"][BTC], "stop": reached}
    world.stores.bot.change(lambda row: replace(row, state={**dict(row.state or {}), "holdings": {BTC: held}}))
    await other.start()
    world.clock.step(MINUTE)
    await until(lambda: BTC not in world.row().state["holdings"])
    await other.stop()
    assert world.orders() == orders + 1
    assert world.row().state["counts"]["stop"] == 1
    assert list(world.row().state["strategies"]) == [ETH]


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


async def test_the_process_of_its_own_says_that_another_one_has_taken_the_bot_over(state_file: Path) -> None:
    settings = Settings(
        store=StoreSettings(path=state_file), bot=BotSettings(strategies=QUICK, cycle_seconds=0.05, lease_seconds=1)
    )
    with contextlib.closing(open_bot_store(settings.store)) as store:
        running = asyncio.create_task(main_async(settings, stop=asyncio.Event()))
        await until(lambda: running.done() or store.read().last_cycle is not None)
        store.change(lambda row: replace(row, holder="another"))
        with pytest.raises(LeaseLost, match="it is another's"):
            async with asyncio.timeout(10):
                await running
        assert (store.read().desired, store.read().holder) == ("running", "another")
