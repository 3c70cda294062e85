"""The old bot's loop. That it trades as the new one does is in tests/parity/test_bots.py."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fastapi_app.bot.replay import ReplayStores
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
from shared.errors import BotIsRunning, LeaseHeld, StoreUnavailable
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

    def place(self, request: OrderRequest, *, at: datetime) -> Order:
        if self.fails is not None:
            raise self.fails
        return super().place(request, at=at)


class World:
    """It starts an hour into drawn candles."""

    def __init__(self, *, window: WindowConfig | None = None) -> None:
        self.clock = FrozenClock(START + timedelta(hours=1))
        market = RecordedMarket({BTC: drifting(21, length=2_000)}, timeframe=Timeframe.MINUTE, source="drawn")
        self.stores = ReplayStores.in_memory(FREE)
        self.stores.windows.create(DEFAULT_WINDOW_ID, window or WindowConfig(max_trades_per_day=1_000))
        self.broker = Broker(prices=MarketPrices(market), books=self.stores.books, rules=rules_of(FREE))
        self.messages = Messages()
        self.bot = TradingBot(
            SETTINGS,
            market=market,
            broker=self.broker,
            windows=self.stores.windows,
            bots=self.stores.bot,
            clock=self.clock,
            notifier=self.messages,
        )

    def minutes(self, number: int) -> None:
        for _ in range(number):
            self.clock.step(MINUTE)
            self.bot.cycle()

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
    assert (store.read().desired, store.read().holder) == ("stopped", None)
    store.close()


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
