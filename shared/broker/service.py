"""The broker as a service behind the ports: JSON in, JSON out, as the wire shows it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.broker.base import (
    Balance,
    Broker,
    Order,
    OrderRequest,
    OrderSide,
    OrdersQuery,
    OrderStatus,
    OrderType,
    Position,
)
from shared.errors import ClientOrderIdReused
from shared.wire_fields import plain_decimal

Json = dict[str, Any]


class BrokerService:
    """For request handlers, called by name through `ports.outbound`: `place` and `cancel` are effects, the others are
    reads. `at` is the request's instant as ISO 8601, amounts are plain decimal strings. Raises what the broker raises.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def place(self, *, at: str, **order: Any) -> Json:
        """Takes what `arguments_of` makes of a request, and answers the order. One of the same client order id may be
        there, placed as one that reduces a position or not: it is the same order all the same, which the broker alone
        would not say."""
        request = _request(order)
        known = self._broker.order_by_client_id(request.client_order_id)
        if known is not None:
            return _same(known, request)
        return self._broker.place(request, at=datetime.fromisoformat(at)).to_json()

    async def place_async(self, *, at: str, **order: Any) -> Json:
        request = _request(order)
        known = await self._broker.order_by_client_id_async(request.client_order_id)
        if known is not None:
            return _same(known, request)
        return (await self._broker.place_async(request, at=datetime.fromisoformat(at))).to_json()

    def cancel(self, *, order_id: str, at: str) -> Json:
        return self._broker.cancel(order_id, at=datetime.fromisoformat(at)).to_json()

    async def cancel_async(self, *, order_id: str, at: str) -> Json:
        return (await self._broker.cancel_async(order_id, at=datetime.fromisoformat(at))).to_json()

    def order(self, *, order_id: str) -> Json:
        return self._broker.order(order_id).to_json()

    async def order_async(self, *, order_id: str) -> Json:
        return (await self._broker.order_async(order_id)).to_json()

    def order_by_client_id(self, *, client_order_id: str) -> Json | None:
        return _json_or_none(self._broker.order_by_client_id(client_order_id))

    async def order_by_client_id_async(self, *, client_order_id: str) -> Json | None:
        return _json_or_none(await self._broker.order_by_client_id_async(client_order_id))

    def orders(self, *, status: OrderStatus | None, symbol: str | None, limit: int) -> list[Json]:
        """The newest first."""
        return _list_of(self._broker.orders(OrdersQuery(status=status, symbol=symbol, limit=limit)))

    async def orders_async(self, *, status: OrderStatus | None, symbol: str | None, limit: int) -> list[Json]:
        return _list_of(await self._broker.orders_async(OrdersQuery(status=status, symbol=symbol, limit=limit)))

    def balances(self, *, at: str) -> list[Json]:
        return _list_of(self._broker.balances(at=datetime.fromisoformat(at)))

    async def balances_async(self, *, at: str) -> list[Json]:
        return _list_of(await self._broker.balances_async(at=datetime.fromisoformat(at)))

    def positions(self, *, at: str) -> list[Json]:
        return _list_of(self._broker.positions(at=datetime.fromisoformat(at)))

    async def positions_async(self, *, at: str) -> list[Json]:
        return _list_of(await self._broker.positions_async(at=datetime.fromisoformat(at)))

    def reduces(self, *, symbol: str, side: OrderSide, quantity: str, at: str) -> bool:
        """Whether an order of this quantity would do nothing but reduce a position, as it is now."""
        return _reduces(self._broker.positions(at=datetime.fromisoformat(at)), symbol, side, quantity)

    async def reduces_async(self, *, symbol: str, side: OrderSide, quantity: str, at: str) -> bool:
        return _reduces(await self._broker.positions_async(at=datetime.fromisoformat(at)), symbol, side, quantity)

    def settles_after_seconds(self) -> float:
        """As the broker's."""
        return self._broker.settles_after_seconds

    def close(self) -> None:
        self._broker.close()


def arguments_of(request: OrderRequest) -> Json:
    """A request as `place` takes it."""
    return {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side,
        "type": request.type,
        "quantity": plain_decimal(request.quantity),
        "price": None if request.price is None else plain_decimal(request.price),
        "reduces": request.reduces,
    }


def is_for(order: Mapping[str, Any], request: OrderRequest) -> bool:
    """Whether the order, as JSON, is what was asked for. Amounts are compared by value; whether the order reduces a
    position isn't compared: the same words may do so at one time, and not at another."""
    price = order["price"]
    return (
        (order["symbol"], order["side"], order["type"]) == (request.symbol, request.side, request.type)
        and Decimal(order["quantity"]) == request.quantity
        and (None if price is None else Decimal(price)) == request.price
    )


def _request(order: Mapping[str, Any]) -> OrderRequest:
    price: str | None = order["price"]
    side: OrderSide = order["side"]
    kind: OrderType = order["type"]
    return OrderRequest(
        client_order_id=order["client_order_id"],
        symbol=order["symbol"],
        side=side,
        type=kind,
        quantity=Decimal(order["quantity"]),
        price=None if price is None else Decimal(price),
        reduces=order["reduces"],
    )


def _same(order: Order, request: OrderRequest) -> Json:
    known = order.to_json()
    if not is_for(known, request):
        raise ClientOrderIdReused(request.client_order_id)
    return known


def _json_or_none(order: Order | None) -> Json | None:
    return None if order is None else order.to_json()


def _list_of(found: Iterable[Order | Balance | Position]) -> list[Json]:
    return [each.to_json() for each in found]


def _reduces(positions: Iterable[Position], symbol: str, side: OrderSide, quantity: str) -> bool:
    closes = "long" if side == "sell" else "short"
    return any(
        position.symbol == symbol and position.side == closes and Decimal(quantity) <= position.quantity
        for position in positions
    )
