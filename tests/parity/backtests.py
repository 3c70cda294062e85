"""Backtests of a world: run by the bot itself, in this process."""

import asyncio
from typing import Any

from fastapi_app.bot.backtest import run_backtest
from shared.backtest.job import BacktestJob
from shared.backtest.processes import Run
from shared.backtest.service import BacktestService
from shared.market.base import Market
from shared.settings import BacktestSettings, Settings

SETTINGS = Settings(backtest=BacktestSettings(candles=20))


class InThisProcess:
    """A Runner without processes, and without bounds."""

    def run(self, run: Run, job: BacktestJob) -> dict[str, Any]:
        return run(job)

    async def run_async(self, run: Run, job: BacktestJob) -> dict[str, Any]:
        return await asyncio.to_thread(run, job)

    def close(self) -> None:
        pass


def backtests(market: Market, run: Run = run_backtest, *, knows_all_rules: bool = True) -> BacktestService:
    """Over the market's newest twenty candles."""
    return BacktestService(SETTINGS, market, InThisProcess(), run, knows_all_rules=knows_all_rules)
