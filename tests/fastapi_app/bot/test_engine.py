import logging
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.broker.base import Order, OrderRequest
from shared.errors import OutcomeUnknown, StoreUnavailable
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.bench import Bench
from tests.fastapi_app.bot.runs import BTC
from tests.fastapi_app.bot.scripted import Heavy
from tests.shared.strategies.markets import START

UP_AT_1 = {"scripted": {"up": [1]}}
BOUGHT = [("buy", Decimal(50), Decimal(100))]
"""One per cent of 10,000 dollars at risk, with a stop two per cent away: 50 at 100 dollars."""


async def test_an_entry_has_an_order_a_trade_a_message_and_a_stop() -> None:
    bench = await Bench.of(UP_AT_1)
    await bench.flat("99", "100")
    assert bench.orders() == BOUGHT
    assert await bench.trades() == [("buy", "50.000000", False)]
    assert bench.messages.texts == ["entry: buy 50.000000 BTC-USD at 100, by scripted: the script says up"]
    holding = bench.holding()
    assert holding is not None
    assert (holding.stop, holding.take_profit) == (Decimal(98), Decimal(104))
    assert (await bench.window.get_state())["trades_today"] == 1


async def test_a_stop_only_reduces_so_it_passes_the_closed_window_and_takes_no_slot() -> None:
    # START is midnight: the window closes at one o'clock.
    bench = await Bench.of({"scripted": {"up": [1, 70]}}, window=WindowConfig(end_hour=1, max_trades_per_day=1))
    await bench.flat("99", *["100"] * 65)
    await bench.candle("98", "100", "98.5")
    assert bench.orders() == [*BOUGHT, ("sell", Decimal(50), Decimal("98.5"))]
    assert await bench.trades() == [("buy", "50.000000", False), ("sell", "50.000000", True)]
    assert bench.holding() is None
    assert (await bench.window.get_state())["trades_today"] == 1
    await bench.flat(*["100"] * 5)
    assert bench.counts == {"entry": 1, "stop": 1, "OUTSIDE_HOURS": 1}


async def test_what_the_window_refuses_is_told_and_leaves_nothing() -> None:
    bench = await Bench.of(UP_AT_1, window=WindowConfig(start_hour=8))
    await bench.flat("99", "100")
    assert bench.orders() == []
    assert [(event.kind, event.code, event.strategy) for event in bench.events] == [
        ("refused", "OUTSIDE_HOURS", "scripted")
    ]
    assert (await bench.stores.windows.snapshot_async("default")).sequence == 0


async def test_an_order_nobody_knows_the_outcome_of_is_asked_for_and_not_placed_again() -> None:
    bench = await Bench.of(UP_AT_1)
    placed: list[str] = []

    def lost(order: Order) -> Order:
        placed.append(order.id)
        bench.broker.after = None
        raise OutcomeUnknown("the connection was closed")

    bench.broker.after = lost
    await bench.flat("99", "100")
    assert [permit["status"] for permit in await bench.window.open_permits()] == ["in_doubt"]
    assert await bench.trades() == []
    await bench.flat("101")
    assert placed == ["paper-1"]
    assert bench.orders() == BOUGHT
    assert await bench.trades() == [("buy", "50.000000", False)]
    assert await bench.window.open_permits() == []
    assert bench.holding() is not None


async def test_an_order_the_broker_never_got_is_given_up_once_it_can_not_be_on_its_way() -> None:
    bench = await Bench.of({"scripted": {"up": [1, 2]}}, window=WindowConfig(in_doubt_after_seconds=90))

    def lost(_request: OrderRequest) -> None:
        bench.broker.before = None
        raise OutcomeUnknown("no answer")

    bench.broker.before = lost
    await bench.flat("99", "100", "101")
    assert len(await bench.window.open_permits()) == 1  # a minute old: the signal of minute 2 waits
    await bench.flat("102")
    assert await bench.window.open_permits() == []
    assert bench.orders() == []
    assert bench.counts == {"ORDER_REFUSED": 1}
    assert (await bench.window.get_state())["trades_today"] == 0


async def test_an_order_that_is_filled_later_is_waited_for() -> None:
    bench = await Bench.of(UP_AT_1)
    bench.broker.after = lambda order: replace(order, status="open", filled_quantity=Decimal(0), average_price=None)
    await bench.flat("99", "100")
    assert await bench.trades() == []
    bench.broker.after = None
    await bench.flat("101")
    assert await bench.trades() == [("buy", "50.000000", False)]


async def test_a_fault_of_the_broker_fails_the_cycle_and_the_next_one_settles_it() -> None:
    bench = await Bench.of(UP_AT_1)

    def broken(_order: Order) -> Order:
        bench.broker.after = None
        raise RuntimeError("a fault")

    bench.broker.after = broken
    await bench.flat("99")
    with pytest.raises(RuntimeError):
        await bench.flat("100")
    assert bench.engine.state.intents
    await bench.engine.resume(bench.clock.now())
    assert bench.orders() == BOUGHT
    assert await bench.trades() == [("buy", "50.000000", False)]
    assert bench.engine.last_candle(BTC) is not None


async def test_an_order_the_broker_refuses_gives_its_slot_back() -> None:
    bench = await Bench.of(UP_AT_1)

    def refused(_request: OrderRequest) -> None:
        raise StoreUnavailable("the disk is full")

    bench.broker.before = refused
    await bench.flat("99", "100")
    assert bench.counts == {"ORDER_REFUSED": 1}
    assert (await bench.window.get_state())["trades_today"] == 0


async def test_an_exit_that_was_refused_is_tried_again_until_the_position_is_gone() -> None:
    bench = await Bench.of({"scripted": {"up": [1], "down": [2], "direction": "long"}})

    def refused(_request: OrderRequest) -> None:
        raise StoreUnavailable("the disk is full")

    await bench.flat("99", "100")
    bench.broker.before = refused
    await bench.flat("100", "100")
    assert bench.holding() is not None
    bench.broker.before = None
    await bench.flat("100")
    assert bench.holding() is None
    assert bench.counts == {"entry": 1, "ORDER_REFUSED": 2, "exit": 1}


async def test_a_position_that_somebody_else_has_closed_is_forgotten() -> None:
    bench = await Bench.of({"scripted": {"up": [1], "down": [2], "direction": "long"}})
    await bench.flat("99", "100")
    by_hand = OrderRequest(
        client_order_id="by-hand", symbol=BTC, side="sell", type="market", quantity=Decimal(50), reduces=True
    )
    await bench.broker.place_async(by_hand, at=bench.clock.now())
    await bench.flat("100")
    assert bench.holding() is None


async def test_an_entry_that_was_left_for_too_long_is_given_up_and_a_stop_is_tried_again() -> None:
    bench = await Bench.of({"scripted": {"up": [1, 4]}}, max_open_positions=2)

    def ends(_request: OrderRequest) -> None:
        raise KeyboardInterrupt

    bench.broker.before = ends
    await bench.flat("99")
    with pytest.raises(KeyboardInterrupt):
        await bench.flat("100")
    bench.broker.before = None
    bench.clock.step(timedelta(minutes=10))
    await bench.restart()
    assert bench.orders() == []
    assert bench.counts == {"ORDER_REFUSED": 1}

    await bench.flat("100", "100", "100")
    assert bench.orders() == BOUGHT
    bench.broker.before = ends
    with pytest.raises(KeyboardInterrupt):
        await bench.candle("97", "100", "97")
    bench.broker.before = None
    bench.clock.step(timedelta(minutes=10))
    await bench.restart()
    assert bench.orders() == BOUGHT  # the permit was in doubt for too long, and the broker knows of no order
    await bench.flat("96")
    assert bench.orders() == [*BOUGHT, ("sell", Decimal(50), Decimal(96))]
    assert bench.holding() is None


@pytest.mark.parametrize(("knows_at_once", "orders"), [(True, BOUGHT), (False, [])])
async def test_an_order_is_placed_after_a_crash_only_where_it_cannot_be_on_its_way(
    knows_at_once: bool, orders: list[object]
) -> None:
    bench = await Bench.of(UP_AT_1)
    bench.broker.knows_at_once = knows_at_once

    def ends(_request: OrderRequest) -> None:
        raise KeyboardInterrupt

    bench.broker.before = ends
    await bench.flat("99")
    with pytest.raises(KeyboardInterrupt):
        await bench.flat("100")
    bench.broker.before = None
    bench.clock.step(timedelta(seconds=3))
    await bench.restart()
    assert bench.orders() == orders
    assert len(await bench.window.open_permits()) == (not knows_at_once)
    await bench.flat("100")  # a minute after it was sent it won't come any more
    assert bench.orders() == orders
    assert await bench.window.open_permits() == []


async def test_signals_of_candles_that_come_late_are_not_traded() -> None:
    bench = await Bench.of(UP_AT_1)
    await bench.flat("99")
    candle = bench.next_candle("100", "100", "100")
    bench.clock.step(timedelta(minutes=5))
    await bench.engine.on_candle(BTC, candle, at=bench.clock.now())
    assert bench.orders() == []
    assert bench.counts == {"STALE": 1}


async def test_a_heavy_strategy_is_asked_off_the_event_loop() -> None:
    Heavy.threads.clear()
    bench = await Bench.of({"heavy": {"up": [1]}})
    await bench.flat("99", "100")
    assert bench.orders() == BOUGHT
    assert Heavy.threads
    assert threading.get_ident() not in Heavy.threads


async def test_a_heavy_strategy_is_warmed_up_off_the_event_loop() -> None:
    Heavy.threads.clear()
    bench = await Bench.of({"heavy": {}})
    await bench.engine.warm_up(BTC, [bench.next_candle("99", "99", "99"), bench.next_candle("100", "100", "100")])
    assert bench.engine.last_candle(BTC) == START + timedelta(minutes=1)
    assert Heavy.threads
    assert threading.get_ident() not in Heavy.threads


async def test_a_strategy_that_fails_stops_neither_the_others_nor_the_stops(caplog: pytest.LogCaptureFixture) -> None:
    bench = await Bench.of({"second": {"fails": [1, 2]}, **UP_AT_1})
    await bench.flat("99", "100")
    await bench.candle("97", "100", "97")
    assert bench.orders() == [*BOUGHT, ("sell", Decimal(50), Decimal(97))]
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in failures] == [f"the strategy second failed on a candle of {BTC}"] * 2
    assert failures[0].exc_info is not None
    assert str(failures[0].exc_info[1]) == "as the script says"


async def test_a_strategy_that_answers_with_nonsense_stops_neither_the_others_nor_the_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = await Bench.of({"nonsense": {"up": [1], "down": [2]}, **UP_AT_1})
    await bench.flat("99", "100")
    await bench.candle("97", "100", "97")
    assert bench.orders() == [*BOUGHT, ("sell", Decimal(50), Decimal(97))]
    failures = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert failures == [
        'signal: "buy" is not a Signal or None',
        'signal.direction: "Long" is not "long" or "short"',
    ]


async def test_a_strategy_that_can_not_take_back_what_it_saved_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    bench = await Bench.of({"changed": {}, **UP_AT_1})
    await bench.flat("99", "100")
    await bench.restart()
    await bench.candle("97", "100", "97")
    assert bench.orders() == [*BOUGHT, ("sell", Decimal(50), Decimal(97))]
    assert "the strategy changed begins anew" in caplog.text


async def test_a_restart_goes_on_with_position_and_strategies() -> None:
    bench = await Bench.of({"scripted": {"up": [1], "down": [3], "direction": "long"}})
    await bench.flat("99", "100")
    await bench.restart()
    await bench.flat("101", "102")
    assert bench.orders() == [*BOUGHT, ("sell", Decimal(50), Decimal(102))]


async def test_where_nothing_happens_nothing_is_written() -> None:
    bench = await Bench.of({"scripted": {}}, save_every=1_000)
    before = (await bench.stores.bot.read_async()).version
    await bench.flat(*["100"] * 50)
    assert (await bench.stores.bot.read_async()).version == before
    assert (await bench.stores.windows.snapshot_async("default")).sequence == 0
