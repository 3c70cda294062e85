"""Markets to run strategies on."""

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from shared.candle import Candle
from shared.strategies.registry import AnyStrategy

START = datetime(2026, 3, 4, tzinfo=UTC)
RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "btc-perp-1m-2022-01.csv"


def closing_at(closes: Iterable[str | int | float | Decimal]) -> list[Candle]:
    """Minute candles that do nothing but close."""
    prices = [Decimal(str(close)) for close in closes]
    return [Candle(at(minute), price, price, price, price, Decimal(1)) for minute, price in enumerate(prices)]


def spanning(*rows: tuple[str | int, str | int, str | int]) -> list[Candle]:
    """Minute candles of low, high and close; they open at the low."""
    return [
        Candle(at(minute), Decimal(low), Decimal(high), Decimal(low), Decimal(close), Decimal(1))
        for minute, (low, high, close) in enumerate(rows)
    ]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def drifting(seed: int, *, length: int, drift: float = 0.0) -> list[Candle]:
    """Minute candles of a seeded random walk, to the cent."""
    drawn = random.Random(seed)
    candles = []
    price = 100.0
    for minute in range(length):
        first, price = price, price * (1 + drawn.gauss(drift, 0.004))
        high = max(first, price) * (1 + abs(drawn.gauss(0, 0.001)))
        low = min(first, price) * (1 - abs(drawn.gauss(0, 0.001)))
        opened, highest, lowest, closed = (Decimal(f"{value:.2f}") for value in (first, high, low, price))
        candles.append(Candle(at(minute), opened, highest, lowest, closed, Decimal(drawn.randrange(1000))))
    return candles


def recorded() -> list[Candle]:
    """The recorded minutes of January 2022; skips the test where they are absent."""
    if not RECORDED.exists():
        pytest.skip(f"needs the recorded candles at {RECORDED}")
    return list(_recorded())


@cache
def _recorded() -> tuple[Candle, ...]:
    with RECORDED.open() as file:
        next(file)
        return tuple(Candle(datetime.fromisoformat(row[0]), *map(Decimal, row[1:])) for row in csv.reader(file))


def signals(strategy: AnyStrategy, candles: Sequence[Candle]) -> list[tuple[int, str, str]]:
    """The number of the candle, from 1, the action and the direction of each signal."""
    answers = [strategy.on_candle(candle) for candle in candles]
    return [(n, answer.action, answer.direction) for n, answer in enumerate(answers, start=1) if answer]
