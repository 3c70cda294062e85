"""The axes of a replay's charts: places in percent or pixels, and ticks at round amounts and instants."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MINUTE, HOUR, DAY = 60, 3_600, 86_400

_AMOUNT_TICKS, _TIME_TICKS = 5, 5
_STEPS = tuple(
    [minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)]
    + [hours * HOUR for hours in (1, 2, 3, 6, 12)]
    + [days * DAY for days in (1, 2, 4, 7, 14, 28)]
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240)


class Tick(NamedTuple):
    at: float
    text: str


class Scale:
    """From values to places: `low` is at `begin`, `high` at `end`."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        self._low, self._span = low, (high - low) or 1.0
        self._begin, self._length = begin, end - begin

    def __call__(self, value: float) -> float:
        return round(self._begin + (value - self._low) / self._span * self._length, 2)


def amount_axis(low: float, high: float, begin: float, end: float) -> tuple[Scale, list[Tick]]:
    """For amounts from `low` to `high`: steps of 1, 2 or 5 times a power of ten; the outermost hold all of them.

    Amounts that are all the same are in the middle.
    """
    if low == high:
        room = abs(low) / 100 or 1.0
        low, high = low - room, high + room
    rough = (high - low) / (_AMOUNT_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    scale = Scale(first * step, last * step, begin, end)
    return scale, [Tick(scale(number * step), f"{number * step:,.{digits}f}") for number in range(first, last + 1)]


def time_axis(first: datetime, last: datetime) -> tuple[Callable[[datetime], float], list[Tick]]:
    """From `first` at 0 to `last` at 100, in percent; ticks at whole minutes, hours, days or months of UTC."""
    scale = Scale(first.timestamp(), last.timestamp(), 0, 100)

    def place(at: datetime) -> float:
        return scale(at.timestamp())

    span = (last - first).total_seconds()
    step = next((step for step in _STEPS if span / step <= _TIME_TICKS), None)
    if step is None:
        return place, [Tick(place(at), f"{at:%Y-%m}") for at in _months(first, last)]
    number = math.ceil(first.timestamp() / step)
    instants = []
    while (at := datetime.fromtimestamp(number * step, UTC)) <= last:
        instants.append(at)
        number += 1
    return place, [Tick(place(at), _text(at, step)) for at in instants]


def _months(first: datetime, last: datetime) -> list[datetime]:
    whole = [
        at
        for year in range(first.year, last.year + 1)
        for month in range(1, 13)
        if first <= (at := datetime(year, month, 1, tzinfo=UTC)) <= last
    ]
    step = next((step for step in _MONTHS if len(whole) / step <= _TIME_TICKS), _MONTHS[-1])
    return [at for at in whole if (at.year * 12 + at.month - 1) % step == 0]


def _text(at: datetime, step: int) -> str:
    is_midnight = at - datetime(at.year, at.month, at.day, tzinfo=UTC) == timedelta(0)
    return f"{at:%b} {at.day}" if is_midnight or step >= DAY else f"{at:%H:%M}"
