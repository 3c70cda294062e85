"""An order that several senders place at once, or that was given up while it was on its way, by either side: it has one
trade."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from fastapi_app import order_permits
from fastapi_app import orders as native
from fastapi_app.bot.desk import OrderDesk
from fastapi_app.trading_window_async import TradingWindowAsync
from fastapi_app.window import permits
from fastapi_app.window.order import Order as WindowOrder
from legacy_flask.trading_window import TradingWindow
from shared.bot.order_ids import OrderIds
from shared.bot.state import Intent
from shared.broker.base import Order, OrderRequest
from shared.errors import KeyReused, LeaseLost, StoreUnavailable
from shared.window import Permit
from shared.wire_orders import NewOrder
from tests.parity.case import At, CandleTrades, HaltedBy, StoreFails
from tests.parity.desk import BUY, GONE, MORE, REST, Desk, Json, Side, give_up, in_another_thread, nothing

GIVEN_UP = ["pending", "sent", "in_doubt", "released: the broker knows no such order"]


@pytest.mark.parametrize(("order", "left"), [(BUY, ["confirmed", "trade of 0.50"]), (REST, [])])
def test_an_order_that_comes_in_once_it_was_given_up_is_accounted_for(
    side: Side, order: NewOrder, left: list[str]
) -> None:
    """A process that hung between its permit and its order; another one has reconciled meanwhile."""
    desk = Desk(side, max_trades_per_day=1)

    desk.before = partial(give_up, desk)
    desk.send(order)
    assert desk.told() == [*GIVEN_UP, "pending", "sent", *left]
    assert (desk.permits(), desk.trades_today()) == ([] if left else ["sent"], 1)


def test_a_twin_that_was_quicker_has_placed_the_order(side: Side) -> None:
    desk = Desk(side)
    desk.before = lambda: desk.behind_its_back(BUY, key="one")
    assert desk.send(key="one")["id"] == "paper-1"
    assert desk.told() == ["pending", "sent", "confirmed", "trade of 0.50"]
    assert (desk.permits(), desk.trades_today(), len(desk.world.left().orders)) == ([], 1, 1)


@pytest.mark.parametrize("third", ["asks again", "reconciles", "is late"])
def test_an_order_that_is_asked_for_three_times_at_once_is_one_trade(side: Side, third: str) -> None:
    """The one that waits looked before the order was there, and gets its permit once the first one has its trade."""
    desk = Desk(side)
    asks_again: Callable[[], object] = partial(desk.send, key="one")
    meanwhile = {"asks again": asks_again, "reconciles": desk.reconcile, "is late": nothing}[third]
    reduces = desk.world.broker.service.reduces

    def after_the_first(**asked: Any) -> bool:
        desk.__dict__.update(reduces=reduces, reduces_async=desk.world.broker.service.reduces_async)
        in_another_thread(asks_again)
        desk.before = partial(in_another_thread, meanwhile)
        return reduces(**asked)

    async def after_the_first_async(**asked: Any) -> bool:
        return after_the_first(**asked)

    desk.__dict__.update(reduces=after_the_first, reduces_async=after_the_first_async)
    assert desk.send(key="one")["id"] == "paper-1"
    once = ["pending", "sent", "confirmed", "trade of 0.50"]
    assert desk.told() == [*once, "pending", "sent", "released: the order has its trade"]
    assert (desk.permits(), desk.trades_today(), len(desk.world.left().orders)) == ([], 1, 1)


def test_an_order_that_rests_is_its_second_sender_s_once_its_first_was_given_up(side: Side) -> None:
    """Both looked before it was there; the first one hung until its permit was given up, and came before the second."""
    desk = Desk(side, in_doubt_after_seconds=30)
    second_is_here, first_is_in = threading.Event(), threading.Event()

    def second_waits() -> None:
        desk.before = nothing
        second_is_here.set()
        assert first_is_in.wait(10)

    with ThreadPoolExecutor() as pool:
        answers: list[Future[Json]] = []

        def second_comes() -> None:
            give_up(desk)
            desk.before = second_waits
            answers.append(pool.submit(desk.send, REST, key="one"))
            assert second_is_here.wait(10)

        def second_goes_on() -> None:
            desk.after = nothing
            first_is_in.set()
            answers[0].result()

        desk.before, desk.after = second_comes, second_goes_on
        assert desk.send(REST, key="one") == answers[0].result()
    assert desk.permits() == ["sent"]
    desk.world.meet(At("2025-03-03T12:01:10Z"))
    desk.world.meet(CandleTrades("63000"))
    desk.reconcile()
    assert desk.told() == [*GIVEN_UP, "pending", "sent", "confirmed", "trade of 0.50"]


def test_a_key_that_was_used_for_another_order_meanwhile_is_refused(side: Side) -> None:
    desk = Desk(side)
    desk.before = lambda: desk.behind_its_back(MORE, key="one")
    with pytest.raises(KeyReused):
        desk.send(key="one")
    assert (desk.permits(), desk.trades_today(), len(desk.world.left().orders)) == ([], 0, 1)


def test_an_order_that_was_given_up_has_its_trade_once_its_key_is_repeated(side: Side) -> None:
    """Its sender found no store to note it in."""
    desk = Desk(side)
    desk.before, desk.after = partial(give_up, desk), lambda: desk.world.meet(StoreFails(GONE))
    with pytest.raises(StoreUnavailable):
        desk.send(key="one")
    desk.world.meet(StoreFails(None))
    desk.after = nothing
    for _ in range(2):
        assert desk.send(key="one")["status"] == "filled"
    assert desk.told() == [*GIVEN_UP, "pending", "sent", "confirmed", "trade of 0.50"]
    assert (desk.permits(), desk.trades_today()) == ([], 1)


def test_an_order_that_comes_in_right_before_it_is_given_up_has_a_permit_again(side: Side) -> None:
    """Its sender has seen its permit and is done, when the one who had asked before gives it up."""
    desk = Desk(side)
    has_asked, sender_is_done = threading.Event(), threading.Event()
    find = desk.world.broker.service.order_by_client_id_async

    async def find_and_wait(*, client_order_id: str) -> Any:
        answer = await find(client_order_id=client_order_id)
        if answer is None:
            has_asked.set()
            assert sender_is_done.wait(10)
        return answer

    desk.__dict__["order_by_client_id_async"] = find_and_wait
    with ThreadPoolExecutor(1) as pool:

        def reconcile() -> None:
            desk.world.meet(At("2025-03-03T12:01:00Z"))
            pool.submit(desk.reconcile)
            assert has_asked.wait(10)

        desk.before = reconcile
        assert desk.send(REST)["status"] == "open"
        sender_is_done.set()
    assert desk.told() == [*GIVEN_UP, "pending", "sent"]
    assert (desk.permits(), desk.trades_today()) == (["sent"], 1)


@pytest.mark.parametrize("order", [BUY, REST], ids=["market", "limit"])
def test_an_order_that_comes_in_during_a_halt_once_it_was_given_up_has_its_trade_after_it(
    side: Side, order: NewOrder
) -> None:
    desk = Desk(side, confirm_while_halted=False)
    desk.before, desk.after = partial(give_up, desk), lambda: desk.world.meet(HaltedBy("maintenance"))
    desk.send(order)
    assert (desk.told(), desk.permits()) == ([*GIVEN_UP, "pending", "sent"], ["sent"])
    desk.world.meet(HaltedBy(None))
    desk.world.meet(At("2025-03-03T12:01:10Z"))
    desk.world.meet(CandleTrades("63000"))
    desk.reconcile()
    assert desk.told()[-2:] == ["confirmed", "trade of 0.50"]
    assert (desk.permits(), desk.trades_today()) == ([], 1)


def test_an_order_that_is_cancelled_before_its_sender_has_looked_takes_no_slot_again(side: Side) -> None:
    desk = Desk(side, max_trades_per_day=1)

    def cancel() -> None:
        desk.after = nothing
        in_another_thread(partial(desk.call_off, "paper-1"))

    desk.after = cancel
    desk.send(REST)
    assert desk.told() == ["pending", "sent", "released: the order is cancelled"]
    assert (desk.permits(), desk.trades_today()) == ([], 0)


def test_a_permit_that_is_out_under_an_id_that_was_seen_before_is_another_one(side: Side) -> None:
    """A bot's permits are named after their order: who hung since it saw one may find the next one of that name."""
    desk = Desk(side)
    desk.send(REST)
    (permit,) = desk.open_permits()
    earlier: Permit = {**permit, "reserved_at": "2025-03-03T11:59:00.000000Z"}
    ports = desk.world.live_ports.for_request()
    if side == "native":
        confirmation = permits.confirmation(permit["id"], "trade", WindowOrder(), earlier)
        ended = [
            asyncio.run(order_permits.release(ports, earlier, "late")),
            asyncio.run(order_permits.apply_unless_ended(ports, confirmation)),
        ]
    else:
        window = TradingWindow({}, ports=ports)
        ended = [
            window.release_order(permit["id"], "late", seen=earlier),
            window.register_order(earlier, "0.50", "64000.0"),
        ]
    assert (ended, desk.open_permits()) == ([False, False], [permit])


async def test_two_bots_that_carry_out_one_intent_make_one_trade_of_it() -> None:
    """The one without the lease hung before its permit, and reserves one of the same name once the trade is there."""
    desk = Desk("native")
    world = desk.world
    paper: Any = world.broker.paper
    intent = Intent(
        client_order_id="ema-BTC-USD-1-1",
        strategy="ema",
        symbol="BTC-USD",
        purpose="entry",
        side="buy",
        quantity=Decimal("0.50"),
        price=Decimal(64_000),
        at=world.clock.now(),
        reason="a test",
    )
    lengths: dict[str, Any] = {"at": world.clock.now(), "fresh_for": timedelta(seconds=60)}

    def bot(broker: Any, own_the_lease: Callable[[], Any]) -> OrderDesk:
        ids = OrderIds()
        window = TradingWindowAsync(store=world.store, clock=world.clock, ids=ids)
        return OrderDesk(window, broker, ids, before_placing=own_the_lease)

    async def lost() -> None:
        raise LeaseLost("one", "two")

    async def held() -> None:
        """Nothing."""

    class Late:
        """In between its order and its trade come the periodic look and the other bot."""

        def __getattr__(self, name: str) -> Any:
            return getattr(paper, name)

        async def place_async(self, request: OrderRequest, *, at: Any) -> Order:
            order: Order = await paper.place_async(request, at=at)
            await native.reconcile(world.live_ports.for_request())
            world.clock.step(timedelta(milliseconds=1))
            with pytest.raises(LeaseLost):
                await bot(paper, lost).carry_out(intent, resumed=False, **lengths)
            return order

    await bot(Late(), held).carry_out(intent, resumed=True, **lengths)
    await asyncio.to_thread(desk.reconcile)
    once = ["pending", "sent", "confirmed", "trade of 0.50"]
    assert desk.told() == [*once, "pending", "sent", "released: the order has its trade"]
    assert (desk.permits(), desk.trades_today()) == ([], 1)
