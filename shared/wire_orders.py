"""The wire of the broker's routes: what they take, and the models of their answers."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from shared.broker.base import OrderRequest
from shared.store.base import IdempotencyKey
from shared.wire import read_query, read_request
from shared.wire_fields import MAX_DIGITS, ExactDecimal, QueryLimit, QuerySymbol, Side, Symbol

PLACE_ORDER = "POST /api/orders"
"""The endpoint under which the idempotency keys of orders are kept, whichever side takes them."""

_PRICE_RULE = (
    f"a decimal greater than 0 with at most {MAX_DIGITS} digits on either side of the point, "
    "which a limit order needs and a market order can't have"
)
_STATUS_RULE = '"open", "filled", "cancelled" or "rejected"'


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NewOrder(_Request):
    """An order to place."""

    symbol: Symbol
    side: Side
    type: Annotated[Literal["market", "limit"], Field(description='"market" or "limit"')]
    quantity: ExactDecimal
    price: Annotated[ExactDecimal | None, Field(description=_PRICE_RULE, validate_default=True)] = None

    @field_validator("price")
    @classmethod
    def _fits_the_type(cls, price: ExactDecimal | None, others: ValidationInfo) -> ExactDecimal | None:
        kind = others.data.get("type")
        if kind is not None and (kind == "limit") != (price is not None):
            raise ValueError("a limit order has a price, a market order none")
        return price

    def request(self, client_order_id: str) -> OrderRequest:
        """As the broker takes it; whether it reduces a position remains to be seen."""
        return OrderRequest(
            client_order_id=client_order_id,
            symbol=self.symbol,
            side=self.side,
            type=self.type,
            quantity=self.quantity,
            price=self.price,
        )


class ListedOrders(_Request):
    """Which orders to list, newest first."""

    status: Annotated[Literal["open", "filled", "cancelled", "rejected"] | None, Field(description=_STATUS_RULE)] = None
    symbol: QuerySymbol = None
    limit: QueryLimit = 50


class OrderAnswer(BaseModel):
    """Amounts are plain decimals; `fee` and `realized_pnl` are in the symbol's quote currency, the profit before the
    fee. `average_price` is null until something is filled. One that `reduces` never trades more than a position."""

    id: str
    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    type: Literal["market", "limit"]
    quantity: str
    price: str | None
    reduces: bool
    status: Annotated[Literal["open", "filled", "cancelled", "rejected"], Field(description=_STATUS_RULE)]
    filled_quantity: str
    average_price: str | None
    fee: str
    realized_pnl: str
    created_at: str
    updated_at: str


class OrdersAnswer(BaseModel):
    orders: list[OrderAnswer]
    count: int


class BalanceAnswer(BaseModel):
    """`available` is what a new order may take; `total` what would be left if every position were closed."""

    currency: str
    available: str
    total: str


class BalancesAnswer(BaseModel):
    balances: list[BalanceAnswer]


class PositionAnswer(BaseModel):
    symbol: str
    side: Literal["long", "short"]
    quantity: str
    entry_price: str
    unrealized_pnl: str


class PositionsAnswer(BaseModel):
    positions: list[PositionAnswer]


class InsufficientBalanceAnswer(BaseModel):
    error: str
    currency: str
    needed: str
    available: str


def read_new_order(content_type: str | None, body: bytes) -> NewOrder:
    """Raises UnsupportedMediaType, then MalformedBody, then InvalidField."""
    return read_request(NewOrder, content_type, body)


def read_orders_query(query_string: bytes) -> ListedOrders:
    """Raises InvalidField."""
    return read_query(ListedOrders, query_string)


def client_order_id_of(key: IdempotencyKey) -> str:
    """The name under which the broker gets an order that came with this key: the same, whoever asks, at any time."""
    digest = hashlib.sha256(f"{key.endpoint}\n{key.value}".encode()).hexdigest()
    return f"key-{digest[:24]}"
