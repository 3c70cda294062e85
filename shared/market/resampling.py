"""Larger candles out of smaller ones."""

import itertools
from collections.abc import Iterable
from datetime import timedelta
from decimal import Context, Decimal
from functools import reduce

from shared.candle import Candle, Timeframe

_EXACT = Context(prec=100)
"""Sums of volumes need more digits than the default context keeps."""


def total(volumes: Iterable[Decimal]) -> Decimal:
    """Their exact sum."""
    return reduce(_EXACT.add, volumes, Decimal(0))


def resampled(candles: Iterable[Candle], *, timeframe: Timeframe, into: Timeframe) -> tuple[Candle, ...]:
    """Candles of `into` made of those of `timeframe`, which are in order.

    What is missing within is passed over. A candle in which the smaller ones begin or end is left out, for nobody
    knows the rest of it.
    """
    step, larger = timedelta(seconds=timeframe.seconds), timedelta(seconds=into.seconds)
    groups = [
        (opens, list(group)) for opens, group in itertools.groupby(candles, lambda one: into.open_of(one.timestamp))
    ]
    if groups and groups[0][1][0].timestamp != groups[0][0]:
        del groups[0]
    if groups and groups[-1][1][-1].timestamp + step != groups[-1][0] + larger:
        del groups[-1]
    return tuple(
        Candle(
            opens,
            group[0].open,
            max(one.high for one in group),
            min(one.low for one in group),
            group[-1].close,
            total(one.volume for one in group),
        )
        for opens, group in groups
    )
