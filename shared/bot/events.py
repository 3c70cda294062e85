"""What a bot tells of itself while it runs: what it traded, and what it didn't and why."""

from datetime import datetime
from typing import Literal, NamedTuple

from shared.bot.state import Intent
from shared.broker.base import Order


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
