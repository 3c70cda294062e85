"""The recorded minutes of January 2022 through the real bot, with each strategy; skipped where they are absent."""

import random

import pytest

from fastapi_app.bot.replay import ReplayStores
from shared.settings import BotSettings
from tests.fastapi_app.bot.runs import BROKER, OFFICE_HOURS, Countdown, Killed, check_books, mortal, replayed, told
from tests.shared.strategies.markets import recorded

KILLS = 10


@pytest.mark.parametrize("strategy", ["ema_crossover", "rsi", "fair_value_gap"])
async def test_a_month_of_minutes(strategy: str) -> None:
    candles = recorded()
    bot = BotSettings(strategies={strategy: {}})
    result = await replayed(candles, bot=bot, save_every=1_000)
    assert result.candles == 45_031
    check_books(result, window=OFFICE_HOURS)
    assert len(result.orders) > 200
    assert result.counts["OUTSIDE_HOURS"] > 100
    assert result.counts["DAILY_LIMIT"] > 10

    stores = ReplayStores.in_memory(BROKER)
    drawn = random.Random(strategy)
    for _ in range(KILLS):
        with pytest.raises(Killed):
            await replayed(candles, bot=bot, stores=mortal(stores, Countdown(drawn.randrange(200))), save_every=1_000)
    again = await replayed(candles, bot=bot, stores=stores, save_every=1_000)
    assert told(again) == told(result)
