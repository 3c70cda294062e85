"""Orders and fills between an exchange's words, as ccxt hands them on, and ours."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from shared.broker.base import Order, OrderRequest, OrderStatus
from shared.broker.exchange_fills import ExchangeFill, OrderCosts
from shared.broker.money import EXACT
from shared.errors import ClientOrderIdReused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SHOWN_PRICE = Decimal("0.00000001")

_TAKEN_AS_IT_IS = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
"""What Binance takes for newClientOrderId."""

_ORDER_ID = re.compile(r"([^:]+):([0-9]{1,19})")

_STATUSES: Mapping[str, OrderStatus] = {
    "open": "open",
    "closed": "filled",
    "canceled": "cancelled",
    "canceling": "open",
    "expired": "cancelled",
    "rejected": "rejected",
}

_REDUCES = 1_000_001
"""The strategyType by which Binance gives back that an order only reduces. It has to be 1,000,000 or more."""

_QUANTITY_UNIT = Decimal("0.00000001")
"""What such an order's strategyId counts, a 64-bit number: the quantity that was asked for, not what was there."""


class PlacedId(NamedTuple):
    """An order's id: Binance numbers orders for each symbol by itself."""

    symbol: str
    number: str

    def __str__(self) -> str:
        return f"{self.symbol}:{self.number}"

    @classmethod
    def parsed(cls, order_id: str) -> "PlacedId | None":
        """None for what is no id of an order; Binance's numbers have 63 bits."""
        found = _ORDER_ID.fullmatch(order_id)
        return cls(*found.groups()) if found and int(found[2]) < 1 << 63 else None


def name_at_exchange(client_order_id: str) -> str:
    """The client order id that the exchange is told: the caller's where it takes that, else a digest of it."""
    if _TAKEN_AS_IT_IS.fullmatch(client_order_id):
        return client_order_id
    return f"h-{sha256(client_order_id.encode()).hexdigest()[:34]}"


def parameters_of(request: OrderRequest) -> dict[str, Any]:
    """What is sent with an order beside its amounts: its name and, of one that reduces, what was asked for."""
    sent: dict[str, Any] = {"clientOrderId": name_at_exchange(request.client_order_id)}
    if request.reduces:
        units = EXACT.divide(request.quantity, _QUANTITY_UNIT)
        sent |= {"strategyType": _REDUCES, "strategyId": int(units)}
    return sent


def is_ours(told: Mapping[str, Any]) -> bool:
    """Whether it is an order of a kind that is known here. Others may have been placed by hand: a stop, say, which ccxt
    calls a limit order, too."""
    return told["info"]["type"] in ("MARKET", "LIMIT", "LIMIT_MAKER")


def has_known_status(told: Mapping[str, Any]) -> bool:
    """Not so, say, for one that was placed by hand and waits for another one to be filled."""
    return told["status"] in _STATUSES


def order_of(told: Mapping[str, Any], symbol: str, costs: OrderCosts) -> Order:
    """An order by what the exchange tells of it. The quantity that is filled is the order's own, never a sum of
    reports; `costs` are those of its fills."""
    info, filled = told["info"], told["filled"]
    reduces = info.get("strategyType") == _REDUCES
    return Order(
        id=str(PlacedId(symbol, number_of(told))),
        client_order_id=told["clientOrderId"],
        symbol=symbol,
        side=told["side"],
        type=told["type"],
        quantity=EXACT.multiply(info["strategyId"], _QUANTITY_UNIT) if reduces else told["amount"],
        price=told["price"] if told["type"] == "limit" else None,
        reduces=reduces,
        status=_STATUSES[told["status"]],
        created_at=_instant(told["timestamp"]),
        updated_at=_instant(told["lastUpdateTimestamp"] or told["timestamp"]),
        filled_quantity=filled,
        average_price=average(told["cost"], filled) if filled else None,
        fee=costs.fee,
        realized_pnl=costs.realized_pnl,
    )


def average(cost: Decimal, quantity: Decimal) -> Decimal:
    """To eight digits."""
    return EXACT.divide(cost, quantity).quantize(_SHOWN_PRICE, context=EXACT)


def same(order: Order, request: OrderRequest) -> Order:
    """The order under the caller's own name for it. Raises ClientOrderIdReused where it isn't what is asked for."""
    order = replace(order, client_order_id=request.client_order_id)
    if order.request() != request:
        raise ClientOrderIdReused(request.client_order_id)
    return order


def fills(trades: Iterable[Mapping[str, Any]], market: Mapping[str, Any]) -> Iterable[ExchangeFill]:
    """Commissions by Binance's own words: ccxt (4.5) loses those that aren't binary floats."""
    for trade in trades:
        paid_in, cost = trade["info"]["commissionAsset"], Decimal(trade["info"]["commission"])
        yield ExchangeFill(
            trade_id=int(trade["id"]),
            order_id=trade["order"],
            side=trade["side"],
            quantity=trade["amount"],
            price=trade["price"],
            base_fee=cost if paid_in == market["baseId"] else Decimal(0),
            quote_fee=cost if paid_in == market["quoteId"] else Decimal(0),
        )


def number_of(told: Mapping[str, Any]) -> str:
    """The exchange's own number of an order. ccxt gives the strategyId for it where there is one."""
    return str(told["info"]["orderId"])


def _instant(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
