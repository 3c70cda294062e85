"""The old bot's loop. That it trades as the new one does is in tests/parity/test_bots.py."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.bot.replay import ReplayStores
from fastapi_app.window import permits
from legacy_flask import main_bot
from legacy_flask.main_bot import TradingBot
from shared.bot.control import begun_here, stopped
from shared.bot.lease import taken
from shared.bot.opening import open_bot_store
from shared.broker.base import Order, OrderRequest, OrdersQuery
from shared.broker.opening import rules_of
from shared.broker.paper import PaperBroker
from shared.candle import Timeframe
from shared.clock import FrozenClock
from shared.errors import BotIsRunning, LeaseHeld, LeaseLost, OutcomeUnknown, StoreUnavailable
from shared.market.recorded import RecordedMarket
from shared.market_prices import MarketPrices
from shared.settings import BotSettings, Settings, StoreSettings
from shared.store.base import LedgerQuery
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.bench import FREE, MINUTE, Messages
from tests.fastapi_app.bot.runs import BTC, QUICK
from tests.shared.strategies.markets import START, drifting

SETTINGS = BotSettings(strategies=QUICK, join_trend=False, cycle_seconds=0.05)


class Broker(PaperBroker):
    fails: Exception | None = None
    after: Callable[[], None] | None = None

    def place(self, request: OrderRequest, *, at: datetime) -> Order:
        if self.fails is not None:
            raise self.fails
        order = super().place(request, at=at)
        if self.after is not None:
            self.after()
        return order


class World:
    """It starts an hour into drawn candles."""

    def __init__(self, *, window: WindowConfig | None = None) -> None:
        self.clock = FrozenClock(START + timedelta(hours=1))
        market = RecordedMarket({BTC: drifting(21, length=2_000)}, timeframe=Timeframe.MINUTE, source="drawn")
        self.stores = ReplayStores.in_memory(FREE)
        self.stores.windows.create(DEFAULT_WINDOW_ID, window or WindowConfig(max_trades_per_day=1_000))
        self.broker = Broker(prices=MarketPrices(market), books=self.stores.books, rules=rules_of(FREE))
        self.messages = Messages()
        self.market = market
        self.bot = self.new_bot()

    def new_bot(self, settings: BotSettings = SETTINGS) -> TradingBot:
        return TradingBot(
            settings,
            market=self.market,
            broker=self.broker,
            windows=self.stores.windows,
            bots=self.stores.bot,
            clock=self.clock,
            notifier=self.messages,
        )

    def first_order(self) -> None:
        """Started, and let run until its first order is with the broker."""
        self.bot.start()
        self.bot.cycle()
        while not self.orders():
            self.minutes(1)

    def minutes(self, number: int) -> None:
        for _ in range(number):
            self.clock.step(MINUTE)
            self.bot.cycle()

    def take_in_the_newest_candle(self) -> None:
        """A minute later."""
        self.clock.step(MINUTE)
        now = self.clock.now()
        (candle,) = self.market.candles(BTC, Timeframe.MINUTE, 1, at=now)
        self.bot.on_candle(BTC, candle, at=now)

    def told(self) -> list[Any]:
        """Each order, newest first: its client order id, side, quantity, price and instant."""
        return [
            (each.client_order_id, each.side, each.filled_quantity, each.average_price, each.created_at)
            for each in self.broker.orders(OrdersQuery(limit=10_000))
        ]

    def orders(self) -> int:
        return len(self.broker.orders(OrdersQuery(limit=10_000)))

    def trades(self) -> int:
        query = LedgerQuery(kind="trade", limit=10_000)
        return len(self.stores.windows.ledger(DEFAULT_WINDOW_ID, query).entries)


def test_each_order_has_its_trade_and_its_message() -> None:
    world = World()
    world.bot.start()
    world.bot.cycle()
    assert world.orders() == 0  # what was before it began is for its strategies alone
    world.minutes(20)
    assert world.orders() >= 4
    assert world.trades() == world.orders() == len(world.messages.texts)


def test_what_the_window_refuses_is_counted_and_not_sent() -> None:
    world = World(window=WindowConfig(max_trades_per_day=1))
    world.bot.start()
    world.bot.cycle()
    world.minutes(30)
    assert world.bot.state.counts["entry"] == 1
    assert world.bot.state.counts["DAILY_LIMIT"] >= 1
    assert world.orders() == world.trades()


def test_an_order_the_broker_refuses_gives_its_slot_back() -> None:
    world = World()
    world.broker.fails = StoreUnavailable("the disk is full")
    world.bot.start()
    world.bot.cycle()
    world.minutes(20)
    assert world.bot.state.counts["ORDER_REFUSED"] >= 1
    assert world.stores.windows.snapshot(DEFAULT_WINDOW_ID).state["trades_today"] == 0


def test_an_exit_that_was_refused_is_tried_again_with_the_next_candle() -> None:
    world = World()
    world.bot.start()
    world.bot.cycle()
    while not world.bot.state.holdings:
        world.minutes(1)
    world.broker.fails = StoreUnavailable("the disk is full")
    while world.bot.state.holdings[BTC].exit_due is None:
        world.minutes(1)
    before = world.bot.state.holdings[BTC]
    world.broker.fails = None
    world.minutes(1)
    assert world.bot.state.holdings.get(BTC) != before
    assert world.bot.state.counts["exit"] == 1
    assert world.trades() == world.orders()


def test_a_restart_goes_on_with_what_was_saved() -> None:
    world = World()
    world.bot.start()
    world.bot.cycle()
    while not world.bot.state.holdings:
        world.minutes(1)
    saved = world.bot.state
    other = TradingBot(
        SETTINGS,
        market=RecordedMarket({BTC: []}, timeframe=Timeframe.MINUTE, source="drawn"),
        broker=world.broker,
        windows=world.stores.windows,
        bots=world.stores.bot,
        clock=world.clock,
    )
    other.start()
    assert other.state == saved


@pytest.mark.parametrize(
    "ends", [KeyboardInterrupt, OutcomeUnknown("the connection was closed"), RuntimeError("fault")]
)
def test_a_position_whose_order_was_not_answered_has_its_trade_and_its_stop(ends: Any) -> None:
    world = World()

    def after() -> None:
        world.broker.after = None
        raise ends

    world.broker.after = after
    with suppress(KeyboardInterrupt, RuntimeError):
        world.first_order()
    assert world.trades() == 0
    if ends is KeyboardInterrupt:  # and the process has ended
        world.bot = world.new_bot()
        world.bot.start()
    world.take_in_the_newest_candle()
    assert world.bot.state.intents == ()
    (permit,) = permits_that_ended(world)
    assert permit["status"] == "confirmed"
    assert list(world.bot.state.holdings) == [BTC]
    assert world.trades() == world.orders() == 1


def test_an_order_the_broker_never_got_is_given_up_and_its_slot_is_free_again() -> None:
    world = World()
    world.broker.fails = OutcomeUnknown("no answer")
    world.bot.start()
    world.bot.cycle()
    while not world.bot.state.intents:
        world.minutes(1)
    world.broker.fails = None
    world.clock.step(MINUTE)
    world.bot.cycle()
    assert world.bot.state.counts["ORDER_REFUSED"] == 1
    assert world.bot.state.intents == ()
    assert world.stores.windows.snapshot(DEFAULT_WINDOW_ID).state["trades_today"] == world.orders()


def test_an_order_is_waited_for_as_long_as_the_broker_s_orders_may_come_in() -> None:
    world = World()
    world.broker.settles_after_seconds = 150.0
    world.broker.fails = OutcomeUnknown("no answer")
    world.bot.start()
    world.bot.cycle()
    while not world.bot.state.intents:
        world.minutes(1)
    world.minutes(2)
    assert len(world.bot.state.intents) == 1
    world.broker.fails = None
    world.minutes(1)
    assert world.bot.state.counts["ORDER_REFUSED"] == 1


@pytest.mark.parametrize("ends", [None, KeyboardInterrupt, OutcomeUnknown("the connection was closed")])
def test_an_order_that_comes_in_once_it_was_given_up_has_its_trade(ends: Any) -> None:
    """Another process has reconciled while this one hung between permit and order."""
    world = World()

    def after() -> None:
        world.broker.after = None
        (permit_id,) = world.stores.windows.snapshot(DEFAULT_WINDOW_ID).state["permits"]
        step = permits.release(permit_id, "the broker knows no such order")
        world.stores.windows.apply(DEFAULT_WINDOW_ID, step, instant=world.clock.now())
        if ends is not None:
            raise ends

    world.broker.after = after
    with suppress(KeyboardInterrupt):
        world.first_order()
    if ends is KeyboardInterrupt:
        world.bot = world.new_bot()
        world.bot.start()
    if ends is not None:
        world.take_in_the_newest_candle()
    assert [permit["status"] for permit in permits_that_ended(world)] == ["confirmed", "released"]
    assert len({permit["id"] for permit in permits_that_ended(world)}) == 2
    assert list(world.bot.state.holdings) == [BTC]
    assert world.trades() == world.orders() == 1


def test_a_candle_whose_money_could_not_be_asked_for_is_taken_in_again() -> None:
    """The exit and the entry that it brings are not lost."""
    world, twin = World(), World()
    for each in (world, twin):
        each.bot.start()
        each.bot.cycle()
        while not each.bot.state.holdings:
            each.minutes(1)
    balances, failed = world.broker.balances, 0

    def gone(*, at: datetime) -> Any:
        nonlocal failed
        failed += 1
        if failed % 2:
            raise StoreUnavailable("the disk is gone")
        return balances(at=at)

    world.broker.balances = gone  # type: ignore[method-assign]
    for _ in range(20):
        with suppress(StoreUnavailable):
            world.minutes(1)
        world.bot.cycle()
        twin.minutes(1)
    assert failed >= 4
    assert world.told() == twin.told()


def test_a_trend_whose_money_could_not_be_asked_for_is_joined_with_the_next_cycle() -> None:
    world = World()
    world.bot = world.new_bot(SETTINGS.model_copy(update={"join_trend": True}))
    balances = world.broker.balances

    def gone(*, at: datetime) -> Any:  # noqa: ARG001
        raise StoreUnavailable("the disk is gone")

    world.broker.balances = gone  # type: ignore[method-assign]
    world.bot.start()
    with pytest.raises(StoreUnavailable):
        world.bot.cycle()
    world.broker.balances = balances  # type: ignore[method-assign]
    world.bot.cycle()
    assert world.trades() == world.orders() == 1


def test_a_position_that_somebody_else_has_closed_is_forgotten() -> None:
    world = World()
    world.first_order()
    (order,) = world.broker.orders(OrdersQuery())
    by_hand = OrderRequest(
        client_order_id="by-hand",
        symbol=BTC,
        side="sell" if order.side == "buy" else "buy",
        type="market",
        quantity=order.quantity,
        reduces=True,
    )
    world.broker.place(by_hand, at=world.clock.now())
    while "ORDER_REFUSED" not in world.bot.state.counts:
        world.minutes(1)
    held = world.bot.state.holdings.get(BTC)
    assert held is None or held.direction != ("long" if order.side == "buy" else "short")


def test_signals_of_candles_that_come_late_are_not_traded() -> None:
    world = World()
    world.bot.start()
    world.bot.cycle()
    world.clock.step(90 * MINUTE)
    world.bot.cycle()
    assert world.orders() <= 2  # the entries of the newest candles
    assert world.bot.state.counts["STALE"] >= 10


def test_it_sends_no_order_once_another_process_has_the_lease() -> None:
    world = World()
    world.bot.start()
    world.bot.cycle()
    world.stores.bot.change(lambda row: replace(row, holder="another"))
    with pytest.raises(LeaseLost):
        world.minutes(30)
    assert world.orders() == 0


def test_ctrl_c_lets_the_order_that_is_on_its_way_be_finished(
    monkeypatch: pytest.MonkeyPatch, state_file: Path
) -> None:
    world = World()
    world.broker.after = lambda: os.kill(os.getpid(), signal.SIGINT)
    monkeypatch.setattr(main_bot, "open_trading", lambda _settings: (world.market, world.broker))
    monkeypatch.setattr(main_bot, "SystemClock", lambda: Hurried(START + timedelta(hours=1)))
    settings = Settings(store=StoreSettings(path=state_file), bot=SETTINGS)
    main_bot.main(settings)
    store = open_bot_store(settings.store)
    row = store.read()
    store.close()
    assert world.orders() == 1
    assert row.state is not None
    assert list(row.state["holdings"]) == [BTC]
    assert (row.desired, row.holder) == ("stopped", None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Hurried(FrozenClock):
    """Whoever asks it for the time makes some seconds pass."""

    def now(self) -> datetime:
        self.step(MINUTE / 10)
        return super().now()


def permits_that_ended(world: World) -> list[Any]:
    entries = world.stores.windows.ledger(DEFAULT_WINDOW_ID, LedgerQuery(kind="permit", limit=100)).entries
    return [entry.data for entry in entries if entry.data["status"] in ("confirmed", "released", "expired")]


def test_it_does_not_start_beside_another_process() -> None:
    world = World()
    now = world.clock.now()
    world.stores.bot.change(taken("the new one", account=world.bot.account, at=now, until=now + MINUTE))
    with pytest.raises(LeaseHeld, match="the new one"):
        world.bot.start()


def test_a_cycle_that_fails_is_logged_with_its_cause_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.bot.start()
    world.bot.cycle()
    world.broker.fails = RuntimeError("a fault")
    world.stores.bot.change(
        begun_here(SETTINGS, account=world.bot.account, holder=world.bot.holder, at=world.clock.now())
    )
    with running(world.bot.run, world.bot.stop):
        while not caplog.records:
            world.clock.step(MINUTE)
            time.sleep(0.06)
        world.broker.fails = None
        until(lambda: stepped(world) and world.orders() >= 2)
    failure = caplog.records[0]
    assert (failure.levelno, failure.exc_info and str(failure.exc_info[1])) == (logging.ERROR, "a fault")
    row = world.stores.bot.read()
    assert (row.holder, row.last_cycle and row.last_cycle["error"]) == (None, None)


def test_the_process_of_its_own_runs_on_a_file_and_ends_when_the_bot_is_stopped(state_file: Path) -> None:
    settings = Settings(store=StoreSettings(path=state_file), bot=SETTINGS)
    store = open_bot_store(settings.store)
    with running(lambda: main_bot.main(settings), lambda: store.change(stopped())):
        until(lambda: store.read().holder is not None)
        assert store.read().desired == "running"
        with pytest.raises(BotIsRunning):
            main_bot.main(settings)
        sentence = f"the bot can't start: the bot is running already, in the process {store.read().holder}"
        for module in ("legacy_flask.main_bot", "fastapi_app.main_bot_async"):
            told = run_as_a_process(module, state_file)
            assert (told.returncode, told.stderr.splitlines()[-1]) == (3, sentence)
            assert "Traceback" not in told.stderr
    assert (store.read().desired, store.read().holder) == ("stopped", None)
    store.close()


def run_as_a_process(module: str, state_file: Path) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "TRADEWINDOW_STORE__PATH": str(state_file)}
    command = [sys.executable, "-m", module]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)


def stepped(world: World) -> bool:
    world.clock.step(MINUTE)
    return True


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.06)


@contextmanager
def running(run: Callable[[], None], stop: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(10)
        assert not thread.is_alive()
