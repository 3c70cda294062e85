"""Recorded candles through the real engine, window, store and paper broker; the candle's close is the clock.

The same candles and settings leave the same orders, ledger and balances, also when the run is killed and begun again on
the same file: ids are named after the orders, and these after the candles.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi_app.bot.desk import OrderDesk
from fastapi_app.bot.engine import BotEngine
from fastapi_app.bot.memory import BotMemory
from fastapi_app.trading_window_async import get_trading_window_async
from shared.bot.events import Event
from shared.bot.lease import taken
from shared.bot.notifier import NoNotifier
from shared.bot.order_ids import OrderIds
from shared.bot.store.base import BotStore
from shared.bot.store.memory import MemoryBotStore
from shared.bot.store.sqlite import SQLiteBotStore
from shared.bot.strategy_set import StrategySet
from shared.broker.base import OrdersQuery
from shared.broker.books import Books
from shared.broker.memory_books import MemoryBooks
from shared.broker.opening import new_account, rules_of
from shared.broker.paper import PaperBroker
from shared.broker.sqlite_books import SQLiteBooks
from shared.candle import Candle
from shared.clock import FrozenClock
from shared.market_prices import LastPrices
from shared.settings import BotSettings, BrokerSettings
from shared.store.base import LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.strategies.registry import StrategyRegistry
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig

SAVE_EVERY = 1_000
"""After how many candles in which nothing happens a replay is saved: so many are taken in again after a kill."""

_HOLDER = "replay"
_ACCOUNT = "paper money at recorded prices"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALL = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ReplayStores:
    """Where a replay leaves what it does. A file is the replay's own: never the one that a server trades on."""

    windows: Store
    books: Books
    bot: BotStore

    @classmethod
    def in_memory(cls, broker: BrokerSettings) -> "ReplayStores":
        return cls(windows=MemoryStore(), books=MemoryBooks(new_account(broker)), bot=MemoryBotStore())

    @classmethod
    def in_file(cls, path: Path, broker: BrokerSettings) -> "ReplayStores":
        return cls(windows=SQLiteStore(path), books=SQLiteBooks(path, new_account(broker)), bot=SQLiteBotStore(path))

    def close(self) -> None:
        self.windows.close()
        self.books.close()
        self.bot.close()


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What is there at the end, oldest first, as JSON values. `counts` says how often what was traded or refused, by
    code; `candles` how many were taken in by this run."""

    candles: int
    orders: list[dict[str, Any]]
    trades: list[Mapping[str, Any]]
    permits: list[Mapping[str, Any]]
    balances: list[dict[str, Any]]
    positions: list[dict[str, Any]]
    counts: Mapping[str, int]


class Replay:
    """One run, or the rest of one that was killed, on the same stores with the same settings and candles."""

    def __init__(
        self,
        *,
        bot: BotSettings,
        broker: BrokerSettings,
        window: WindowConfig,
        stores: ReplayStores,
        observe: Callable[[Event], None] | None = None,
        registry: StrategyRegistry | None = None,
        save_every: int = SAVE_EVERY,
    ) -> None:
        self._settings = bot
        self._window = window
        self._stores = stores
        self._observe = observe
        self._registry = registry
        self._save_every = save_every
        self._clock = FrozenClock(_EPOCH)
        self._prices = LastPrices()
        self._broker = PaperBroker(prices=self._prices, books=stores.books, rules=rules_of(broker))

    async def run(
        self, candles: Mapping[str, Iterable[Candle]], *, progress: Callable[[int], None] | None = None
    ) -> ReplayResult:
        """`candles` by symbol, each oldest first, in the bot's timeframe. `progress` is told how many candles are taken
        in so far, every `save_every` and at the end."""
        engine = await self._engine()
        length = timedelta(seconds=self._settings.timeframe.seconds)
        rest = await self._past_what_is_done(merged(candles, self._settings.symbols))
        await engine.resume()
        taken_in = 0
        for symbol, candle in rest:
            at = candle.timestamp + length
            self._clock.set(at)
            self._prices.set(symbol, candle.close)
            await engine.on_candle(symbol, candle, at=at)
            taken_in += 1
            if progress is not None and taken_in % self._save_every == 0:
                progress(taken_in)
        await engine.save()
        if progress is not None:
            progress(taken_in)
        return await self._result(taken_in, engine.state.counts)

    async def _engine(self) -> BotEngine:
        await self._stores.bot.change_async(
            taken(_HOLDER, account=_ACCOUNT, at=self._clock.now(), until=self._clock.now())
        )
        ids = OrderIds()
        window = await get_trading_window_async(self._window, store=self._stores.windows, clock=self._clock, ids=ids)
        return BotEngine(
            self._settings,
            strategies=StrategySet(self._settings, self._registry),
            desk=OrderDesk(window, self._broker, ids),
            broker=self._broker,
            memory=BotMemory(self._stores.bot, _HOLDER),
            notifier=NoNotifier(),
            observe=self._observe,
            save_every=self._save_every,
        )

    async def _past_what_is_done(self, candles: Iterator[tuple[str, Candle]]) -> Iterator[tuple[str, Candle]]:
        """The candles that are still to be taken in, with clock and prices as they were when the last one was."""
        done = (await BotMemory(self._stores.bot, _HOLDER).load()).candles
        for symbol, candle in candles:
            if symbol not in done or candle.timestamp > done[symbol]:
                return _again(symbol, candle, candles)
            self._prices.set(symbol, candle.close)
            self._clock.set(candle.timestamp + timedelta(seconds=self._settings.timeframe.seconds))
        return iter(())

    async def _result(self, taken_in: int, counts: Mapping[str, int]) -> ReplayResult:
        at = self._clock.now()
        orders = await self._broker.orders_async(OrdersQuery(limit=_ALL))
        return ReplayResult(
            candles=taken_in,
            orders=[order.to_json() for order in reversed(orders)],
            trades=await self._ledger("trade"),
            permits=await self._ledger("permit"),
            balances=[balance.to_json() for balance in await self._broker.balances_async(at=at)],
            positions=[position.to_json() for position in await self._broker.positions_async(at=at)],
            counts=dict(sorted(counts.items())),
        )

    async def _ledger(self, kind: str) -> list[Mapping[str, Any]]:
        page = await self._stores.windows.ledger_async(DEFAULT_WINDOW_ID, LedgerQuery(kind=kind, limit=_ALL))
        return [entry.data for entry in reversed(page.entries)]


def merged(candles: Mapping[str, Iterable[Candle]], symbols: Iterable[str]) -> Iterator[tuple[str, Candle]]:
    """All symbols' candles by the instant at which they open, and for one instant in the order of the symbols."""

    def numbered(place: int, symbol: str) -> Iterator[tuple[datetime, int, str, Candle]]:
        return ((candle.timestamp, place, symbol, candle) for candle in candles.get(symbol, ()))

    streams = [numbered(place, symbol) for place, symbol in enumerate(symbols)]
    return ((symbol, candle) for _, _, symbol, candle in heapq.merge(*streams))


def _again(symbol: str, candle: Candle, rest: Iterator[tuple[str, Candle]]) -> Iterator[tuple[str, Candle]]:
    yield symbol, candle
    yield from rest
