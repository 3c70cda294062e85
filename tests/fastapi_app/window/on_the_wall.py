"""Wall-clock rules the slow and obvious way, by a look at the clock on the wall, to hold the compiled ones against."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.window_config import WEEKDAYS, WeeklyInterval, WindowConfig

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def is_open(config: WindowConfig, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(config.timezone))
    if config.intervals:
        within_hours = any(covers(interval, local) for interval in config.intervals)
    else:
        within_hours = config.start_hour <= local.hour < config.end_hour
    return within_hours and not any(covers(blackout, local) for blackout in config.weekly_blackouts)


def covers(interval: WeeklyInterval, local: datetime) -> bool:
    time, today, yesterday = f"{local:%H:%M}", WEEKDAYS[local.weekday()], WEEKDAYS[local.weekday() - 1]
    if interval.start < interval.end:
        return today in interval.days and interval.start <= time < interval.end
    return (today in interval.days and interval.start <= time) or (yesterday in interval.days and time < interval.end)


def offset_changes(zone: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """By asking every hour, and where the answer is another one every second of that hour."""
    info = ZoneInfo(zone)
    at = start
    while at < end:
        if offset(info, at) != offset(info, at + HOUR):
            seconds = (at + SECOND * number for number in range(1, 3601))
            yield next(second for second in seconds if offset(info, second) != offset(info, at))
        at += HOUR


def offset(info: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(info).utcoffset()
    assert found is not None
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
