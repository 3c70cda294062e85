"""A candle: what a market did in one stretch of time; and how long those stretches are."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NamedTuple, Self

from shared.clock import aware
from shared.errors import InvalidField

PRICE_BOUND = Decimal(10) ** 18
"""Prices are below it, as the wire's decimals are."""

_PRICE_RULE = "a finite Decimal greater than 0 and less than 10^18"
_VOLUME_RULE = "a finite Decimal of at least 0"
_ZERO = Decimal(0)
_INFINITY = Decimal("Infinity")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Fields(NamedTuple):
    timestamp: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Candle(_Fields):
    """Open, high, low and close, in the quote currency, and the volume, in the market's unit; all exact.

    `timestamp` is the instant of its open; any aware datetime may give it, and it is kept in UTC. Raises InvalidField
    for what no market can have done: low ≤ open, close ≤ high holds always. A tuple, since a replay makes one for each
    step; made by position it costs a third of one that is made by keyword.
    """

    __slots__ = ()

    def __new__(
        cls,
        timestamp: datetime,
        open: Decimal,  # noqa: A002 - by keyword it is the field's name
        high: Decimal,
        low: Decimal,
        close: Decimal,
        volume: Decimal,
    ) -> Self:
        if timestamp.tzinfo is not UTC:
            timestamp = _instant(timestamp)
        candle = tuple.__new__(cls, (timestamp, open, high, low, close, volume))
        try:
            sound = (
                type(open) is type(high) is type(low) is type(close) is type(volume) is Decimal
                and _ZERO < low <= open <= high < PRICE_BOUND
                and low <= close <= high
                and _ZERO <= volume < _INFINITY
            )
        except InvalidOperation:  # a NaN among them
            sound = False
        if not sound:
            raise _what_is_wrong(candle)
        return candle

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]
        """As the call, so that `_replace` holds the rules, too."""
        return cls(*iterable)


def _what_is_wrong(candle: Candle) -> InvalidField:
    for name in ("open", "high", "low", "close"):
        price = getattr(candle, name)
        if not (type(price) is Decimal and price.is_finite() and 0 < price < PRICE_BOUND):
            return InvalidField(name, price, _PRICE_RULE)
    if not (type(candle.volume) is Decimal and candle.volume.is_finite() and candle.volume >= 0):
        return InvalidField("volume", candle.volume, _VOLUME_RULE)
    if candle.high < candle.low:
        return InvalidField("high", candle.high, f"at least the low, {candle.low}")
    name = "close" if candle.low <= candle.open <= candle.high else "open"
    return InvalidField(name, getattr(candle, name), f"from the low, {candle.low}, to the high, {candle.high}")


def _instant(timestamp: datetime) -> datetime:
    try:
        return aware(timestamp)
    except ValueError as exc:
        raise InvalidField("timestamp", timestamp.isoformat(), "aware of its time zone") from exc


class Timeframe(StrEnum):
    """How long a candle is. Candles open at whole multiples of it since 1970-01-01T00:00Z, so a day is UTC's."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER = "15m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def seconds(self) -> int:
        return _SECONDS[self]

    def open_of(self, instant: datetime) -> datetime:
        """When the candle opened that holds this instant, in UTC. A naive instant raises ValueError."""
        length = timedelta(seconds=self.seconds)
        return _EPOCH + (aware(instant) - _EPOCH) // length * length


_SECONDS = {
    Timeframe.MINUTE: 60,
    Timeframe.FIVE_MINUTES: 300,
    Timeframe.QUARTER: 900,
    Timeframe.HOUR: 3_600,
    Timeframe.DAY: 86_400,
}
