"""What a bot needs of a broker beside orders and balances."""

from datetime import datetime
from typing import Protocol

from shared.broker.base import Broker, CandleLike, Fill


class BotBroker(Broker, Protocol):
    """A Broker that is shown each candle; one whose orders are filled elsewhere answers with no fills."""

    def on_candle(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]: ...

    async def on_candle_async(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]: ...
