"""Both bots on the same candles and settings leave the same orders, trades, permits and balances."""

import asyncio
import heapq
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from fastapi_app.bot.replay import ReplayStores
from fastapi_app.main_bot_async import TradingBotAsync
from legacy_flask.main_bot import TradingBot
from shared.broker.base import OrdersQuery
from shared.broker.opening import rules_of
from shared.broker.paper import PaperBroker
from shared.candle import Candle, Timeframe
from shared.clock import FrozenClock
from shared.market.recorded import RecordedMarket
from shared.market_prices import LastPrices, MarketPrices
from shared.settings import BotSettings
from shared.store.base import LedgerQuery
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.runs import BROKER, BTC, OFFICE_HOURS, QUICK, replayed, told
from tests.shared.strategies.markets import START, drifting, recorded

ETH = "ETH-USD"
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("bot", "window"),
    [
        (BotSettings(strategies=QUICK), OFFICE_HOURS),
        (BotSettings(strategies=QUICK, stop_loss=Decimal("0.002"), take_profit=Decimal("0.003")), WindowConfig()),
        (
            BotSettings(
                symbols=[ETH, BTC],
                strategies={**QUICK, "rsi": {"period": 3}},
                stop_loss=Decimal("0.01"),
                risk_per_trade=Decimal("0.1"),
                max_open_positions=2,
                max_daily_loss=Decimal("0.01"),
            ),
            WindowConfig(max_trades_per_day=1_000),
        ),
    ],
    ids=["office hours", "tight stops", "two symbols and strategies"],
)
async def test_both_bots_leave_the_same_on_drawn_candles(bot: BotSettings, window: WindowConfig) -> None:
    candles = {symbol: drifting(place + 11, length=4_000) for place, symbol in enumerate(bot.symbols)}
    expected = told(await replayed(candles, bot=bot, window=window))
    assert len(expected["orders"]) >= 10
    assert old_run(candles, bot=bot, window=window) == expected


@pytest.mark.parametrize("strategy", ["ema_crossover", "fair_value_gap", "rsi"])
async def test_both_bots_leave_the_same_on_recorded_candles(strategy: str) -> None:
    candles = {BTC: recorded()[:15_000]}
    bot = BotSettings(strategies={strategy: {}})
    expected = told(await replayed(candles, bot=bot))
    assert len(expected["orders"]) > 50
    assert old_run(candles, bot=bot, window=OFFICE_HOURS) == expected


async def test_both_bots_enter_the_same_trend_at_their_first_start() -> None:
    settings = BotSettings(strategies={**QUICK, "rsi": {}}, cycle_seconds=0.05)
    left = []
    for kind in (TradingBot, TradingBotAsync):
        stores = ReplayStores.in_memory(BROKER)
        stores.windows.create(DEFAULT_WINDOW_ID, OFFICE_HOURS)
        clock = FrozenClock(START + timedelta(hours=9))
        market = RecordedMarket({BTC: drifting(21, length=2_000)}, timeframe=Timeframe.MINUTE, source="drawn")
        broker = PaperBroker(prices=MarketPrices(market), books=stores.books, rules=rules_of(BROKER))
        bot = kind(settings, market=market, broker=broker, windows=stores.windows, bots=stores.bot, clock=clock)
        if isinstance(bot, TradingBot):
            bot.start()
            bot.cycle()
        else:
            await bot.start()
            while stores.bot.read().last_cycle is None:  # noqa: ASYNC110 - what is waited for lies in a store
                await asyncio.sleep(0.005)
            await bot.stop()
        orders = [each.to_json() for each in broker.orders(OrdersQuery())]
        left.append((orders, ledger(stores, "trade"), ledger(stores, "permit")))
    old, new = left
    assert len(old[0]) == len(old[1]) == 1
    assert new == old


def old_run(candles: Mapping[str, Sequence[Candle]], *, bot: BotSettings, window: WindowConfig) -> dict[str, Any]:
    """What the old bot leaves, shown every candle at its close."""
    stores = ReplayStores.in_memory(BROKER)
    stores.windows.create(DEFAULT_WINDOW_ID, window)
    clock, prices = FrozenClock(START), LastPrices()
    broker = PaperBroker(prices=prices, books=stores.books, rules=rules_of(BROKER))
    market = RecordedMarket(candles, timeframe=Timeframe.MINUTE, source="drawn")
    old = TradingBot(bot, market=market, broker=broker, windows=stores.windows, bots=stores.bot, clock=clock)
    old.start()
    order = {symbol: place for place, symbol in enumerate(bot.symbols)}
    for _, _, symbol, candle in heapq.merge(
        *([(candle.timestamp, order[symbol], symbol, candle) for candle in candles[symbol]] for symbol in candles)
    ):
        clock.set(candle.timestamp + MINUTE)
        prices.set(symbol, candle.close)
        old.on_candle(symbol, candle, at=clock.now())
    return {
        "orders": [each.to_json() for each in reversed(broker.orders(OrdersQuery(limit=100_000)))],
        "trades": ledger(stores, "trade"),
        "permits": ledger(stores, "permit"),
        "balances": [balance.to_json() for balance in broker.balances(at=clock.now())],
        "positions": [position.to_json() for position in broker.positions(at=clock.now())],
        "counts": dict(sorted(old.state.counts.items())),
    }


def ledger(stores: ReplayStores, kind: str) -> list[Mapping[str, Any]]:
    page = stores.windows.ledger(DEFAULT_WINDOW_ID, LedgerQuery(kind=kind, limit=100_000))
    return [entry.data for entry in reversed(page.entries)]
