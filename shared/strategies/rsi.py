"""Trades against a move that has gone far: enters when the relative strength index comes back from an extreme."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from shared.candle import Candle
from shared.strategies.base import Signal, Strategy, StrategyParameters
from shared.strategies.indicators import Rsi

MAX_PERIOD = 1_000


def _as_float(given: object) -> object:
    return float(given) if isinstance(given, Decimal) else given


class RsiParameters(StrategyParameters):
    """The period in candles, and the levels that count as extremes."""

    period: Annotated[int, Field(ge=2, le=MAX_PERIOD, description=f"a whole number from 2 to {MAX_PERIOD}")] = 14
    oversold: Annotated[
        float, BeforeValidator(_as_float), Field(gt=0, lt=100, description="a number between 0 and 100")
    ] = 30.0
    overbought: Annotated[
        float,
        BeforeValidator(_as_float),
        Field(lt=100, validate_default=True, description="a number greater than oversold, and less than 100"),
    ] = 70.0

    @field_validator("overbought")
    @classmethod
    def _above_oversold(cls, overbought: float, info: ValidationInfo) -> float:
        if not overbought > info.data.get("oversold", 0):
            raise ValueError("not above oversold")
        return overbought


class RsiReversal(Strategy[RsiParameters]):
    """Up when the RSI of the closes was at or below `oversold` and is above it now; down when it was at or above
    `overbought` and is below it now. To get there gives no signal: a fall can go on for long."""

    name = "rsi"
    parameters_class = RsiParameters

    def __init__(self, parameters: RsiParameters) -> None:
        super().__init__(parameters)
        self._rsi = Rsi(parameters.period)

    @property
    def warm_up(self) -> int:
        return self.parameters.period + 1

    def step(self, candle: Candle) -> Signal | None:
        before = self._rsi.value
        now = self._rsi.update(float(candle.close))
        if before is None or now is None:
            return None
        levels = self.parameters
        if before <= levels.oversold < now:
            return self.turned_up(
                candle, f"the RSI of {levels.period} rose from {before:.4g} to {now:.4g}, above {levels.oversold:g}"
            )
        if before >= levels.overbought > now:
            return self.turned_down(
                candle, f"the RSI of {levels.period} fell from {before:.4g} to {now:.4g}, below {levels.overbought:g}"
            )
        return None

    def state(self) -> dict[str, Any]:
        return self._rsi.state()

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._rsi.set_state(state)
