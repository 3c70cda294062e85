"""Backtests as a service behind the ports: JSON in, JSON out, as the wire shows it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from shared.backtest.job import BacktestJob
from shared.backtest.processes import Run
from shared.candle import Candle, Timeframe
from shared.errors import ConfigBeyondLegacy, InvalidField
from shared.market.base import Market
from shared.settings import Settings
from shared.strategies.registry import StrategyRegistry
from shared.window_config import WindowConfig


class Runner(Protocol):
    """Who runs a backtest, away from the caller's event loop."""

    def run(self, run: Run, job: BacktestJob) -> dict[str, Any]: ...

    async def run_async(self, run: Run, job: BacktestJob) -> dict[str, Any]: ...

    def close(self) -> None: ...


class BacktestService:
    """`run` is the bot that does it: the new one's, or the old one's where the old side runs alone. The old one doesn't
    know all rules of a window, and then `knows_all_rules` is false."""

    def __init__(
        self,
        settings: Settings,
        market: Market,
        runner: Runner,
        run: Run,
        *,
        knows_all_rules: bool = True,
        registry: StrategyRegistry | None = None,
    ) -> None:
        self._settings = settings
        self._market = market
        self._runner = runner
        self._run = run
        self._knows_all_rules = knows_all_rules
        self._registry = registry or StrategyRegistry()

    def strategies(self) -> dict[str, Any]:
        return {"strategies": self._registry.listed()}

    async def strategies_async(self) -> dict[str, Any]:
        # The first time plug-ins are imported.
        return await asyncio.to_thread(self.strategies)

    def run(
        self,
        *,
        strategy: str,
        symbol: str,
        timeframe: str,
        parameters: Mapping[str, Any],
        initial_capital: str,
        window: Mapping[str, Any],
        at: str,
    ) -> dict[str, Any]:
        """A backtest over the newest candles that are closed at `at`, in a window of this config; the same for the same
        candles and settings.

        Raises UnknownStrategy, BrokenStrategy, InvalidField for a parameter, ConfigBeyondLegacy, UnknownSymbol,
        MarketUnavailable, TooManyBacktests, BacktestTooLong and BacktestFailed.
        """
        asked = self._asked(strategy, symbol, timeframe, parameters)
        rules = self._rules(window)
        instant = datetime.fromisoformat(at)
        candles = self._market.candles(symbol, Timeframe(timeframe), self._settings.backtest.candles, at=instant)
        return self._runner.run(self._run, self._job(asked, rules, candles, initial_capital))

    async def run_async(
        self,
        *,
        strategy: str,
        symbol: str,
        timeframe: str,
        parameters: Mapping[str, Any],
        initial_capital: str,
        window: Mapping[str, Any],
        at: str,
    ) -> dict[str, Any]:
        """As `run`. Cancelled, it ends the process that runs the backtest."""
        asked = await asyncio.to_thread(self._asked, strategy, symbol, timeframe, parameters)
        rules = self._rules(window)
        instant = datetime.fromisoformat(at)
        # Off the loop: of a market in memory, so many candles are no quick answer.
        candles = await asyncio.to_thread(
            self._market.candles, symbol, Timeframe(timeframe), self._settings.backtest.candles, at=instant
        )
        return await self._runner.run_async(self._run, self._job(asked, rules, candles, initial_capital))

    def close(self) -> None:
        self._runner.close()

    def _asked(self, strategy: str, symbol: str, timeframe: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of the bot's settings that a request names."""
        try:
            made = self._registry.make(strategy, parameters)
        except InvalidField as exc:
            if exc.field == "strategy":
                raise
            raise InvalidField(f"parameters.{exc.field}", exc.value, exc.rule) from exc
        whole = made.parameters.model_dump(mode="json")
        return {"symbols": [symbol], "timeframe": Timeframe(timeframe), "strategies": {strategy: whole}}

    def _rules(self, window: Mapping[str, Any]) -> WindowConfig:
        config = WindowConfig.parse(window)
        if config.beyond_legacy and not self._knows_all_rules:
            raise ConfigBeyondLegacy(config.beyond_legacy)
        return config

    def _job(
        self, asked: dict[str, Any], rules: WindowConfig, candles: tuple[Candle, ...], initial_capital: str
    ) -> BacktestJob:
        settings = self._settings
        return BacktestJob.of(
            settings.bot, settings.broker, rules, candles, asked=asked, capital=Decimal(initial_capital)
        )
