"""Orders by the old window's arithmetic: a permit, the order, a trade for what was filled.

An order goes out once. Whatever breaks on the way, its permit keeps the slot until the broker has told what came of it.
"""

from decimal import Decimal
from typing import Any

from legacy_flask.trading_window import TradingWindow
from shared.broker.base import OrderRequest
from shared.broker.service import arguments_of, is_for
from shared.clock import utc_text
from shared.errors import ClientOrderIdReused, KeyReused, OrderClosed, OutcomeUnknown, TradingWindowError
from shared.ports import Ports
from shared.store.base import IdempotencyKey
from shared.wire_fields import plain_decimal
from shared.wire_orders import NewOrder, client_order_id_of

Json = dict[str, Any]


class Orders:
    """One request's orders, at the broker behind its ports and under its trading window."""

    def __init__(self, ports: Ports, window: TradingWindow) -> None:
        self._ports = ports
        self._window = window
        self._at = utc_text(ports.instant())

    def place(self, order: NewOrder, *, key: IdempotencyKey | None) -> Json:
        """The order as the broker has it. With a key that was used for an equal order it is that one, as it is now.

        Raises KeyReused, Refused where the window does, OrderOnItsWay while nobody knows what came of an order with
        this key, and what the broker raises: with OutcomeUnknown the permit is in doubt.
        """
        if key is None:
            return self.send(order.request(self._ports.new_id("order")))
        request = order.request(client_order_id_of(key))
        known: Json | None = self._ports.outbound.read(
            "broker", "order_by_client_id", client_order_id=request.client_order_id
        )
        if known is None:
            try:
                return self.send(request)
            except ClientOrderIdReused:
                raise KeyReused(key.value) from None
        if not is_for(known, request):
            raise KeyReused(key.value)
        self.settle(known)
        return known

    def cancel(self, order_id: str) -> Json:
        """The cancelled order; its slot is free again, unless a part was filled. Raises UnknownOrder, and OrderClosed,
        when what came of the order is noted, too."""
        try:
            order: Json = self._ports.outbound.effect("broker", "cancel", order_id=order_id, at=self._at)
        except OrderClosed:
            self.settle(self._ports.outbound.read("broker", "order", order_id=order_id))
            raise
        self.settle(order)
        return order

    def send(self, request: OrderRequest, *, strategy: str | None = None) -> Json:
        """Sends an order of a client order id that the broker doesn't know yet. Raises as `place`."""
        reduces = request.reduces or self._ports.outbound.read(
            "broker",
            "reduces",
            symbol=request.symbol,
            side=request.side,
            quantity=plain_decimal(request.quantity),
            at=self._at,
        )
        arguments = {**arguments_of(request), "reduces": reduces}
        permit_id = self._window.try_send_order({**arguments, "strategy": strategy})
        try:
            placed = self._ports.outbound.effect("broker", "place", **arguments, at=self._at)
        except OutcomeUnknown:
            self._window.doubt_order(permit_id)
            raise
        except TradingWindowError as error:
            self._window.release_order(permit_id, str(error))
            raise
        except Exception:
            self._window.doubt_order(permit_id)
            raise
        order: Json = placed["order"]
        if placed["placed"]:
            self.account_for(order, permit_id, strategy=strategy)
        else:  # by another request, before this one had its permit
            self.settle(order)
        return order

    def account_for(self, order: Json, permit_id: str, *, strategy: str | None = None) -> None:
        """Ends the permit with which an order was placed. Where somebody has given it up while the order was on its
        way, the order gets another one first, whatever the rules say: it is there. May be done again."""
        if self._end(order, permit_id) or self.settle(order):
            return
        is_there = order["status"] == "open" or Decimal(order["filled_quantity"])
        if is_there and self._window.was_given_up(permit_id):
            self._window.send_order_after_all(permit_id, {**order, "strategy": strategy})
            self.settle(order)

    def settle(self, order: Json) -> bool:
        """Ends the permit that an order has by its name, once it isn't open any more; one that has its trade gives the
        slot back. Answers whether that was to do, and was done; a halt may put it off."""
        if order["status"] == "open":
            return False
        name = order["client_order_id"]
        permit = self._window.permit_of_order(name)
        if permit is None:
            return False
        # Asked once the permit was seen: one that had its end before this one was reserved has left its trade by then.
        if self._window.has_trade(name):
            return self._window.release_order(permit["id"], "the order has its trade")
        return self._end(order, permit["id"])

    def _end(self, order: Json, permit_id: str) -> bool:
        """As `settle`, for a permit that is the order's own."""
        if order["status"] == "open":
            return False
        if Decimal(order["filled_quantity"]):
            return self._window.register_order(permit_id, order["filled_quantity"], order["average_price"])
        return self._window.release_order(permit_id, f"the order is {order['status']}")
