"""What a backtest is given: all of it, so that a process that knows nothing else can run it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.broker.account import quote_currency
from shared.candle import Candle
from shared.settings import BotSettings, BrokerSettings
from shared.window_config import WindowConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class BacktestJob:
    """One strategy on one symbol, with the settings' risk, fees and slippage, on a paper account of its own.

    `candles` are closed, oldest first. `bot` names the symbol, the timeframe, and the strategy with all its parameters.
    """

    bot: BotSettings
    broker: BrokerSettings
    window: WindowConfig
    candles: tuple[Candle, ...]

    @classmethod
    def of(
        cls,
        bot: BotSettings,
        broker: BrokerSettings,
        window: WindowConfig,
        candles: tuple[Candle, ...],
        *,
        asked: dict[str, Any],
        capital: Decimal,
    ) -> "BacktestJob":
        """`asked` are the keys of the bot's settings that the request names, checked by then. The account begins with
        `capital` in the symbol's quote currency."""
        # It notifies nobody, and the keys in those addresses stay in this process.
        own = {**asked, "notify_urls": None}
        (symbol,) = asked["symbols"]
        account = {"kind": "paper", "balances": {quote_currency(symbol): capital}}
        return cls(
            bot=bot.model_copy(update=own), broker=broker.model_copy(update=account), window=window, candles=candles
        )

    @property
    def symbol(self) -> str:
        (symbol,) = self.bot.symbols
        return symbol

    @property
    def capital(self) -> Decimal:
        (capital,) = self.broker.balances.values()
        return capital

    def __reduce__(self) -> Any:
        """Pickled, its candles are one text: thousands of decimals would hold up every thread of the sender."""
        return _unpacked, (self.bot, self.broker, self.window, _text_of(self.candles))


def _text_of(candles: tuple[Candle, ...]) -> str:
    return "\n".join(f"{candle[0].isoformat()},{','.join(map(str, candle[1:]))}" for candle in candles)


def _unpacked(bot: BotSettings, broker: BrokerSettings, window: WindowConfig, text: str) -> BacktestJob:
    rows = (line.split(",") for line in text.splitlines())
    candles = tuple(Candle(datetime.fromisoformat(opens), *map(Decimal, amounts)) for opens, *amounts in rows)
    return BacktestJob(bot=bot, broker=broker, window=window, candles=candles)
