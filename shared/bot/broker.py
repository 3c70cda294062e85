"""What a bot needs of a broker beside orders and balances."""

from datetime import datetime
from typing import Protocol

from shared.broker.base import Broker, CandleLike, Fill


class BotBroker(Broker, Protocol):
    """A Broker that is shown each candle; one whose orders are filled elsewhere answers with no fills."""

    @property
    def money(self) -> str:
        """Whose money its orders move, in words, such as `paper money`."""
        ...

    @property
    def knows_at_once(self) -> bool:
        """Whether an order that the broker doesn't know is not on its way to it either: it may be placed again. Of an
        exchange nobody can say so who has sent an order and ended before the answer came."""
        ...

    def on_candle(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]: ...

    async def on_candle_async(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]: ...
