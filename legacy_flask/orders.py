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
from shared.window import Permit
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
        known = self._look(request.client_order_id)
        if known is None:
            try:
                return self.send(request)
            except ClientOrderIdReused:
                raise KeyReused(key.value) from None
        if not is_for(known, request):
            raise KeyReused(key.value)
        self.account_for(known)
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
            order: Json = self._ports.outbound.effect("broker", "place", **arguments, at=self._at)
        except OutcomeUnknown:
            self._window.doubt_order(permit_id)
            raise
        except TradingWindowError as error:
            self._window.release_order(permit_id, str(error))
            raise
        except Exception:
            self._window.doubt_order(permit_id)
            raise
        self.account_for_sent(order, strategy=strategy)
        return order

    def account_for_sent(self, order: Json, *, strategy: str | None = None) -> None:
        """As `account_for`, for who has sent the order: its permit may have been given up meanwhile."""
        if order["status"] == "open":
            self._window.see_anew()
        self.account_for(order, strategy=strategy)

    def account_for(self, order: Json, *, strategy: str | None = None) -> None:
        """Sees to it that an order which the broker has holds a permit while it is open, and becomes one trade where it
        was filled. One without either gets a permit whatever the rules say: it is there. May be done again, by
        anybody."""
        if self.settle(order):
            return
        self._window.see_anew()
        if self.settle(order):
            return
        newest = self._look(order["client_order_id"])
        if newest is not None and (newest["status"] == "open" or Decimal(newest["filled_quantity"])):
            self._window.send_order_after_all({**newest, "strategy": strategy})
            self.settle(newest)

    def settle(self, order: Json) -> bool:
        """Ends the permit that an order has by its name, once it isn't open any more; one that has its trade gives the
        slot back. A halt may put that off.

        Answers whether the order lacks nothing: neither its permit while it is open, nor its trade.
        """
        name = order["client_order_id"]
        permit = self._window.permit_of_order(name)
        if order["status"] == "open":
            return permit is not None
        if not Decimal(order["filled_quantity"]):
            if permit is not None:
                self._window.release_order(permit["id"], f"the order is {order['status']}", seen=permit)
            return True
        # As of the window in which the permit was seen: whatever had its end before this one was reserved has left its
        # trade by then.
        has_trade = self._window.has_trade(name)
        if permit is None:
            return has_trade
        if has_trade:
            self._window.release_order(permit["id"], "the order has its trade", seen=permit)
            return True
        return self._window.register_order(permit, order["filled_quantity"], order["average_price"])

    def give_up(self, permit: Permit, why: str) -> Json | None:
        """Gives the slot back of an order that the broker doesn't know. Answers with the order where it has come in
        right then: it is accounted for."""
        self._window.release_order(permit["id"], why, seen=permit)
        order = self._look(permit["client_order_id"])
        if order is not None:
            self.account_for(order, strategy=permit["strategy"])
        return order

    def _look(self, client_order_id: str) -> Json | None:
        order: Json | None = self._ports.outbound.read("broker", "order_by_client_id", client_order_id=client_order_id)
        return order
