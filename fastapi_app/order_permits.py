"""What an order's outcome makes of its permit, in the window `default`: for orders over HTTP and for the bot's.

An order that is open holds a permit by its client order id; of one that was filled there is one trade. No two permits
of one name are out at a time, but one may be reserved when another has its end: by a request that repeats a key, and
asked the broker before the order was there. And one may be given up while its order is on its way.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from fastapi_app.window import permits
from fastapi_app.window.order import Order
from shared.errors import OrderOnItsWay, PermitConflict, Refused, UnknownPermit
from shared.ports import Ports
from shared.store.base import LedgerQuery
from shared.window import DEFAULT_WINDOW_ID, AnswerT, Permit, Transition

Json = Mapping[str, Any]

Look = Callable[[], Awaitable[Json | None]]
"""Asks the broker for an order: as its service tells it, or None where it knows none."""


async def account_for_sent(ports: Ports, order: Json, look: Look, *, strategy: str | None = None) -> None:
    """As `account_for`, for who has sent the order: its permit may have been given up meanwhile."""
    if order["status"] == "open":
        await _see_anew(ports)
    await account_for(ports, order, look, strategy=strategy)


async def account_for(ports: Ports, order: Json, look: Look, *, strategy: str | None = None) -> None:
    """Sees to it that an order which the broker has holds a permit while it is open, and becomes one trade where it was
    filled. One without either gets a permit whatever the rules say: it is there. May be done again, by anybody.

    `order` is as the broker's service tells it.
    """
    if await settle(ports, order):
        return
    await _see_anew(ports)
    if await settle(ports, order):
        return
    newest = await look()
    if newest is None or not (newest["status"] == "open" or Decimal(newest["filled_quantity"])):
        return
    permit_id = f"{ports.new_id('permit')}-after-all"
    sent = Order(
        symbol=newest["symbol"],
        side=newest["side"],
        quantity=newest["quantity"],
        price=newest["price"],
        strategy=strategy,
        reduces=newest["reduces"],
    )
    reservation = permits.reservation_of_sent(permit_id, sent, newest["client_order_id"], asks_rules=False)
    with suppress(OrderOnItsWay):  # it has got one meanwhile
        await ports.windows.apply_async(DEFAULT_WINDOW_ID, reservation)
    await settle(ports, newest)


async def settle(ports: Ports, order: Json) -> bool:
    """Ends the permit that an order has by its name, once it isn't open any more: a trade for what was filled, or the
    slot back, for an order that has its trade, too. A halt may put that off.

    Answers whether the order lacks nothing: neither its permit while it is open, nor its trade.
    """
    name = order["client_order_id"]
    window = await ports.windows.snapshot_async(DEFAULT_WINDOW_ID)
    permit = permits.permit_of_order(window.state, name)
    if order["status"] == "open":
        return permit is not None
    if not Decimal(order["filled_quantity"]):
        if permit is not None:
            await release(ports, permit, f"the order is {order['status']}")
        return True
    # As of the snapshot in which the permit was seen: whatever had its end before this one was reserved has left its
    # trade by then.
    traded = await ports.windows.ledger_async(DEFAULT_WINDOW_ID, LedgerQuery(kind="trade", subject=name, limit=1))
    if permit is None:
        return bool(traded.entries)
    if traded.entries:
        await release(ports, permit, "the order has its trade")
        return True
    filled = Order(quantity=order["filled_quantity"], price=order["average_price"])
    try:
        return await apply_unless_ended(
            ports, permits.confirmation(permit["id"], ports.new_id("trade"), filled, permit)
        )
    except Refused:  # a halt, where the config says so, keeps it as it is: whoever reconciles after it confirms it
        return True


async def give_up(ports: Ports, permit: Permit, why: str, look: Look) -> Json | None:
    """Gives the slot back of an order that the broker doesn't know. Answers with the order where it has come in right
    then: it is accounted for."""
    await release(ports, permit, why)
    order = await look()
    if order is not None:
        await account_for(ports, order, look, strategy=permit["strategy"])
    return order


async def release(ports: Ports, permit: Permit, why: str) -> bool:
    """As `apply_unless_ended`."""
    return await apply_unless_ended(ports, permits.release(permit["id"], why, permit))


async def apply_unless_ended(ports: Ports, transition: Transition[AnswerT]) -> bool:
    """A step of a permit that another request may take at the same time. Answers whether it was taken here."""
    try:
        await ports.windows.apply_async(DEFAULT_WINDOW_ID, transition)
    except (UnknownPermit, PermitConflict):
        return False
    return True


async def _see_anew(ports: Ports) -> None:
    """From here on the ports see the window as it is now."""
    await ports.windows.apply_async(DEFAULT_WINDOW_ID, permits.as_it_is)
