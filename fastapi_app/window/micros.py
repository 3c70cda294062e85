"""Instants as whole microseconds since 1970 UTC, and sets of them as intervals: what schedules are compiled in."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

Micros = int
Interval = tuple[Micros, Micros]
"""From the first instant to before the second. Lists of them are sorted and neither overlap nor touch."""

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
DAY: Micros = 86_400 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros_of(at: datetime) -> Micros:
    """An aware datetime's; exact."""
    return (at - _EPOCH) // _MICROSECOND


def instant_of(micros: Micros) -> datetime:
    """In UTC. Raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=micros)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """What at least one of any intervals covers; empty ones cover nothing."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def complement(intervals: Iterable[Interval], start: Micros, end: Micros) -> list[Interval]:
    """What of [start, end) the listed intervals, all of them within it, leave."""
    left = []
    for covered_from, covered_to in intervals:
        if start < covered_from:
            left.append((start, covered_from))
        start = covered_to
    if start < end:
        left.append((start, end))
    return left


def clipped(intervals: Iterable[Interval], start: Micros, end: Micros) -> list[Interval]:
    """The part of the listed intervals that is within [start, end)."""
    return [(max(one, start), min(other, end)) for one, other in intervals if one < end and other > start]
