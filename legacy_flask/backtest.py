"""A backtest by the old bot: candles of the past, one after the other, on stores in memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

from legacy_flask.main_bot import TradingBot
from shared.backtest.job import BacktestJob
from shared.backtest.result import EquityCurve, result_of
from shared.bot.events import Event
from shared.bot.notifier import NoNotifier
from shared.bot.store.memory import MemoryBotStore
from shared.broker.opening import broker_in_memory
from shared.clock import FrozenClock
from shared.market.recorded import RecordedMarket
from shared.market_prices import LastPrices
from shared.store.memory import MemoryStore
from shared.window import DEFAULT_WINDOW_ID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run_backtest(job: BacktestJob) -> dict[str, Any]:
    """The result as the wire shows it; the same as the new bot's, but for rules that the old window doesn't know."""
    clock, prices, windows = FrozenClock(_EPOCH), LastPrices(), MemoryStore()
    windows.create(DEFAULT_WINDOW_ID, job.window)
    broker = broker_in_memory(job.broker, prices)
    events: list[Event] = []
    curve = EquityCurve(job)
    bot = TradingBot(
        job.bot,
        market=RecordedMarket({job.symbol: job.candles}, timeframe=job.bot.timeframe, source="backtest"),
        broker=broker,
        windows=windows,
        bots=MemoryBotStore(),
        clock=clock,
        notifier=NoNotifier(),
        observe=events.append,
    )
    bot.start()
    length = timedelta(seconds=job.bot.timeframe.seconds)
    for candle in curve.watch(job.candles, lambda at: broker.balances(at=at)):
        at = candle.timestamp + length
        clock.set(at)
        prices.set(job.symbol, candle.close)
        bot.on_candle(job.symbol, candle, at=at)
    return result_of(job, events, curve)
