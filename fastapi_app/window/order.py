"""What a trade, a permit or a question is about."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from shared.fields import validated
from shared.window import Permit
from shared.wire import TradeRequest
from shared.wire_fields import ExactDecimal, Side, Strategy, Symbol, plain_decimal

Reduces = Annotated[
    bool,
    Field(
        description="true or false: whether the order only reduces a position, which no hours, limits or cooldown "
        "refuse, and which takes no slot"
    ),
]


class OrderRequest(BaseModel):
    """An order that is to be judged, or to get a permit; what isn't known yet is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    symbol: Annotated[Symbol | None, Field(description="a symbol such as BTC-USD")] = None
    side: Annotated[Side | None, Field(description='"buy" or "sell"')] = None
    quantity: Annotated[ExactDecimal | None, Field(description="a decimal greater than 0")] = None
    price: Annotated[ExactDecimal | None, Field(description="a decimal greater than 0")] = None
    strategy: Strategy = None
    reduces: Reduces = False


class ReducibleTradeRequest(TradeRequest):
    """A trade to register, which may be one that only reduced a position."""

    reduces: Reduces = False


class Order(NamedTuple):
    """The facts of an order by which rules judge and entries are written; decimals as plain strings."""

    symbol: str | None = None
    side: str | None = None
    quantity: str | None = None
    price: str | None = None
    strategy: str | None = None
    reduces: bool = False

    @classmethod
    def of(cls, request: OrderRequest | TradeRequest | Mapping[str, Any] | None) -> "Order":
        """Raises InvalidField for a mapping with a wrong field."""
        if request is None:
            return _UNKNOWN
        if isinstance(request, Mapping):
            request = validated(OrderRequest, request)
        return cls(
            symbol=request.symbol,
            side=request.side,
            quantity=_plain(request.quantity),
            price=_plain(request.price),
            strategy=request.strategy,
            reduces=getattr(request, "reduces", False),
        )

    @classmethod
    def of_permit(cls, permit: Permit) -> "Order":
        return cls(
            permit["symbol"],
            permit["side"],
            permit["quantity"],
            permit["price"],
            permit["strategy"],
            permit["reduces"],
        )


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain_decimal(value)


_UNKNOWN = Order()
