"""A bot's engine with everything around it in memory, a candle at a time, and a broker that can be told to fail."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from fastapi_app.bot.desk import OrderDesk
from fastapi_app.bot.engine import BotEngine
from fastapi_app.bot.memory import BotMemory
from fastapi_app.bot.replay import ReplayStores
from fastapi_app.trading_window_async import TradingWindowAsync, get_trading_window_async
from shared.bot.events import Event
from shared.bot.lease import taken
from shared.bot.order_ids import OrderIds
from shared.bot.state import Holding
from shared.bot.strategy_set import StrategySet
from shared.broker.base import Order, OrderRequest, OrdersQuery
from shared.broker.opening import rules_of
from shared.broker.paper import PaperBroker
from shared.candle import Candle
from shared.clock import FrozenClock
from shared.market_prices import LastPrices
from shared.settings import BotSettings, BrokerSettings
from shared.window_config import WindowConfig
from shared.wire import TradesQuery
from tests.fastapi_app.bot.runs import BTC
from tests.fastapi_app.bot.scripted import registry
from tests.shared.strategies.markets import START, spanning

MINUTE = timedelta(minutes=1)
FREE = BrokerSettings(fee_rate=Decimal(0), slippage_rate=Decimal(0))


class TestedBroker(PaperBroker):
    """`before` and `after` are called with each order that is placed, before the account sees it and after."""

    __test__ = False
    before: Callable[[OrderRequest], None] | None = None
    after: Callable[[Order], Order] | None = None

    async def place_async(self, request: OrderRequest, *, at: datetime) -> Order:
        if self.before is not None:
            self.before(request)
        order = await super().place_async(request, at=at)
        return order if self.after is None else self.after(order)


class Messages:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def notify(self, title: str, text: str) -> None:  # noqa: ARG002
        self.texts.append(text)

    async def notify_async(self, title: str, text: str) -> None:
        self.notify(title, text)


class Bench:
    """Use `await Bench.of(...)`. Candles come by `low, high, close`, a minute each, from START on."""

    engine: BotEngine
    window: TradingWindowAsync
    save_every: int

    def __init__(self, strategies: Mapping[str, Mapping[str, Any]], window: WindowConfig, settings: Any) -> None:
        self.settings = BotSettings(strategies={name: dict(script) for name, script in strategies.items()}, **settings)
        self.stores = ReplayStores.in_memory(FREE)
        self.clock = FrozenClock(START)
        self.prices = LastPrices()
        self.broker = TestedBroker(prices=self.prices, books=self.stores.books, rules=rules_of(FREE))
        self.events: list[Event] = []
        self.messages = Messages()
        self.minute = 0
        self._config = window

    @classmethod
    async def of(
        cls,
        strategies: Mapping[str, Mapping[str, Any]],
        *,
        window: WindowConfig | None = None,
        save_every: int = 1,
        **settings: Any,
    ) -> Self:
        bench = cls(strategies, window or WindowConfig(), settings)
        bench.save_every = save_every
        await bench.stores.bot.change_async(taken("bench", account="the bench's", at=START, until=START))
        await bench.restart()
        return bench

    async def restart(self) -> None:
        """Another engine, on what the one before has left."""
        ids = OrderIds()
        self.window = await get_trading_window_async(self._config, store=self.stores.windows, clock=self.clock, ids=ids)
        self.engine = BotEngine(
            self.settings,
            strategies=StrategySet(self.settings, registry()),
            desk=OrderDesk(self.window, self.broker, ids),
            broker=self.broker,
            memory=BotMemory(self.stores.bot, "bench"),
            notifier=self.messages,
            observe=self.events.append,
            save_every=self.save_every,
        )
        await self.engine.resume(self.clock.now())

    async def candle(self, low: str, high: str, close: str) -> None:
        candle = self.next_candle(low, high, close)
        await self.engine.on_candle(BTC, candle, at=self.clock.now())

    async def flat(self, *closes: str) -> None:
        for close in closes:
            await self.candle(close, close, close)

    def next_candle(self, low: str, high: str, close: str) -> Candle:
        """One that is closed now, and isn't given to the engine."""
        (candle,) = spanning((low, high, close))
        candle = candle._replace(timestamp=START + self.minute * MINUTE)
        self.minute += 1
        self.clock.set(candle.timestamp + MINUTE)
        self.prices.set(BTC, candle.close)
        return candle

    def holding(self) -> Holding | None:
        return self.engine.state.holdings.get(BTC)

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.engine.state.counts)

    def orders(self) -> list[tuple[str, Decimal, Decimal]]:
        """Side, quantity and price, oldest first."""
        found = reversed(self.broker.orders(OrdersQuery()))
        return [(order.side, order.filled_quantity, order.average_price or Decimal(0)) for order in found]

    async def trades(self) -> list[tuple[str | None, str | None, bool]]:
        """Side, quantity and whether it reduced, oldest first."""
        found = reversed(await self.window.get_trades(TradesQuery()))
        return [(trade["side"], trade["quantity"], trade.get("reduces", False)) for trade in found]
