"""Wall-clock rules that repeat every week.

They are membership: an instant belongs to an interval iff the weekday and time do that a clock on the wall of the zone
shows then. So an hour that the zone's clocks repeat counts both times, and one that they skip doesn't occur.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from fastapi_app.window.micros import DAY, MINUTE, Interval, Micros, complement, union
from fastapi_app.window.zone_offsets import offset_span, offset_spans
from shared.window_config import WEEKDAYS, Weekday, WeeklyInterval

WeekPart = tuple[Interval, ...]
"""A part of the wall clock's week, which starts on Monday at 00:00."""

WEEK: Micros = 7 * DAY
WHOLE_WEEK: WeekPart = ((0, WEEK),)

_MONDAY = -3 * DAY
"""1970-01-01 was a Thursday."""


def week_part(intervals: Iterable[WeeklyInterval]) -> WeekPart:
    """What at least one of the intervals covers."""
    return tuple(union(piece for interval in intervals for piece in _pieces(interval)))


def daily_part(start_hour: int, end_hour: int) -> WeekPart:
    """`start_hour <= hour < end_hour` on each day; with start ≥ end nothing."""
    hour = 60 * MINUTE
    return tuple(union((day * DAY + start_hour * hour, day * DAY + end_hour * hour) for day in range(7)))


def rest_of_week(part: WeekPart) -> WeekPart:
    return tuple(complement(part, 0, WEEK))


def occurrences(part: WeekPart, zone: str, start: Micros, end: Micros) -> list[Interval]:
    """When within [start, end) the wall clock of the zone is in this part of the week."""
    if part in ((), WHOLE_WEEK):
        return [(start, end)] if part and start < end else []
    found: list[Interval] = []
    for since, until, offset in offset_spans(zone, start, end):
        found.extend(
            (max(one - offset, since), min(other - offset, until))
            for one, other in _on_the_wall(part, since + offset, until + offset)
        )
    return union(found)


def end_of_occurrence(part: WeekPart, zone: str, at: Micros) -> Micros | None:
    """The first instant after `at`, which is in this part of the week, that isn't; None for the whole week.

    Raises OverflowError in the last days of the year 9999.
    """
    if part == WHOLE_WEEK:
        return None
    _, until, offset = offset_span(zone, at)
    wall = at + offset - _MONDAY
    in_week = wall % WEEK
    end = part[bisect_right(part, (in_week, WEEK)) - 1][1]
    if end == WEEK and part[0][0] == 0:
        end += part[0][1]
    found = at + end - in_week
    if found < until:
        return found
    # The clocks may change before, and may skip the end now and then.
    days = 8
    while (found := occurrences(part, zone, at, at + days * DAY)[0][1]) == at + days * DAY:
        days *= 2
    return found


def in_words(intervals: Sequence[WeeklyInterval], zone: str) -> str:
    """Such as "mon-fri 22:00 - 06:00 Europe/Stockholm"; of many intervals the first few."""
    shown = [f"{_days_in_words(interval.days)} {interval.start} - {interval.end}" for interval in intervals[:_SHOWN]]
    more = len(intervals) - _SHOWN
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "") + f" {zone}"


_SHOWN = 5


def _on_the_wall(part: WeekPart, start: Micros, end: Micros) -> Iterable[Interval]:
    for week in range((start - _MONDAY) // WEEK, (end - _MONDAY) // WEEK + 1):
        monday = _MONDAY + week * WEEK
        yield from (
            (monday + one, monday + other) for one, other in part if monday + one < end and monday + other > start
        )


def _pieces(interval: WeeklyInterval) -> Iterable[Interval]:
    start, end = _since_midnight(interval.start), _since_midnight(interval.end)
    for day in interval.days:
        midnight = WEEKDAYS.index(day) * DAY
        if start < end:
            yield midnight + start, midnight + end
        else:
            next_midnight = (midnight + DAY) % WEEK
            yield midnight + start, midnight + DAY
            yield next_midnight, next_midnight + end


def _since_midnight(time: str) -> Micros:
    hours, minutes = time.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE


def _days_in_words(days: Iterable[Weekday]) -> str:
    runs: list[list[int]] = []
    for number in sorted(WEEKDAYS.index(day) for day in days):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join("-".join(WEEKDAYS[number] for number in dict.fromkeys((run[0], run[-1]))) for run in runs)
