"""The life of a permit, as transitions: reserved, sent, and one end."""

from datetime import datetime, timedelta
from typing import Any

from fastapi_app.window.decision import PermitAnswer, failing
from fastapi_app.window.limits import too_many_permits
from fastapi_app.window.order import Order
from fastapi_app.window.rules import registered, trade_of
from fastapi_app.window.slots import counted_on, free_slots, trading_day
from shared.clock import utc_text
from shared.errors import OrderOnItsWay, PermitConflict, PermitStatus, Refused, UnknownPermit
from shared.halts import halt_reasons
from shared.upkeep import permit_entry, with_permit, without_permit
from shared.window import Entry, Outcome, Permit, Trade, Transition, WindowState
from shared.window_config import WindowConfig


class ConfirmedPermit(PermitAnswer):
    """`trade` is what the permit has become; its trade day is that on which the slot was reserved."""

    trade: Trade


def reservation(
    permit_id: str, order: Order, client_order_id: str | None = None, *, asks_rules: bool = True
) -> Transition[PermitAnswer]:
    """Takes a slot if every rule allows the order; else raises Refused with every reason. Without `asks_rules` the slot
    is taken as it is."""

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[PermitAnswer]:
        reasons = (*failing(config, state, instant, order), *too_many_permits(state)) if asks_rules else ()
        if reasons:
            raise Refused(*reasons)
        day = trading_day(config, state, instant)
        permit = Permit(
            id=permit_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            price=order.price,
            strategy=order.strategy,
            reduces=order.reduces,
            status="pending",
            trade_day=day,
            reserved_at=utc_text(instant),
            deadline=_after(instant, config.permit_seconds),
        )
        if client_order_id is not None:
            permit["client_order_id"] = client_order_id
        changed = with_permit(state, permit)
        if not order.reduces:
            changed = {**changed, "trade_day": day, "trades_today": counted_on(day, state) + 1}
        return _stepped(config, changed, instant, permit, permit_entry(permit, entry_id=f"{permit_id}-reserved"))

    return transition


def reservation_of_sent(
    permit_id: str, order: Order, client_order_id: str, *, asks_rules: bool = True
) -> Transition[PermitAnswer]:
    """Reserves a slot, and notes in the same step that the order goes out under this name; no two that are out have
    one name. Raises OrderOnItsWay, and Refused as `reservation` does."""
    reserve = reservation(permit_id, order, client_order_id, asks_rules=asks_rules)
    send = sending(permit_id, asks_rules=asks_rules)

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[PermitAnswer]:
        if permit_of_order(state, client_order_id) is not None:
            raise OrderOnItsWay(client_order_id)
        reserved = reserve(config, state, instant)
        sent = send(config, reserved.state, instant)
        return sent._replace(entries=(*reserved.entries, *sent.entries))

    return transition


def as_it_is(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
    """Changes nothing; what a request reads after it is the window as it is by then."""
    return Outcome(config, state, (), None)


def permit_of_order(state: WindowState, client_order_id: str) -> Permit | None:
    """The permit of the order of this name, while it has no end."""
    permits = state.get("permits", {}).values()
    return next((permit for permit in permits if permit.get("client_order_id") == client_order_id), None)


def sending(permit_id: str, *, asks_rules: bool = True) -> Transition[PermitAnswer]:
    """Notes that the order is on its way: from here on nobody but a resolution gives the slot back.

    Raises Refused during a halt that its confirmation would have to wait for, unless the order is there already.
    """

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[PermitAnswer]:
        permit = _open_permit(state, permit_id, wanted="sent", among=("pending",))
        if asks_rules:
            _check_halts(config, state, permit, instant)
        deadline = _after(instant, config.in_doubt_after_seconds)
        sent: Permit = {**permit, "status": "sent", "deadline": deadline}
        entry = permit_entry(sent, entry_id=f"{permit_id}-sent")
        return _stepped(config, with_permit(state, sent), instant, sent, entry)

    return transition


def doubting(permit_id: str) -> Transition[PermitAnswer]:
    """Notes that nobody knows what came of the order."""

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[PermitAnswer]:
        permit = _open_permit(state, permit_id, wanted="in doubt", among=("sent",))
        in_doubt: Permit = {**permit, "status": "in_doubt", "deadline": None}
        entry = permit_entry(in_doubt, entry_id=f"{permit_id}-in-doubt")
        return _stepped(config, with_permit(state, in_doubt), instant, in_doubt, entry)

    return transition


def confirmation(
    permit_id: str, trade_id: str, filled: Order, seen: Permit | None = None
) -> Transition[ConfirmedPermit]:
    """The order was filled: the slot is a trade's now. `filled` may say the quantity and the price of the fill. With
    `seen` it has to be that permit still, and not a later one of its id.

    Raises Refused during a halt where the config says so.
    """

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[ConfirmedPermit]:
        permit = _open_permit(state, permit_id, wanted="confirmed", seen=seen)
        _check_halts(config, state, permit, instant)
        order = Order.of_permit(permit)
        order = order._replace(quantity=filled.quantity or order.quantity, price=filled.price or order.price)
        trade = trade_of(order, trade_id, instant, permit["trade_day"])
        confirmed = _ended(permit, "confirmed")
        changed = without_permit(state, permit, frees_slot=False)
        entries = (
            permit_entry(confirmed, entry_id=f"{permit_id}-confirmed", trade_id=trade_id),
            Entry(
                id=trade_id,
                kind="trade",
                data=trade,
                trade_day=permit["trade_day"],
                symbol=order.symbol,
                subject=permit.get("client_order_id"),
            ),
        )
        counts = registered(config, changed, instant, trade)
        return Outcome(config, changed, entries, ConfirmedPermit(permit=confirmed, **counts))

    return transition


def release(permit_id: str, why: str | None, seen: Permit | None = None) -> Transition[PermitAnswer]:
    """There is no trade: the slot is free again. `seen` as for `confirmation`."""

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[PermitAnswer]:
        permit = _open_permit(state, permit_id, wanted="released", seen=seen)
        released = _ended(permit, "released")
        changed = without_permit(state, permit, frees_slot=True)
        more: dict[str, Any] = {} if why is None else {"reason": why}
        entry = permit_entry(released, entry_id=f"{permit_id}-released", **more)
        return _stepped(config, changed, instant, released, entry)

    return transition


def _check_halts(config: WindowConfig, state: WindowState, permit: Permit, instant: datetime) -> None:
    halted = () if config.confirm_while_halted else halt_reasons(state, permit["symbol"], instant)
    if halted:
        raise Refused(*halted)


def _open_permit(
    state: WindowState,
    permit_id: str,
    *,
    wanted: str,
    among: tuple[PermitStatus, ...] = ("pending", "sent", "in_doubt"),
    seen: Permit | None = None,
) -> Permit:
    """Raises UnknownPermit for one that has its end, or never was: the ledger knows which."""
    permit = state.get("permits", {}).get(permit_id)
    if permit is None or (seen is not None and permit["reserved_at"] != seen["reserved_at"]):
        raise UnknownPermit(permit_id)
    if permit["status"] not in among:
        raise PermitConflict(permit_id, permit["status"], wanted)
    return permit


def _ended(permit: Permit, status: PermitStatus) -> Permit:
    return {**permit, "status": status, "deadline": None}


def _stepped(
    config: WindowConfig, state: WindowState, instant: datetime, permit: Permit, entry: Entry
) -> Outcome[PermitAnswer]:
    answer = PermitAnswer(
        permit=permit,
        trades_today=counted_on(trading_day(config, state, instant), state),
        remaining_trades=free_slots(config, state, instant),
    )
    return Outcome(config, state, (entry,), answer)


def _after(instant: datetime, seconds: int) -> str:
    return utc_text(instant + timedelta(seconds=seconds))
