"""The compiled calendars against exchange_calendars itself.

`pytest tests/fastapi_app/window/test_every_minute.py --every-minute -s` asks about each minute of each calendar, and at
each of its edges; else about a sample.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from fastapi_app.window.schedule import Schedule, schedule_of
from shared.window_config import WindowConfig

exchange_calendars = pytest.importorskip("exchange_calendars")
pandas = pytest.importorskip("pandas")

CODES = ["24/5", "24/7", "ASEX", "CMES", "IEPA", "XASX", "XBOM", "XFRA", "XHKG", "XLON", "XNYS", "XSAU"]
CODES += ["XSHG", "XSTO", "XTKS", "XTSE", "us_futures"]
STARTS_LATER = {"XSAU": "2021-01-01"}

MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
NANOSECONDS = 60_000_000_000
SAMPLED_DAYS, SAMPLED_SESSIONS = 37, 41
"""Of how many one is in the sample."""


@pytest.fixture(scope="module", params=CODES)
def code(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def calendar(code: str) -> Any:
    return exchange_calendars.get_calendar(code, start=STARTS_LATER.get(code, "2010-01-01"))


@pytest.fixture(scope="module")
def schedule(code: str) -> Schedule:
    return schedule_of(WindowConfig(calendar=code))


@pytest.fixture
def all_of_it(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--every-minute", default=False))


def test_each_minute_is_as_the_calendar_lists_it(
    code: str, calendar: Any, schedule: Schedule, all_of_it: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = calendar.minutes_nanos // NANOSECONDS
    asked, different = 0, []
    for day in days_of(calendar, 1 if all_of_it else SAMPLED_DAYS):
        at, number = day, int(day.timestamp()) // 60
        trading = set(listed[listed.searchsorted(number) : listed.searchsorted(number + 1440)].tolist())
        for minute in range(number, number + 1440):
            if schedule.is_open(at) is not (minute in trading):
                different.append(at)
            at += MINUTE
        asked += 1440
    if all_of_it:
        with capsys.disabled():
            print(f"\n{code}: {asked:,} minutes, {len(different)} different", end=" ")  # noqa: T201
    assert not different


def test_each_edge_is_where_the_calendar_has_it(
    code: str, calendar: Any, schedule: Schedule, all_of_it: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    edges = list(edges_of(calendar, 1 if all_of_it else SAMPLED_SESSIONS))
    around = [edge + shift for edge in edges for shift in (-MICROSECOND, timedelta(), MICROSECOND)]
    asked = [at for at in around if within(calendar, at)]
    different = [at for at in asked if schedule.is_open(at) is not open_at_time(calendar, at)]
    if all_of_it:
        with capsys.disabled():
            print(f"\n{code}: {len(edges):,} edges, {len(asked):,} instants, {len(different)} different", end=" ")  # noqa: T201
    assert not different


def test_instants_at_random_are_as_the_calendar_answers(
    code: str, calendar: Any, schedule: Schedule, all_of_it: bool
) -> None:
    drawn = random.Random(code)
    first, last = calendar.first_minute.to_pydatetime(), calendar.last_minute.to_pydatetime()
    for _ in range(20_000 if all_of_it else 400):
        minute = first + MINUTE * drawn.randrange((last - first) // MINUTE)
        assert schedule.is_open(minute) is calendar.is_open_on_minute(pandas.Timestamp(minute)), minute
    for _ in range(5_000 if all_of_it else 100):
        at = first + MICROSECOND * drawn.randrange((last - first) // MICROSECOND)
        assert schedule.is_open(at) is open_at_time(calendar, at), at


def test_outside_of_what_the_calendar_knows_it_is_closed(calendar: Any, schedule: Schedule) -> None:
    opens, closes = calendar.first_session_open.to_pydatetime(), calendar.last_session_close.to_pydatetime()
    assert schedule.known_until == closes
    assert schedule.is_open(opens)
    assert schedule.is_open(closes - MICROSECOND)
    for at in (opens - MICROSECOND, opens - timedelta(days=3), closes, closes + timedelta(days=3)):
        assert not schedule.is_open(at)
        assert [closure.code for closure in schedule.closures(at)] == ["CALENDAR_UNKNOWN"]


def days_of(calendar: Any, step: int) -> Iterator[datetime]:
    """The UTC days between the first session and the last."""
    first = calendar.first_minute.to_pydatetime().replace(hour=0, minute=0)
    days = (calendar.last_session_close.to_pydatetime() - first).days
    return (first + timedelta(days=number) for number in range(0, days + 1, step))


def edges_of(calendar: Any, step: int) -> Iterator[datetime]:
    sampled = calendar.schedule.iloc[::step]
    columns = (sampled[name].dropna() for name in ("open", "break_start", "break_end", "close"))
    return (moment.to_pydatetime() for moment in chain.from_iterable(columns))


def within(calendar: Any, at: datetime) -> bool:
    """Beyond its first and last minute the library refuses to answer, the instants of the last minute included."""
    return bool(calendar.first_minute.to_pydatetime() <= at <= calendar.last_minute.to_pydatetime())


def open_at_time(calendar: Any, at: datetime) -> bool:
    return bool(calendar.is_open_at_time(pandas.Timestamp(at), side="left"))
