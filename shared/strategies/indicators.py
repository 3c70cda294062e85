"""Indicators, one price at a time.

They compute in floats: they are estimates, TA-Lib computes in floats too, and a Decimal's division costs several times
as much. No order's price or quantity is made of them.

A float goes through JSON and comes back the same, so a restored indicator goes on bit by bit.
"""

from collections.abc import Mapping
from typing import Any


class Ema:
    """The exponential moving average of `period` prices, as TA-Lib defines it (TA_EMA, default compatibility).

    - It has no value for the first `period` - 1 prices.
    - Its first value is the simple mean of the first `period` prices.
    - Then value = value + 2 / (period + 1) * (price - value).
    """

    __slots__ = ("_count", "_total", "_weight", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self.value: float | None = None
        self._weight = 2 / (period + 1)
        self._count = 0
        self._total = 0.0

    def update(self, price: float) -> float | None:
        value = self.value
        if value is not None:
            self.value = value = (price - value) * self._weight + value
            return value
        self._count += 1
        self._total += price
        if self._count == self.period:
            self.value = self._total / self.period
        return self.value

    def state(self) -> dict[str, Any]:
        return {"value": self.value, "count": self._count, "total": self._total}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.value = _float_or_none(state["value"])
        self._count = int(state["count"])
        self._total = float(state["total"])


class Rsi:
    """Wilder's relative strength index over `period` changes of the price, from 0 to 100 (TA_RSI, save for one rule).

    - It has no value for the first `period` prices.
    - Its first value comes of the simple means of the gains and of the losses of the first `period` changes; a change
      the other way counts as 0.
    - Then mean = (mean * (period - 1) + newest) / period, for either.
    - value = 100 * gains / (gains + losses).
    - While the price stands still, the quotient stays what it is, and so does the value, also when the means have sunk
      to nothing (both together no more than 1e-14 of the price). A market that has never moved has 50, neither bought
      nor sold. TA-Lib says 0 in both cases, which would read as sold out.
    """

    __slots__ = ("_count", "_gains", "_losses", "_price", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self.value: float | None = None
        self._price: float | None = None
        self._count = 0
        self._gains = 0.0
        self._losses = 0.0

    def update(self, price: float) -> float | None:
        if self._price is None:
            self._price = price
            return None
        change = price - self._price
        self._price = price
        gain, loss = (change, 0.0) if change > 0 else (0.0, -change)
        period = self.period
        if self._count == period:
            self._gains = gains = (self._gains * (period - 1) + gain) / period
            self._losses = losses = (self._losses * (period - 1) + loss) / period
        else:
            self._count += 1
            self._gains += gain
            self._losses += loss
            if self._count < period:
                return None
            self._gains = gains = self._gains / period
            self._losses = losses = self._losses / period
        both = gains + losses
        if both > _FLAT * price:
            self.value = 100 * (gains / both)
        elif self.value is None:
            self.value = 50.0
        return self.value

    def state(self) -> dict[str, Any]:
        """Until `count` reaches the period, `gains` and `losses` are sums, then means."""
        return {
            "value": self.value,
            "price": self._price,
            "count": self._count,
            "gains": self._gains,
            "losses": self._losses,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.value = _float_or_none(state["value"])
        self._price = _float_or_none(state["price"])
        self._count = int(state["count"])
        self._gains = float(state["gains"])
        self._losses = float(state["losses"])


_FLAT = 1e-14


def _float_or_none(given: float | None) -> float | None:
    return None if given is None else float(given)
