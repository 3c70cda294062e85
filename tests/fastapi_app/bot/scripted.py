"""Strategies that do at which minute what a test says."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import EntryPoint
from typing import Annotated, Any, ClassVar

from pydantic import Field

from shared.candle import Candle
from shared.strategies.base import Signal, Strategy, StrategyParameters
from shared.strategies.registry import GROUP, StrategyRegistry
from tests.shared.strategies.markets import START

Minutes = Annotated[tuple[int, ...], Field(strict=False, description="a list of minutes")]


class Script(StrategyParameters):
    up: Minutes = ()
    down: Minutes = ()
    fails: Minutes = ()


class Scripted(Strategy[Script]):
    name = "scripted"
    parameters_class = Script

    @property
    def warm_up(self) -> int:
        return 0

    def step(self, candle: Candle) -> Signal | None:
        minute = (candle.timestamp - START) // timedelta(minutes=1)
        if minute in self.parameters.fails:
            raise RuntimeError("as the script says")
        if minute in self.parameters.up:
            return self.turned_up(candle, "the script says up")
        return self.turned_down(candle, "the script says down") if minute in self.parameters.down else None

    def state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """There is none."""


class Second(Scripted):
    name = "second"


class Heavy(Scripted):
    """Notes in which threads it was asked."""

    name = "heavy"
    heavy = True
    threads: ClassVar[set[int]] = set()

    def step(self, candle: Candle) -> Signal | None:
        self.threads.add(threading.get_ident())
        return super().step(candle)


class Nonsense(Scripted):
    """Its `up` gives a word for a signal, and its `down` a signal of a direction that there isn't."""

    name = "nonsense"

    def step(self, candle: Candle) -> Any:
        given = super().step(candle)
        if given is None or given.direction == "long":
            return given and "buy"
        wrong: Any = "Long"
        return replace(given, direction=wrong)


class Changed(Scripted):
    """A release of it that doesn't understand what the one before has saved."""

    name = "changed"

    def set_state(self, state: Mapping[str, Any]) -> None:  # noqa: ARG002
        raise AttributeError("'NoneType' object has no attribute 'items'")


def registry(
    strategies: Iterable[type[Scripted]] = (Scripted, Second, Heavy, Nonsense, Changed),
) -> StrategyRegistry:
    return StrategyRegistry(
        EntryPoint(name=each.name, value=f"{each.__module__}:{each.__qualname__}", group=GROUP) for each in strategies
    )
