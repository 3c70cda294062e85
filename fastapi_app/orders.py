"""Orders of the window `default` by the new side's rules: a permit, the order, a trade for what was filled.

An order goes out once. Whatever breaks on the way, its permit keeps the slot until the broker has told what came of it.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from fastapi_app import order_permits
from fastapi_app.window import permits
from fastapi_app.window.order import Order
from shared.broker.base import OrderRequest, given_up_after
from shared.broker.service import arguments_of, is_for
from shared.clock import utc_text
from shared.errors import (
    ClientOrderIdReused,
    KeyReused,
    OrderClosed,
    OutcomeUnknown,
    TradingWindowError,
)
from shared.ports import Ports
from shared.store.base import IdempotencyKey
from shared.window import DEFAULT_WINDOW_ID, Asking, Permit
from shared.wire_fields import plain_decimal
from shared.wire_orders import NewOrder, client_order_id_of

Json = dict[str, Any]


async def place_order(ports: Ports, order: NewOrder, *, key: IdempotencyKey | None = None) -> Json:
    """The order as the broker has it. With a key that was used for an equal order it is that one, as it is now.

    Raises KeyReused, and what `place` raises.
    """
    if key is None:
        return await place(ports, order.request(ports.new_id("order")))
    try:
        return await place(ports, order.request(client_order_id_of(key)), may_be_known=True)
    except ClientOrderIdReused:
        raise KeyReused(key.value) from None


async def place(ports: Ports, request: OrderRequest, *, may_be_known: bool = False) -> Json:
    """Sends an order, and answers with it as the broker has it by then. With `may_be_known` the broker is asked first
    whether it has one of this client order id: that is the answer then, and nothing is sent.

    Raises Refused where the window does, OrderOnItsWay while nobody knows what came of an order of this client order
    id, ClientOrderIdReused for that of another order, and what the broker raises: with OutcomeUnknown the permit is in
    doubt.
    """
    look = _look(ports, request.client_order_id)
    if may_be_known:
        known = await look()
        if known is not None:
            if not is_for(known, request):
                raise ClientOrderIdReused(request.client_order_id)
            await order_permits.account_for(ports, known, look)
            return dict(known)
    permit, request = await _reserve(ports, request)
    order = await _send(ports, request, permit)
    await order_permits.account_for_sent(ports, order, look)
    return order


async def cancel(ports: Ports, order_id: str) -> Json:
    """The cancelled order; its slot is free again, unless a part was filled. Raises UnknownOrder, and OrderClosed, when
    what came of the order is noted, too."""
    at = utc_text(ports.instant())
    try:
        order: Json = await ports.outbound.effect_async("broker", "cancel", order_id=order_id, at=at)
    except OrderClosed:
        await order_permits.settle(ports, await ports.outbound.read_async("broker", "order", order_id=order_id))
        raise
    await order_permits.settle(ports, order)
    return order


async def reconcile(ports: Ports) -> None:
    """Asks the broker what came of each order that is out, and ends its permit by the answer: a trade for what was
    filled, the slot back for what was not. What is still open, or under way, stays so. An order that the broker
    doesn't know is given up once it is older than the config's `in_doubt_after_seconds`, and than the broker's orders
    may be when they come in: until then it may be on its way. Without an order that is out the window is read, and
    nobody asked.
    """
    snapshot = await ports.windows.snapshot_async(DEFAULT_WINDOW_ID)
    sent = [permit for permit in snapshot.state.get("permits", {}).values() if "client_order_id" in permit]
    if not sent:
        return
    settles_after = await ports.outbound.read_async("broker", "settles_after_seconds")
    given_up = utc_text(ports.instant() - given_up_after(snapshot.config.in_doubt_after_seconds, settles_after))
    for permit in sent:
        look = _look(ports, permit["client_order_id"])
        try:
            order = await look()
        except OutcomeUnknown:  # asked again another time; the others are not to wait for it
            continue
        if order is not None:
            await order_permits.account_for(ports, order, look, strategy=permit["strategy"])
        elif permit["reserved_at"] <= given_up:
            await order_permits.give_up(ports, permit, "the broker knows no such order", look)


def _look(ports: Ports, client_order_id: str) -> order_permits.Look:
    return partial(ports.outbound.read_async, "broker", "order_by_client_id", client_order_id=client_order_id)


async def _reserve(ports: Ports, request: OrderRequest) -> tuple[Permit, OrderRequest]:
    """A permit that is marked as sent, and the request, which says by now whether it only reduces a position."""
    if not request.reduces:
        reduces = await ports.outbound.read_async(
            "broker",
            "reduces",
            symbol=request.symbol,
            side=request.side,
            quantity=plain_decimal(request.quantity),
            at=utc_text(ports.instant()),
        )
        request = replace(request, reduces=reduces)
    permit_id = ports.new_id("permit")
    transition = permits.reservation_of_sent(permit_id, _order_of(request), request.client_order_id)
    reserved = await ports.windows.apply_async(DEFAULT_WINDOW_ID, transition, asks=Asking(request.symbol))
    return reserved.answer["permit"], request


def _order_of(request: OrderRequest) -> Order:
    return Order(
        symbol=request.symbol,
        side=request.side,
        quantity=plain_decimal(request.quantity),
        price=None if request.price is None else plain_decimal(request.price),
        reduces=request.reduces,
    )


async def _send(ports: Ports, request: OrderRequest, permit: Permit) -> Json:
    """What the broker answers. A broker's errors say that there is no order, but for OutcomeUnknown and faults."""
    try:
        order: Json = await ports.outbound.effect_async(
            "broker", "place", **arguments_of(request), at=utc_text(ports.instant())
        )
    except Exception as error:
        if isinstance(error, TradingWindowError) and not isinstance(error, OutcomeUnknown):
            await order_permits.release(ports, permit, str(error))
        else:
            await order_permits.apply_unless_ended(ports, permits.doubting(permit["id"]))
        raise
    return order
