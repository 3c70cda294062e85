"""The trading day: by which date a trade counts, and when the next one begins."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, datetime
from functools import partial

from fastapi_app.window.by_identity import cached_by_identity
from fastapi_app.window.calendars import Sessions, calendar_of
from fastapi_app.window.micros import DAY, MINUTE, Micros
from fastapi_app.window.timeline import Timeline
from fastapi_app.window.zone_offsets import offset_spans
from shared.window_config import TURNS_WITH_SESSION, WindowConfig


def trading_day(config: WindowConfig, at: datetime) -> str:
    """The ISO date of the trading day at an aware instant; never an earlier one at a later instant.

    By the wall clock a day begins at `day_turns_at` and is named for the local date on which it begins: it is the
    first instant at which the wall shows that time or a later one of that date. Where the clocks skip that time, the
    day begins as they do; where they repeat it, it begins the first time and doesn't end again. A date that a zone
    skips is no trading day.

    With `day_turns_at` "session" a day begins as a session of the calendar opens and is named for that session, which
    may be the next date's. Before the first known session it is the date in UTC, after the last one the day stays.

    Raises CalendarUnavailable.
    """
    return _days_of(config).at(at)


def next_turn(config: WindowConfig, at: datetime) -> datetime | None:
    """The first instant after `at`, in UTC, at which the trading day is another one; None when nobody knows."""
    days = _days_of(config)
    return next((turn for turn, _ in days.changes(at)), None)


@cached_by_identity
def _days_of(config: WindowConfig) -> Timeline[str]:
    if config.day_turns_at == TURNS_WITH_SESSION:
        return Timeline(partial(_session_days, calendar_of(config.calendar or "")))
    hours, minutes = config.day_turns_at.split(":")
    turn = (int(hours) * 60 + int(minutes)) * MINUTE
    return Timeline(partial(_wall_days, config.day_timezone or config.timezone, turn))


def _wall_days(zone: str, turn: Micros, start: Micros, end: Micros) -> Sequence[tuple[Micros, str]]:
    turns: list[tuple[Micros, int]] = []
    for since, until, offset in offset_spans(zone, start - _LOOK_BACK, end):
        on_the_wall = offset - turn
        for day in range((since + on_the_wall) // DAY, (until - 1 + on_the_wall) // DAY + 1):
            if not turns or day > turns[-1][1]:
                turns.append((max(since, day * DAY - on_the_wall), day))
    begun = bisect_right(turns, start, key=lambda turn: turn[0]) - 1
    return [(max(since, start), _date_of(day)) for since, day in turns[begun:]]


_LOOK_BACK = 3 * DAY
"""Clocks were never set back by more than a day, so the latest date of three days is the latest so far."""


def _session_days(sessions: Sessions, start: Micros, end: Micros) -> Sequence[tuple[Micros, str]]:
    opens, labels = sessions.opens, sessions.labels
    midnights = range(-(-start // DAY) * DAY, min(end, opens[0]), DAY)
    days = [(since, min(_date_of(since // DAY), labels[0])) for since in (start, *midnights) if since < opens[0]]
    first, last = bisect_right(opens, start), bisect_left(opens, end)
    if first:
        days.append((start, labels[first - 1]))
    return days + list(zip(opens[first:last], labels[first:last], strict=True))


def _date_of(days_since_1970: int) -> str:
    ordinal = _EPOCH + days_since_1970
    return date.fromordinal(min(max(ordinal, 1), _LAST)).isoformat()


_EPOCH, _LAST = date(1970, 1, 1).toordinal(), date.max.toordinal()
