"""What an order's outcome makes of its permit, in the window `default`: for orders over HTTP and for the bot's.

No two permits of one client order id are out at a time, but one may be reserved when another has its end: by a request
that repeats a key, and asked the broker before the order was there. Whatever comes in between, an order has one trade.
"""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from fastapi_app.window import permits
from fastapi_app.window.order import Order
from shared.errors import OrderOnItsWay, PermitConflict, Refused, UnknownPermit
from shared.ports import Ports
from shared.store.base import LedgerQuery
from shared.window import DEFAULT_WINDOW_ID, AnswerT, Transition

Json = Mapping[str, Any]


async def account_for(ports: Ports, order: Json, permit_id: str, sent: Order) -> None:
    """Ends the permit with which an order was placed. Where somebody has given it up while the order was on its way,
    the order gets another one first, whatever the rules say: it is there. May be done again.

    `order` is as the broker's service tells it, `sent` what its permit was reserved for.
    """
    if await _end(ports, order, permit_id) or await settle(ports, order):
        return
    is_there = order["status"] == "open" or Decimal(order["filled_quantity"])
    if is_there and await _was_given_up(ports, permit_id):
        reservation = permits.reservation_of_sent(
            _after_all(permit_id), sent, order["client_order_id"], asks_rules=False
        )
        with suppress(OrderOnItsWay):  # it has another one already
            await ports.windows.apply_async(DEFAULT_WINDOW_ID, reservation)
        await settle(ports, order)


async def settle(ports: Ports, order: Json) -> bool:
    """Ends the permit that an order has by its name, once it isn't open any more: a trade for what was filled, or the
    slot back, for an order that has its trade, too. Answers whether that was to do, and was done; a halt may put it
    off."""
    if order["status"] == "open":
        return False
    name = order["client_order_id"]
    window = await ports.windows.snapshot_async(DEFAULT_WINDOW_ID)
    permit = permits.permit_of_order(window.state, name)
    if permit is None:
        return False
    # Asked once the permit was seen: one that had its end before this one was reserved has left its trade by then.
    traded = await ports.windows.ledger_async(DEFAULT_WINDOW_ID, LedgerQuery(kind="trade", subject=name, limit=1))
    if traded.entries:
        return await release(ports, permit["id"], "the order has its trade")
    return await _end(ports, order, permit["id"])


async def release(ports: Ports, permit_id: str, why: str) -> bool:
    return await apply_unless_ended(ports, permits.release(permit_id, why))


async def apply_unless_ended(ports: Ports, transition: Transition[AnswerT]) -> bool:
    """A step of a permit that another request may take at the same time. Answers whether it was taken here."""
    try:
        await ports.windows.apply_async(DEFAULT_WINDOW_ID, transition)
    except (UnknownPermit, PermitConflict):
        return False
    return True


async def _end(ports: Ports, order: Json, permit_id: str) -> bool:
    """As `settle`, for a permit that is the order's own."""
    if order["status"] == "open":
        return False
    if not Decimal(order["filled_quantity"]):
        return await release(ports, permit_id, f"the order is {order['status']}")
    filled = Order(quantity=order["filled_quantity"], price=order["average_price"])
    try:
        return await apply_unless_ended(ports, permits.confirmation(permit_id, ports.new_id("trade"), filled))
    except Refused:  # a halt, where the config says so, keeps it as it is: whoever reconciles after it confirms it
        return True


async def _was_given_up(ports: Ports, permit_id: str) -> bool:
    """Whether somebody has given the slot back, as of now, and the order has got no other one since."""
    looked = await ports.windows.apply_async(DEFAULT_WINDOW_ID, permits.is_out(permit_id))
    if looked.answer:
        return False
    return await _status(ports, permit_id) == "released" and await _status(ports, _after_all(permit_id)) is None


async def _status(ports: Ports, permit_id: str) -> str | None:
    """By the permit's newest entry; None where it has none."""
    newest = await ports.windows.ledger_async(DEFAULT_WINDOW_ID, LedgerQuery(subject=permit_id, limit=1))
    return newest.entries[0].data["status"] if newest.entries else None


def _after_all(permit_id: str) -> str:
    """The id of an order's second permit; by it a process that comes back finds what it has done."""
    return f"{permit_id}-after-all"
