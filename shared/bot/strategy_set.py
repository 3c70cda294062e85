"""The strategies of one bot: each of the settings' strategies on each of its symbols."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from shared.bot.decisions import StrategySignal
from shared.candle import Candle
from shared.errors import InvalidField
from shared.settings import BotSettings
from shared.strategies.base import Signal
from shared.strategies.registry import AnyStrategy, StrategyRegistry

logger = logging.getLogger(__name__)


class StrategySet:
    """Raises UnknownStrategy, BrokenStrategy and InvalidField for what the settings name."""

    def __init__(self, settings: BotSettings, registry: StrategyRegistry | None = None) -> None:
        self._settings = settings
        self._registry = registry or StrategyRegistry()
        self._by_symbol = {symbol: self._new() for symbol in settings.symbols}
        strategies = [strategy for each in self._by_symbol.values() for strategy in each]
        self.heavy = any(strategy.heavy for strategy in strategies)
        """Whether one of them is: see Strategy.heavy."""
        self.warm_up = max(strategy.warm_up for strategy in strategies)
        """How many candles pass before each of them can give a signal."""

    def on_candle(self, symbol: str, candle: Candle) -> list[StrategySignal]:
        """The signals, in the order of the settings. A strategy that raises is logged with its cause and gives none:
        neither the others nor the stops wait for it."""
        return self._signals(symbol, lambda strategy: strategy.on_candle(candle))

    def standing(self, symbol: str, candle: Candle) -> list[StrategySignal]:
        """What the strategies would enter for the trends under way at the newest candle that they were given."""
        found = self._signals(symbol, lambda strategy: strategy.standing(candle))
        return [each for each in found if each.signal.action == "enter"]

    def _signals(self, symbol: str, ask: Callable[[AnyStrategy], Signal | None]) -> list[StrategySignal]:
        signals = []
        for strategy in self._by_symbol[symbol]:
            try:
                signal = ask(strategy)
            except Exception:
                logger.exception("the strategy %s failed on a candle of %s", strategy.name, symbol)
                continue
            if signal is not None:
                signals.append(StrategySignal(strategy.name, signal))
        return signals

    def snapshots(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By symbol and name, as JSON values."""
        return {
            symbol: {strategy.name: strategy.snapshot() for strategy in strategies}
            for symbol, strategies in self._by_symbol.items()
        }

    def restore(self, snapshots: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """Goes on where the snapshots were taken. A strategy that has none, or one of other parameters, begins anew."""
        for symbol in self._by_symbol:
            strategies = self._new()
            of_symbol = snapshots.get(symbol, {})
            self._by_symbol[symbol] = tuple(
                self._restored(strategy, of_symbol[strategy.name]) if strategy.name in of_symbol else strategy
                for strategy in strategies
            )

    def _restored(self, strategy: AnyStrategy, snapshot: Mapping[str, Any]) -> AnyStrategy:
        try:
            strategy.restore(snapshot)
        except InvalidField as exc:
            logger.warning("the strategy %s begins anew: %s", strategy.name, exc)
            return self._registry.make(strategy.name, self._settings.strategies[strategy.name])
        return strategy

    def _new(self) -> tuple[AnyStrategy, ...]:
        return tuple(self._registry.make(name, parameters) for name, parameters in self._settings.strategies.items())
