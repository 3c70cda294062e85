"""What a bot tells of itself while it runs: what it traded, and what it didn't and why."""

from datetime import datetime
from typing import Literal, NamedTuple

from shared.bot.state import Intent
from shared.broker.base import Order

ORDER_REFUSED = "ORDER_REFUSED"
"""The code of an intent whose order the broker refused, or that was given up: there is no trade."""


class Event(NamedTuple):
    """`code` is the intent's purpose for a trade, and for a refusal a stable code, the trading window's own or the
    bot's. A refused wish that was no intent yet has none."""

    kind: Literal["traded", "refused"]
    at: datetime
    symbol: str
    strategy: str
    code: str
    text: str
    intent: Intent | None = None
    order: Order | None = None


def told(intent: Intent, order: Order) -> str:
    """A trade, for people."""
    return (
        f"{intent.purpose.replace('_', '-')}: {intent.side} {order.filled_quantity:f} {intent.symbol} at "
        f"{order.average_price:f}, by {intent.strategy}: {intent.reason}"
    )
