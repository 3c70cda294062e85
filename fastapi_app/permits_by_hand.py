"""A permit that a person ends by hand, though the broker of this service knows what became of its order."""

from contextlib import suppress
from decimal import Decimal

from fastapi_app.trading_window_async import TradingWindowAsync
from shared.errors import PermitOfOrder, TradingWindowError
from shared.ports import Ports
from shared.window import DEFAULT_WINDOW_ID

_OUT = ("sent", "in_doubt")


async def check_by_hand(ports: Ports, window_id: str, permit_id: str) -> None:
    """Raises PermitOfOrder for a permit that is out for an order which the broker shows as open, or as filled, be it in
    part: what comes of the order ends it. UnknownPermit.

    Where the broker can't tell, or knows no such order, a person may know better.
    """
    if window_id != DEFAULT_WINDOW_ID:
        return
    permit = await TradingWindowAsync(ports=ports, window_id=window_id).get_permit(permit_id)
    name = permit.get("client_order_id")
    if name is None or permit["status"] not in _OUT:
        return
    order = None
    with suppress(TradingWindowError):
        order = await ports.outbound.read_async("broker", "order_by_client_id", client_order_id=name)
    if order is not None and (order["status"] == "open" or Decimal(order["filled_quantity"])):
        raise PermitOfOrder(permit_id, order["id"], order["status"])
