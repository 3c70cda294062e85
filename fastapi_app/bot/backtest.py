"""A backtest by the new bot: a replay in memory, of one strategy."""

import asyncio
from collections.abc import Iterator
from typing import Any

from fastapi_app.bot.replay import Replay, ReplayStores
from shared.backtest.job import BacktestJob
from shared.backtest.result import EquityCurve, result_of
from shared.bot.events import Event
from shared.broker.opening import rules_of
from shared.broker.paper import PaperBroker
from shared.candle import Candle
from shared.market_prices import LastPrices


def run_backtest(job: BacktestJob) -> dict[str, Any]:
    """The result as the wire shows it; the same for the same job. Blocks, in a thread without an event loop."""
    stores = ReplayStores.in_memory(job.broker)
    events: list[Event] = []
    curve = EquityCurve(job)
    replay = Replay(bot=job.bot, broker=job.broker, window=job.window, stores=stores, observe=events.append)
    asyncio.run(replay.run({job.symbol: _watched(job, stores, curve)}))
    return result_of(job, events, curve)


def _watched(job: BacktestJob, stores: ReplayStores, curve: EquityCurve) -> Iterator[Candle]:
    """The replay takes in one candle before it asks for the next: so the account is read where it is between two."""
    prices = LastPrices()
    account = PaperBroker(prices=prices, books=stores.books, rules=rules_of(job.broker))
    for candle in curve.watch(job.candles, lambda at: account.balances(at=at)):
        prices.set(job.symbol, candle.close)
        yield candle
