"""Where a made-up price goes: whole numbers all the way, so that every machine computes the same."""

import struct
from functools import lru_cache
from hashlib import shake_128
from math import isqrt
from typing import NamedTuple

SPLITS = (24, 4, 3, 5, 60)
"""A day is split into hours, an hour into quarters, those into five minutes, minutes, seconds."""

_ROUGHNESS = (4_000, 3_000, 1_200, 600, 1_200)
"""How far a walk steps, in thousandths of its bar's height over the root of the number of steps. 1,200 just fills the
bar. More makes the larger swings of an hour, less the straighter runs of some minutes, which strategies look for."""

DAY, HOUR, QUARTER, FIVE_MINUTES, MINUTE, SECOND = range(6)
SPAN_SECONDS = (86_400, 3_600, 900, 300, 60, 1)

_BASE_TICKS = {"BTC": 4_000_000, "ETH": 250_000, "SOL": 10_000}
_WAVES = ((2_048, 250_000), (256, 120_000), (32, 60_000), (8, 30_000), (2, 15_000))
"""The waves that the days ride on: a period in days, and an amplitude in millionths of the base price."""

_DAILY_TURNOVER_TICKS = 50_000_000_000
VOLUME_UNITS = 10_000
"""How many units a volume of one has."""


class Bar(NamedTuple):
    """A candle in whole numbers: prices in ticks, volume in units."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class SyntheticPath:
    """One symbol's prices, from the day down to the second.

    A day's bar is a function of the seed, the symbol and the day. A bar is split into smaller ones by a random walk
    that begins at its open, ends at its close, stays within its high and low and touches both. So the bars of every
    size agree, and any of them costs a few splits, however far away it lies.
    """

    def __init__(self, seed: int, symbol: str) -> None:
        self._name = f"{seed}/{symbol}"
        base = symbol.partition("-")[0]
        self._base = _BASE_TICKS.get(base) or 1_000 + sum(self.numbers("base", 0, 2)) % 99_000
        self._split = lru_cache(maxsize=1_024)(self._new_split)
        self._day = lru_cache(maxsize=2_048)(self._new_day)
        self._crest = lru_cache(maxsize=2_048)(self._new_crest)
        self._volume = lru_cache(maxsize=16)(self._new_volume)

    def bar(self, level: int, index: int) -> Bar:
        """The bar of that size; indexes count from 1970."""
        if level == DAY:
            return self._day(index)
        parent, place = divmod(index, SPLITS[level - 1])
        return self._split(level, parent)[place]

    def volume(self, level: int, first: int, end: int) -> int:
        """What the bars from `first` to before `end` sum up to."""
        return self._volume(level, first, end)

    def numbers(self, kind: str, index: int, count: int) -> tuple[int, ...]:
        """That many numbers from 0 to 65535, always the same ones."""
        drawn = shake_128(f"{self._name}/{kind}/{index}".encode()).digest(2 * count)
        return struct.unpack(f"<{count}H", drawn)

    def _new_day(self, day: int) -> Bar:
        first, last = self._price(day), self._price(day + 1)
        up, down, busy = self.numbers("day", day, 3)
        wick = self._base // 50
        return Bar(
            open=first,
            high=max(first, last) + wick // 5 + wick * up // 65_536,
            low=min(first, last) - wick // 5 - wick * down // 65_536,
            close=last,
            volume=_DAILY_TURNOVER_TICKS * VOLUME_UNITS * (32_768 + busy) // 65_536 // first,
        )

    def _price(self, day: int) -> int:
        millionths = 1_000_000
        for period, amplitude in _WAVES:
            wave, place = divmod(day, period)
            ends = self._crest(period, wave) * (period - place) + self._crest(period, wave + 1) * place
            millionths += amplitude * (ends // period - 32_768) // 32_768
        return self._base * millionths // 1_000_000

    def _new_crest(self, period: int, wave: int) -> int:
        return self.numbers(f"wave-{period}", wave, 1)[0]

    def _new_volume(self, level: int, first: int, end: int) -> int:
        return sum(self.bar(level, index).volume for index in range(first, end))

    def _new_split(self, level: int, parent_index: int) -> tuple[Bar, ...]:
        parent, count = self.bar(level - 1, parent_index), SPLITS[level - 1]
        drawn = self.numbers(f"split-{level}", parent_index, 4 * count)
        step = (parent.high - parent.low) * _ROUGHNESS[level - 1] // isqrt(count * 1_000_000)
        points = _walk(parent, drawn[:count], step)
        highs = [
            min(parent.high, max(points[place : place + 2]) + step * up // 262_144)
            for place, up in enumerate(drawn[count : 2 * count])
        ]
        lows = [
            max(parent.low, min(points[place : place + 2]) - step * down // 262_144)
            for place, down in enumerate(drawn[2 * count : 3 * count])
        ]
        highs[highs.index(max(highs))] = parent.high
        lows[lows.index(min(lows))] = parent.low
        volumes = _shares(parent.volume, drawn[3 * count :])
        return tuple(map(Bar, points, highs, lows, points[1:], volumes))


def _walk(parent: Bar, drawn: tuple[int, ...], step: int) -> list[int]:
    """The opens of the smaller bars, and the last one's close."""
    count = len(drawn)
    gone, places = 0, [0]
    for number in drawn:
        gone += (number - 32_768) * step // 32_768
        places.append(gone)
    points = [
        parent.open + place + (parent.close - parent.open - gone) * number // count
        for number, place in enumerate(places)
    ]
    return [_within(parent, point) for point in points]


def _within(parent: Bar, point: int) -> int:
    """The point, thrown back from the bar's high and low, as often as it takes, where it lies beyond them."""
    height = parent.high - parent.low
    if height == 0:
        return parent.low
    place = (point - parent.low) % (2 * height)
    return parent.low + min(place, 2 * height - place)


def _shares(whole: int, drawn: tuple[int, ...]) -> list[int]:
    """The whole in uneven parts, which sum up to it."""
    weights = [number + 8_192 for number in drawn]
    total = sum(weights)
    parts = [whole * weight // total for weight in weights]
    parts[-1] += whole - sum(parts)
    return parts
