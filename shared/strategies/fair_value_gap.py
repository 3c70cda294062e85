"""Trades the return to a price that the market jumped over: a fair value gap that is tested and holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from shared.candle import Candle
from shared.strategies.base import Direction, Signal, Strategy, StrategyParameters


def _exact(given: object) -> object:
    """Of a number or a string: what it reads as, not the binary float behind it."""
    if isinstance(given, str | int | float) and not isinstance(given, bool):
        try:
            return Decimal(str(given))
        except ArithmeticError as exc:
            raise ValueError("not a number") from exc
    return given


class FairValueGapParameters(StrategyParameters):
    """How wide a gap has to be, in percent of its lower edge, and for how many candles after it was made it counts."""

    min_gap_percent: Annotated[
        Decimal, BeforeValidator(_exact), Field(ge=0, le=100, description="a number from 0 to 100")
    ] = Decimal("0.05")
    max_age: Annotated[int, Field(ge=1, le=10_000, description="a whole number from 1 to 10000")] = 120


@dataclass(frozen=True, slots=True)
class _Gap:
    bottom: Decimal
    top: Decimal
    expires: int
    """The number of the last candle that can test it."""


class FairValueGap(Strategy[FairValueGapParameters]):
    """Three candles in a row make a gap when the third doesn't overlap the first: a long one from the first's high up
    to the third's low, a short one from the third's high up to the first's low. Edges are exact.

    A long gap is tested by the first later candle whose low is at or below its top. If that candle closes at or above
    the bottom, the gap held, and prices are expected to rise; if not, it was filled. A short gap is the mirror image.
    Tested once, it is done with. Of each direction the newest gap counts, which lies nearest to the price. A candle on
    which both hold gives no signal. A candle that is missing is no gap: they are taken as they come.
    """

    name = "fair_value_gap"
    parameters_class = FairValueGapParameters

    def __init__(self, parameters: FairValueGapParameters) -> None:
        super().__init__(parameters)
        self._seen = 0
        self._first: tuple[Decimal, Decimal] | None = None  # high and low of the candle before the last one
        self._second: tuple[Decimal, Decimal] | None = None  # those of the last one
        self._long: _Gap | None = None
        self._short: _Gap | None = None

    @property
    def warm_up(self) -> int:
        return 3

    def step(self, candle: Candle) -> Signal | None:
        self._seen += 1
        signal = self._tested(candle) if self._long or self._short else None
        if self._first is not None:
            high, low = self._first
            if candle.low > high:
                self._long = self._gap(high, candle.low) or self._long
            elif candle.high < low:
                self._short = self._gap(candle.high, low) or self._short
        self._first, self._second = self._second, (candle.high, candle.low)
        return signal

    def _gap(self, bottom: Decimal, top: Decimal) -> _Gap | None:
        if (top - bottom) * 100 < self.parameters.min_gap_percent * bottom:
            return None
        return _Gap(bottom, top, self._seen + self.parameters.max_age)

    def _tested(self, candle: Candle) -> Signal | None:
        holds: list[tuple[Direction, _Gap]] = []
        if (gap := self._long) and (self._seen > gap.expires or candle.low <= gap.top):
            self._long = None
            if self._seen <= gap.expires and candle.close >= gap.bottom:
                holds.append(("long", gap))
        if (gap := self._short) and (self._seen > gap.expires or candle.high >= gap.bottom):
            self._short = None
            if self._seen <= gap.expires and candle.close <= gap.top:
                holds.append(("short", gap))
        if len(holds) != 1:
            return None
        ((direction, gap),) = holds
        turned = self.turned_up if direction == "long" else self.turned_down
        return turned(candle, f"the {direction} fair value gap from {gap.bottom} to {gap.top} was tested and held")

    def state(self) -> dict[str, Any]:
        return {
            "seen": self._seen,
            "first": _texts(self._first),
            "second": _texts(self._second),
            "long": _gap_to_json(self._long),
            "short": _gap_to_json(self._short),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._seen = int(state["seen"])
        self._first = _prices(state["first"])
        self._second = _prices(state["second"])
        self._long = _gap_of_json(state["long"])
        self._short = _gap_of_json(state["short"])


def _texts(prices: tuple[Decimal, Decimal] | None) -> list[str] | None:
    return None if prices is None else [str(price) for price in prices]


def _prices(texts: list[str] | None) -> tuple[Decimal, Decimal] | None:
    if texts is None:
        return None
    high, low = texts
    return Decimal(high), Decimal(low)


def _gap_to_json(gap: _Gap | None) -> dict[str, Any] | None:
    return None if gap is None else {"bottom": str(gap.bottom), "top": str(gap.top), "expires": gap.expires}


def _gap_of_json(given: Mapping[str, Any] | None) -> _Gap | None:
    if given is None:
        return None
    return _Gap(Decimal(given["bottom"]), Decimal(given["top"]), int(given["expires"]))
