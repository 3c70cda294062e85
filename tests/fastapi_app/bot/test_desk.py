"""The desk's permits where others end them meanwhile: whoever reconciles, in this process or in another one."""

from typing import Any

import pytest

from fastapi_app.bot.replay import ReplayStores
from fastapi_app.window import permits, rules
from fastapi_app.window.order import Order as TradedOrder
from shared.broker.base import Order, OrderRequest
from shared.errors import OutcomeUnknown
from shared.store.base import LedgerQuery
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.bench import Bench
from tests.fastapi_app.bot.runs import Countdown, Killed, Mortal

UP_AT_1 = {"scripted": {"up": [1]}}
ONE_A_DAY = WindowConfig(max_trades_per_day=1)
BOUGHT = [("buy", "50.000000", False)]


def give_up(bench: Bench) -> None:
    """As another process does that finds no order of this name at the broker."""
    (permit_id,) = bench.stores.windows.snapshot(DEFAULT_WINDOW_ID).state["permits"]
    step = permits.release(permit_id, "the broker knows no such order")
    bench.stores.windows.apply(DEFAULT_WINDOW_ID, step, instant=bench.clock.now())


def take_the_last_slot(bench: Bench) -> None:
    counted = rules.registration("of-another", TradedOrder())
    bench.stores.windows.apply(DEFAULT_WINDOW_ID, counted, instant=bench.clock.now())


def steps(bench: Bench) -> list[str]:
    """Of permits, oldest first."""
    found = bench.stores.windows.ledger(DEFAULT_WINDOW_ID, LedgerQuery(kind="permit", limit=100)).entries
    return [entry.data["status"] for entry in reversed(found)]


async def test_an_order_is_waited_for_as_long_as_the_broker_s_orders_may_come_in() -> None:
    bench = await Bench.of(UP_AT_1, window=WindowConfig(in_doubt_after_seconds=90))
    bench.broker.settles_after_seconds = 200.0

    def lost(_request: OrderRequest) -> None:
        bench.broker.before = None
        raise OutcomeUnknown("no answer")

    bench.broker.before = lost
    await bench.flat("99", "100", "101", "102", "103")
    assert len(await bench.window.open_permits()) == 1  # three minutes old
    await bench.flat("104")
    assert await bench.window.open_permits() == []
    assert bench.counts == {"ORDER_REFUSED": 1}


async def test_an_order_that_comes_in_once_it_was_given_up_has_its_trade_whatever_the_rules_say() -> None:
    bench = await Bench.of(UP_AT_1, window=ONE_A_DAY)

    def meanwhile(_request: OrderRequest) -> None:
        give_up(bench)
        take_the_last_slot(bench)

    bench.broker.before = meanwhile
    await bench.flat("99", "100")
    assert steps(bench) == ["pending", "sent", "released", "pending", "sent", "confirmed"]
    assert (await bench.trades())[1:] == BOUGHT
    assert (await bench.window.get_state())["trades_today"] == 2
    assert bench.holding() is not None


@pytest.mark.parametrize("write", range(2, 8))
async def test_a_process_that_ends_before_that_trade_makes_it_once_when_it_is_back(write: int) -> None:
    bench = await Bench.of(UP_AT_1, window=ONE_A_DAY)
    await bench.flat("99")
    whole, countdown = bench.stores, Countdown(write)
    mortal: Any = Mortal(whole.windows, countdown)
    bench.stores = ReplayStores(windows=mortal, books=whole.books, bot=whole.bot)
    await bench.restart()

    def given_up(_request: OrderRequest) -> None:
        bench.broker.before = None
        give_up(bench)

    bench.broker.before = given_up
    try:
        await bench.flat("100")
    except Killed:
        bench.stores = whole
        await bench.restart()
    assert countdown.left < 0
    await bench.flat("100")
    assert [status for status in steps(bench) if status not in ("pending", "sent", "in_doubt")] == (
        ["released", "confirmed"]
    )
    assert await bench.trades() == BOUGHT
    assert await bench.window.open_permits() == []
    assert bench.holding() is not None


async def test_an_order_that_was_given_up_and_is_at_the_broker_is_found_there() -> None:
    bench = await Bench.of(UP_AT_1)

    def lost(_order: Order) -> Order:
        bench.broker.after = None
        raise OutcomeUnknown("the connection was closed")

    bench.broker.after = lost
    await bench.flat("99", "100")
    give_up(bench)
    await bench.flat("101")
    assert await bench.trades() == BOUGHT
    assert bench.holding() is not None
    assert bench.counts == {"entry": 1}


async def test_an_order_that_is_lost_once_it_was_given_up_fails_no_candle() -> None:
    bench = await Bench.of(UP_AT_1)

    def lost(_request: OrderRequest) -> None:
        bench.broker.before = None
        give_up(bench)
        raise OutcomeUnknown("no answer")

    bench.broker.before = lost
    await bench.flat("99", "100", "101")
    assert steps(bench) == ["pending", "sent", "released"]
    assert bench.counts == {"ORDER_REFUSED": 1}
