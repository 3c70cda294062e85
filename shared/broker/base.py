"""The broker's contract: orders, balances and positions as values, and what every broker promises."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol, get_args

from shared.clock import utc_text
from shared.errors import InvalidField
from shared.wire_fields import MAX_DIGITS, plain_decimal

OrderSide = Literal["buy", "sell"]
OrderType = Literal["market", "limit"]
OrderStatus = Literal["open", "filled", "cancelled", "rejected"]
PositionSide = Literal["long", "short"]

_CLIENT_ORDER_ID = re.compile(r"[!-~]{1,255}")
_AMOUNT_RULE = f"a decimal greater than 0 with at most {MAX_DIGITS} digits on either side of the point"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRequest:
    """An order to place. `quantity` is in units of what is traded, `price` in the quote currency per unit.

    `client_order_id` is the caller's own name for the order: placed twice, it is one order. One that `reduces` never
    trades more than the position that it finds. A limit order has a price, a market order has none. Raises
    InvalidField.
    """

    client_order_id: str
    symbol: str
    side: OrderSide
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    reduces: bool = False

    def __post_init__(self) -> None:
        if not _CLIENT_ORDER_ID.fullmatch(self.client_order_id):
            raise InvalidField("client_order_id", self.client_order_id, "1 to 255 visible ASCII characters")
        if self.side not in get_args(OrderSide):
            raise InvalidField("side", self.side, '"buy" or "sell"')
        if self.type not in get_args(OrderType):
            raise InvalidField("type", self.type, '"market" or "limit"')
        if not _is_amount(self.quantity):
            raise InvalidField("quantity", self.quantity, _AMOUNT_RULE)
        if self.type == "market" and self.price is not None:
            raise InvalidField("price", self.price, "expected: a market order has none")
        if self.type == "limit" and (self.price is None or not _is_amount(self.price)):
            raise InvalidField("price", self.price, f"{_AMOUNT_RULE}, which a limit order needs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """An order as it is now. Instants are in UTC; `updated_at` is that of its newest change of status.

    `fee` and `realized_pnl` are in the symbol's quote currency; the profit is before the fee. One that only `reduces`
    may be filled with less than `quantity`: with what there was to reduce. An exchange fills orders in parts: one that
    is open, or was cancelled, may have a part filled. `average_price` is None until something is filled.
    """

    id: str
    client_order_id: str
    symbol: str
    side: OrderSide
    type: OrderType
    quantity: Decimal
    price: Decimal | None
    reduces: bool
    status: OrderStatus
    created_at: datetime
    updated_at: datetime
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    fee: Decimal = Decimal(0)
    realized_pnl: Decimal = Decimal(0)

    def request(self) -> OrderRequest:
        """What was asked for. Equal requests are one order; `1.50` and `1.5` are equal."""
        return OrderRequest(
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            type=self.type,
            quantity=self.quantity,
            price=self.price,
            reduces=self.reduces,
        )

    def to_json(self) -> dict[str, Any]:
        """As the wire shows it: amounts are plain decimal strings, instants ISO 8601 UTC."""
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "quantity": plain_decimal(self.quantity),
            "price": None if self.price is None else plain_decimal(self.price),
            "reduces": self.reduces,
            "status": self.status,
            "filled_quantity": plain_decimal(self.filled_quantity),
            "average_price": None if self.average_price is None else plain_decimal(self.average_price),
            "fee": plain_decimal(self.fee),
            "realized_pnl": plain_decimal(self.realized_pnl),
            "created_at": utc_text(self.created_at),
            "updated_at": utc_text(self.updated_at),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Fill:
    """What was traded for an order at one price. `fee` and `realized_pnl` as in Order."""

    order_id: str
    client_order_id: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    fee: Decimal
    realized_pnl: Decimal
    reduces: bool
    filled_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """Money of one currency: `total` is what would be left if every position were closed at the market's last price,
    fees aside; `available` is what a new order may still take, never below 0."""

    currency: str
    available: Decimal
    total: Decimal

    def to_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "available": plain_decimal(self.available),
            "total": plain_decimal(self.total),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """What is held of a symbol; `quantity` is greater than 0, `side` says which way. The average entry price is
    rounded for showing; what is reckoned with is exact."""

    symbol: str
    side: PositionSide
    quantity: Decimal
    entry_price: Decimal
    unrealized_pnl: Decimal

    def to_json(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol,
            "side": self.side,
            "quantity": plain_decimal(self.quantity),
            "entry_price": plain_decimal(self.entry_price),
            "unrealized_pnl": plain_decimal(self.unrealized_pnl),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class OrdersQuery:
    """Which orders to list, newest first: at most `limit`."""

    status: OrderStatus | None = None
    symbol: str | None = None
    limit: int = 50


class Quote(NamedTuple):
    """The market's prices at an instant: what a sale gets, what a purchase pays, what was traded last."""

    bid: Decimal
    ask: Decimal
    last: Decimal


class PriceSource(Protocol):
    """Where a paper broker learns prices. Raises UnknownSymbol, and what its market raises."""

    def quote(self, symbol: str, at: datetime) -> Quote: ...

    async def quote_async(self, symbol: str, at: datetime) -> Quote: ...


class CandleLike(Protocol):
    """What a paper broker reads of a candle. `timestamp` is the instant at which it opens."""

    @property
    def timestamp(self) -> datetime: ...
    @property
    def high(self) -> Decimal: ...
    @property
    def low(self) -> Decimal: ...
    @property
    def close(self) -> Decimal: ...


class Broker(Protocol):
    """Orders, balances and positions. Each method has two faces on one engine: called, it blocks its thread; with
    `_async`, it is awaited. All of them may be called from any thread. `at` is the instant of the call, aware.

    A change that was answered is durable. Every method raises StoreUnavailable when what the broker keeps can't be
    had, or ExchangeUnavailable and ExchangeRefused where an exchange keeps it, and then nothing has changed.
    """

    @property
    def settles_after_seconds(self) -> float:
        """How long after the instant at which somebody decided on an order it may still come in: that the broker
        doesn't know it says nothing before."""
        ...

    def place(self, request: OrderRequest, *, at: datetime) -> Order:
        """Places the order, once: a client order id that is known, with an equal request, gives that order as it is
        now. Raises ClientOrderIdReused for an unequal one, and UnknownSymbol, InsufficientBalance, NothingToReduce
        and TooManyOpenOrders for an order that was refused: it leaves nothing, and its client order id is free.

        An exchange's broker raises InvalidField, too, for amounts that the market can't take; and OutcomeUnknown where
        the order was sent and nobody knows what came of it: `order_by_client_id` tells. It isn't sent again."""
        ...

    async def place_async(self, request: OrderRequest, *, at: datetime) -> Order: ...

    def cancel(self, order_id: str, *, at: datetime) -> Order:
        """Raises UnknownOrder, and OrderClosed for an order that is not open any more. An exchange's broker raises
        OutcomeUnknown, too, where the order may be cancelled yet."""
        ...

    async def cancel_async(self, order_id: str, *, at: datetime) -> Order: ...

    def order(self, order_id: str) -> Order:
        """Raises UnknownOrder."""
        ...

    async def order_async(self, order_id: str) -> Order: ...

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        """None says that no order was placed under this id. An exchange's broker raises OutcomeUnknown while one that
        it has sent isn't there and may still come in; what another process sent, it can't know."""
        ...

    async def order_by_client_id_async(self, client_order_id: str) -> Order | None: ...

    def orders(self, query: OrdersQuery) -> tuple[Order, ...]: ...

    async def orders_async(self, query: OrdersQuery) -> tuple[Order, ...]: ...

    def balances(self, *, at: datetime) -> tuple[Balance, ...]:
        """By currency, in the order of their names."""
        ...

    async def balances_async(self, *, at: datetime) -> tuple[Balance, ...]: ...

    def positions(self, *, at: datetime) -> tuple[Position, ...]:
        """Those that are open, in the order of their symbols."""
        ...

    async def positions_async(self, *, at: datetime) -> tuple[Position, ...]: ...

    def close(self) -> None:
        """Lets go of files and threads. A closed broker opens again when used."""
        ...


def given_up_after(in_doubt_after_seconds: float, settles_after_seconds: float) -> timedelta:
    """How long an order that the broker doesn't know is waited for: as long as the window's config says, and as the
    broker's orders may take to come in."""
    return timedelta(seconds=max(in_doubt_after_seconds, settles_after_seconds))


def _is_amount(value: Decimal) -> bool:
    if not value.is_finite() or value <= 0:
        return False
    return value.adjusted() < MAX_DIGITS and int(value.as_tuple().exponent) >= -MAX_DIGITS
