"""Several processes that share a market, a broker and the bot's row, without the processes."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from fastapi_app.bot.replay import ReplayStores
from fastapi_app.main_bot_async import TradingBotAsync
from shared.bot.account import account_of
from shared.broker.base import OrdersQuery
from shared.broker.opening import rules_of
from shared.candle import Candle, Timeframe
from shared.clock import FrozenClock
from shared.errors import MarketUnavailable
from shared.market.recorded import RecordedMarket
from shared.market_prices import MarketPrices
from shared.settings import BotSettings
from shared.store.base import LedgerQuery
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.bench import FREE, MINUTE, Messages, TestedBroker
from tests.fastapi_app.bot.runs import BTC, QUICK
from tests.shared.strategies.markets import START, drifting

SETTINGS = BotSettings(strategies=QUICK, join_trend=False, cycle_seconds=0.05, lease_seconds=30)


class Market(RecordedMarket):
    """Recorded candles, and errors where a test wants them."""

    fails = False

    def candles_after(
        self, symbol: str, timeframe: Timeframe, after: datetime | None, limit: int, *, until: datetime | None = None
    ) -> tuple[Candle, ...]:
        if self.fails:
            raise MarketUnavailable("it is closed for the day")
        return super().candles_after(symbol, timeframe, after, limit, until=until)


class World:
    """What bots of several processes share; it starts an hour into drawn candles."""

    def __init__(self) -> None:
        self.clock = FrozenClock(START + timedelta(hours=1))
        self.market = Market({BTC: drifting(21, length=2_000)}, timeframe=Timeframe.MINUTE, source="drawn")
        self.stores = ReplayStores.in_memory(FREE)
        self.broker = TestedBroker(prices=MarketPrices(self.market), books=self.stores.books, rules=rules_of(FREE))
        self.account = account_of(self.market, self.broker)
        self.messages = Messages()
        self.bots: list[TradingBotAsync] = []

    def bot(self, holder: str, settings: BotSettings = SETTINGS) -> TradingBotAsync:
        bot = TradingBotAsync(
            settings,
            market=self.market,
            broker=self.broker,
            windows=self.stores.windows,
            bots=self.stores.bot,
            window=WindowConfig(max_trades_per_day=1_000),
            clock=self.clock,
            notifier=self.messages,
            holder=holder,
        )
        self.bots.append(bot)
        return bot

    def row(self) -> Any:
        return self.stores.bot.read()

    def orders(self) -> int:
        return len(self.broker.orders(OrdersQuery(limit=10_000)))

    async def trades(self) -> int:
        page = await self.stores.windows.ledger_async(DEFAULT_WINDOW_ID, LedgerQuery(kind="trade", limit=10_000))
        return len(page.entries)

    async def minutes(self, number: int, bot: TradingBotAsync) -> None:
        """Lets as many minutes pass, each with a cycle of the bot at least."""
        for _ in range(number):
            self.clock.step(MINUTE)
            expected = (self.clock.now() - MINUTE).isoformat()
            await until(lambda expected=expected: newest(self.row()) >= expected or bot.is_running is False)  # type: ignore[misc]


def newest(row: Any) -> str:
    """When the newest candle that is remembered opened; empty before the first."""
    return "" if row.state is None else str(row.state["candles"].get(BTC, "")).replace("Z", "+00:00")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for lies in a store
            await asyncio.sleep(0.005)
