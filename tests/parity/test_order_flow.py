"""An order on its way, by either side: what fails or halts meanwhile, and what reconciliation makes of it."""

from functools import partial
from typing import Any

import pytest

from shared.errors import OrderClosed, OutcomeUnknown, Refused, StoreUnavailable
from shared.window import DEFAULT_WINDOW_ID, MAX_OPEN_PERMITS, Outcome
from tests.parity.case import At, BrokerFails, CandleTrades, HaltedBy, StoreFails
from tests.parity.desk import GONE, LOST, REST, Desk, Json, Side, in_another_thread, nothing
from tests.shared.store.helpers import permit_of


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
