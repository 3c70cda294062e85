"""What may come in between while an order is on its way, by either side; and what becomes of it afterwards."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

import pytest

from fastapi_app import orders as native
from legacy_flask.orders import Orders as LegacyOrders
from legacy_flask.trading_window import TradingWindow
from shared.broker.base import OrderRequest
from shared.errors import KeyReused, OrderClosed, OutcomeUnknown, Refused, StoreUnavailable
from shared.store.base import IdempotencyKey
from shared.store.memory import MemoryStore
from shared.window import DEFAULT_WINDOW_ID, MAX_OPEN_PERMITS, Outcome, Permit
from shared.wire import read_idempotency_key
from shared.wire_orders import PLACE_ORDER, NewOrder, client_order_id_of, read_new_order
from tests.parity.arms import World
from tests.parity.case import At, BrokerFails, CandleTrades, Case, HaltedBy, StoreFails
from tests.parity.case_orders import LIMIT_ORDER, MARKET_ORDER
from tests.shared.store.helpers import permit_of

Side = Literal["legacy", "native"]
Json = dict[str, Any]

BUY = read_new_order("application/json", MARKET_ORDER.encode())
REST = read_new_order("application/json", LIMIT_ORDER.encode())
MORE = BUY.model_copy(update={"quantity": 2 * BUY.quantity})
GONE = StoreUnavailable("the disk is gone")
LOST = OutcomeUnknown("the connection was lost")


def nothing() -> None:
    """What happens in between, unless a test says more."""


def in_another_thread(call: Callable[[], object]) -> None:
    """Where an event loop of its own may run."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


class Desk:
    """A world whose orders one side places; `before` and `after` happen right before and after the broker has one."""

    def __init__(self, side: Side, **config: Any) -> None:
        self.before: Callable[[], object] = nothing
        self.after: Callable[[], object] = nothing
        self._side = side
        self.world = World(Case(name="a desk", steps=(), config=config), MemoryStore(), services={"broker": self})

    def __getattr__(self, method: str) -> Any:
        return getattr(self.world.broker.service, method)

    def place(self, **order: Any) -> Any:
        self.before()
        answer = self.world.broker.service.place(**order)
        self.after()
        return answer

    async def place_async(self, **order: Any) -> Any:
        return self.place(**order)

    def send(self, order: NewOrder = BUY, *, key: str | None = None) -> Json:
        ports = self.world.live_ports.for_request()
        if self._side == "native":
            return asyncio.run(native.place_order(ports, order, key=self._key(order, key)))
        return LegacyOrders(ports, TradingWindow({}, ports=ports)).place(order, key=self._key(order, key))

    def call_off(self, order_id: str) -> Json:
        ports = self.world.live_ports.for_request()
        if self._side == "native":
            return asyncio.run(native.cancel(ports, order_id))
        return LegacyOrders(ports, TradingWindow({}, ports=ports)).cancel(order_id)

    def reconcile(self) -> None:
        asyncio.run(native.reconcile(self.world.live_ports.for_request()))

    def behind_its_back(self, order: NewOrder, *, key: str) -> None:
        """Another process has placed it."""
        found = self._key(order, key)
        assert found is not None
        request: OrderRequest = order.request(client_order_id_of(found))
        self.world.broker.place(request)

    def told(self) -> list[str]:
        """The ledger, oldest first: each trade, and each step of a permit with its reason."""
        entries = reversed(self.world.left().ledger.entries)
        return [
            f"trade of {entry.data['quantity']}"
            if entry.kind == "trade"
            else f"{entry.data['status']}{': ' + entry.data['reason'] if 'reason' in entry.data else ''}"
            for entry in entries
        ]

    def permits(self) -> list[str]:
        return [permit["status"] for permit in self.open_permits()]

    def open_permits(self) -> list[Permit]:
        return [*self.world.left().window.state.get("permits", {}).values()]

    def trades_today(self) -> int:
        return self.world.left().window.state["trades_today"]

    def _key(self, order: NewOrder, key: str | None) -> IdempotencyKey | None:
        return read_idempotency_key(key, endpoint=PLACE_ORDER, request=order)


@pytest.fixture(params=["legacy", "native"])
def side(request: pytest.FixtureRequest) -> Side:
    found: Side = request.param
    return found


def test_a_store_that_fails_once_the_order_is_placed_costs_no_trade(side: Side) -> None:
    desk = Desk(side)
    desk.after = lambda: desk.world.meet(StoreFails(GONE))
    with pytest.raises(StoreUnavailable):
        desk.send(key="one")
    desk.world.meet(StoreFails(None))
    assert (desk.told(), desk.permits()) == (["pending", "sent"], ["sent"])
    desk.after = nothing
    assert desk.send(key="one")["status"] == "filled"
    assert (desk.told(), desk.permits()) == (["pending", "sent", "confirmed", "trade of 0.50"], [])


def test_a_halt_while_the_order_is_on_its_way_leaves_its_trade_to_reconciliation(side: Side) -> None:
    desk = Desk(side, confirm_while_halted=False)
    desk.after = lambda: desk.world.meet(HaltedBy("maintenance"))
    assert desk.send()["status"] == "filled"
    desk.reconcile()
    assert (desk.told(), desk.permits()) == (["pending", "sent"], ["sent"])
    desk.world.meet(HaltedBy(None))
    desk.reconcile()
    assert (desk.told(), desk.permits()) == (["pending", "sent", "confirmed", "trade of 0.50"], [])


def test_a_halt_while_the_order_is_on_its_way_holds_no_trade_back_unless_told_so(side: Side) -> None:
    desk = Desk(side)
    desk.after = lambda: desk.world.meet(HaltedBy("maintenance"))
    desk.send()
    assert desk.told() == ["pending", "sent", "confirmed", "trade of 0.50"]


def test_who_reconciles_meanwhile_makes_the_one_trade(side: Side) -> None:
    desk = Desk(side)

    desk.after = partial(in_another_thread, desk.reconcile)
    assert desk.send()["status"] == "filled"
    assert desk.told() == ["pending", "sent", "confirmed", "trade of 0.50"]


@pytest.mark.parametrize(("order", "left"), [(BUY, ["confirmed", "trade of 0.50"]), (REST, [])])
def test_an_order_that_comes_in_once_it_was_given_up_is_accounted_for(
    side: Side, order: NewOrder, left: list[str]
) -> None:
    """A process that hung between its permit and its order; another one has reconciled meanwhile."""
    desk = Desk(side, max_trades_per_day=1)

    def give_up() -> None:
        desk.world.meet(At("2025-03-03T12:01:00Z"))
        in_another_thread(desk.reconcile)

    desk.before = give_up
    desk.send(order)
    given_up = ["pending", "sent", "in_doubt", "released: the broker knows no such order"]
    assert desk.told() == [*given_up, "pending", "sent", *left]
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

        def give_up() -> None:
            desk.world.meet(At("2025-03-03T12:01:00Z"))
            in_another_thread(desk.reconcile)
            desk.before = second_waits
            answers.append(pool.submit(desk.send, REST, key="one"))
            assert second_is_here.wait(10)

        def second_goes_on() -> None:
            desk.after = nothing
            first_is_in.set()
            answers[0].result()

        desk.before, desk.after = give_up, second_goes_on
        assert desk.send(REST, key="one") == answers[0].result()
    assert desk.permits() == ["sent"]
    desk.world.meet(At("2025-03-03T12:01:10Z"))
    desk.world.meet(CandleTrades("63000"))
    desk.reconcile()
    given_up = ["pending", "sent", "in_doubt", "released: the broker knows no such order"]
    assert desk.told() == [*given_up, "pending", "sent", "confirmed", "trade of 0.50"]


def test_a_key_that_was_used_for_another_order_meanwhile_is_refused(side: Side) -> None:
    desk = Desk(side)
    desk.before = lambda: desk.behind_its_back(MORE, key="one")
    with pytest.raises(KeyReused):
        desk.send(key="one")
    assert (desk.permits(), desk.trades_today(), len(desk.world.left().orders)) == ([], 0, 1)


def test_no_more_permits_are_given_out_than_a_state_can_hold(side: Side) -> None:
    desk = Desk(side, max_trades_per_day=MAX_OPEN_PERMITS + 1)
    permits = {f"p-{number}": permit_of(f"p-{number}", deadline=None) for number in range(MAX_OPEN_PERMITS)}
    desk.world.store.apply(
        DEFAULT_WINDOW_ID,
        lambda config, state, _at: Outcome(config, {**state, "permits": permits}, (), None),
        instant=desk.world.clock.now(),
    )
    with pytest.raises(Refused, match=r"^1000 permits are out$") as refused:
        desk.send()
    (reason,) = refused.value.reasons
    assert (reason.code, reason.value, reason.bound) == ("PERMIT_LIMIT", 1_000, 1_000)


def test_reconciliation_gives_up_an_order_that_the_broker_does_not_know_once_it_is_old(side: Side) -> None:
    desk = Desk(side, in_doubt_after_seconds=30)
    desk.world.meet(BrokerFails(LOST, only="place"))
    with pytest.raises(OutcomeUnknown):
        desk.send()
    desk.world.meet(BrokerFails(None))
    desk.world.meet(At("2025-03-03T12:00:29.999999Z"))
    desk.reconcile()
    assert (desk.told(), desk.permits()) == (["pending", "sent", "in_doubt"], ["in_doubt"])
    desk.world.meet(At("2025-03-03T12:00:30Z"))
    desk.reconcile()
    assert desk.told() == ["pending", "sent", "in_doubt", "released: the broker knows no such order"]
    assert (desk.permits(), desk.trades_today()) == ([], 0)


def test_reconciliation_makes_the_trade_of_an_order_that_was_placed_all_the_same(side: Side) -> None:
    desk = Desk(side)
    desk.world.meet(BrokerFails(LOST, only="place", afterwards=True))
    with pytest.raises(OutcomeUnknown):
        desk.send()
    desk.world.meet(BrokerFails(None))
    for _ in range(2):
        desk.reconcile()
    assert desk.told() == ["pending", "sent", "in_doubt", "confirmed", "trade of 0.50"]
    assert (desk.permits(), desk.trades_today()) == ([], 1)


def test_reconciliation_leaves_what_rests_until_it_is_filled_or_cancelled(side: Side) -> None:
    desk = Desk(side)
    assert [desk.send(REST)["status"] for _ in range(2)] == ["open", "open"]
    desk.world.meet(At("2025-03-03T12:10:00Z"))
    desk.reconcile()
    assert desk.permits() == ["sent", "sent"]
    desk.world.broker.cancel("paper-1")
    desk.world.meet(CandleTrades("63000"))
    desk.reconcile()
    steps = ["pending", "sent"] * 2 + ["in_doubt"] * 2
    assert desk.told() == [*steps, "released: the order is cancelled", "confirmed", "trade of 0.50"]
    assert (desk.permits(), desk.trades_today()) == ([], 1)


def test_a_cancelling_that_comes_too_late_makes_the_trade(side: Side) -> None:
    """Nobody may reconcile for long: a bot does, where one runs."""
    desk = Desk(side)
    desk.send(REST)
    desk.world.meet(At("2025-03-03T12:10:00Z"))
    desk.world.meet(CandleTrades("63000"))
    for _ in range(2):
        with pytest.raises(OrderClosed):
            desk.call_off("paper-1")
    assert desk.told() == ["pending", "sent", "in_doubt", "confirmed", "trade of 0.50"]
    assert (desk.permits(), desk.trades_today()) == ([], 1)


def test_a_part_that_was_filled_before_its_order_was_cancelled_is_a_trade(side: Side) -> None:
    desk = Desk(side)
    desk.send(REST)

    def cancel(**arguments: Any) -> Json:
        cancelled = desk.world.broker.service.cancel(**arguments)
        return {**cancelled, "filled_quantity": "0.125", "average_price": "64000.0"}

    async def cancel_async(**arguments: Any) -> Json:
        return cancel(**arguments)

    desk.__dict__.update(cancel=cancel, cancel_async=cancel_async)
    assert desk.call_off("paper-1")["status"] == "cancelled"
    assert desk.told() == ["pending", "sent", "confirmed", "trade of 0.125"]


def test_reconciliation_leaves_permits_that_are_no_order_s_of_the_broker() -> None:
    desk = Desk("native")
    permit = permit_of("p-1", status="sent", deadline=None)
    desk.world.store.apply(
        DEFAULT_WINDOW_ID,
        lambda config, state, _at: Outcome(config, {**state, "permits": {"p-1": permit}}, (), None),
        instant=desk.world.clock.now(),
    )
    desk.reconcile()
    assert (desk.told(), desk.permits()) == ([], ["sent"])


def test_reconciliation_passes_over_an_order_of_which_nobody_knows_yet() -> None:
    desk = Desk("native")
    for order in (REST, REST):
        desk.send(order)
    on_its_way, cancelled = [permit["client_order_id"] for permit in desk.open_permits()]
    desk.world.broker.cancel("paper-2")
    find = desk.world.broker.service.order_by_client_id_async

    async def found(*, client_order_id: str) -> Any:
        if client_order_id == on_its_way:
            raise LOST
        return await find(client_order_id=client_order_id)

    desk.__dict__["order_by_client_id_async"] = found
    desk.reconcile()
    assert [permit["client_order_id"] for permit in desk.open_permits()] == [on_its_way]
    assert desk.told()[-1] == "released: the order is cancelled"
    assert cancelled != on_its_way


def test_reconciliation_waits_as_long_as_the_broker_s_orders_may_come_in() -> None:
    desk = Desk("native", in_doubt_after_seconds=30)
    desk.__dict__["settles_after_seconds"] = lambda: 90.5
    desk.world.meet(BrokerFails(LOST, only="place"))
    with pytest.raises(OutcomeUnknown):
        desk.send()
    desk.world.meet(BrokerFails(None))
    for at, left in (("2025-03-03T12:01:30.499999Z", ["in_doubt"]), ("2025-03-03T12:01:30.5Z", [])):
        desk.world.meet(At(at))
        desk.reconcile()
        assert desk.permits() == left


def test_reconciliation_stops_at_a_broker_that_can_not_answer() -> None:
    desk = Desk("native")
    desk.send(REST)
    desk.world.meet(BrokerFails(GONE))
    with pytest.raises(StoreUnavailable):
        desk.reconcile()
    assert desk.permits() == ["sent"]
