"""Follows a trend: enters when a fast average of the closes crosses a slow one."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from shared.candle import Candle
from shared.strategies.base import Signal, Strategy, StrategyParameters
from shared.strategies.indicators import Ema

MAX_PERIOD = 1_000

_EQUAL = 1e-10
"""Averages that are closer than this part of the slow one are equal: in a flat market they differ by rounding alone."""


class EmaCrossoverParameters(StrategyParameters):
    """The periods of both averages, in candles."""

    fast: Annotated[int, Field(ge=1, le=MAX_PERIOD, description=f"a whole number from 1 to {MAX_PERIOD}")] = 12
    slow: Annotated[
        int,
        Field(
            le=MAX_PERIOD,
            validate_default=True,
            description=f"a whole number greater than fast, and at most {MAX_PERIOD}",
        ),
    ] = 26

    @field_validator("slow")
    @classmethod
    def _slower_than_fast(cls, slow: int, info: ValidationInfo) -> int:
        if slow <= info.data.get("fast", 0):
            raise ValueError("not slower than fast")
        return slow


class EmaCrossover(Strategy[EmaCrossoverParameters]):
    """Up when the fast EMA of the closes gets above the slow one, down when it gets below.

    Where they are equal, the last side counts on, so a touch is no crossing. The first candle on which both averages
    have a value says which is above, and gives no signal.
    """

    name = "ema_crossover"
    parameters_class = EmaCrossoverParameters

    def __init__(self, parameters: EmaCrossoverParameters) -> None:
        super().__init__(parameters)
        self._fast = Ema(parameters.fast)
        self._slow = Ema(parameters.slow)
        self._side: int | None = None  # of the fast one: 1 above, -1 below, 0 equal from the start, None not known yet

    @property
    def warm_up(self) -> int:
        return self.parameters.slow

    def step(self, candle: Candle) -> Signal | None:
        close = float(candle.close)
        fast = self._fast.update(close)
        slow = self._slow.update(close)
        if fast is None or slow is None:
            return None
        apart = fast - slow
        before = self._side
        if abs(apart) <= _EQUAL * slow:
            if before is None:
                self._side = 0
            return None
        self._side = side = 1 if apart > 0 else -1
        if before is None or before == side:
            return None
        turned, verb = (self.turned_up, "above") if side > 0 else (self.turned_down, "below")
        periods = self.parameters
        return turned(
            candle, f"the EMA of {periods.fast} ({fast:.10g}) went {verb} the EMA of {periods.slow} ({slow:.10g})"
        )

    def standing(self, candle: Candle) -> Signal | None:
        if not self._side:
            return None
        turned, verb = (self.turned_up, "above") if self._side > 0 else (self.turned_down, "below")
        periods = self.parameters
        return turned(candle, f"the EMA of {periods.fast} is {verb} the EMA of {periods.slow}")

    def state(self) -> dict[str, Any]:
        return {"fast": self._fast.state(), "slow": self._slow.state(), "side": self._side}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._fast.set_state(state["fast"])
        self._slow.set_state(state["slow"])
        self._side = state["side"]
