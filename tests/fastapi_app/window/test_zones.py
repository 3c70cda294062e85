"""Wall-clock windows around the offset changes of the zones, against a look at the clock on the wall.

`--every-minute` takes every zone of the IANA database instead of a sample.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from fastapi_app.window.schedule import schedule_of
from fastapi_app.window.trading_day import next_turn, trading_day
from shared.window_config import WindowConfig
from tests.fastapi_app.window import on_the_wall
from tests.fastapi_app.window.on_the_wall import utc

START, SAMPLE_ENDS, END = utc("2024-01-01T00:00:00"), utc("2026-01-01T00:00:00"), utc("2031-01-01T00:00:00")
MICROSECOND, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
AROUND = timedelta(hours=30)

RULES: list[dict[str, object]] = [
    {"start_hour": 2, "end_hour": 3},
    {"start_hour": 23, "end_hour": 24},
    {"intervals": [{"start": "22:00", "end": "06:00", "days": ["mon", "tue", "wed", "thu", "sun"]}]},
    {"intervals": [{"start": "00:15", "end": "02:30", "days": ["sat", "sun"]}, {"start": "23:30", "end": "00:30"}]},
    {
        "start_hour": 0,
        "end_hour": 9,
        "weekly_blackouts": [
            {"start": "01:45", "end": "01:55", "reason": "rollover"},
            {"start": "23:00", "end": "02:01", "days": ["sat"], "reason": "upkeep"},
        ],
    },
]

SINGULAR = ["Africa/Casablanca", "Africa/El_Aaiun", "America/Nuuk", "America/Scoresbysund", "America/St_Johns"]
SINGULAR += ["Antarctica/Troll", "Asia/Gaza", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham"]
SINGULAR += [
    "America/Havana",
    "America/Santiago",
    "Asia/Almaty",
    "Atlantic/Azores",
    "Europe/Dublin",
    "Europe/Stockholm",
]

LONG_AGO = [
    ("Pacific/Apia", "2011-12-30T10:00:00"),  # a Friday that never was
    ("Pacific/Kwajalein", "1993-08-21T12:00:00"),  # a Saturday that never was
    ("America/Anchorage", "1867-10-19T00:31:13"),  # a day twice
    ("Africa/Freetown", "1939-09-05T00:40:00"),  # two changes in four days
    ("Africa/Monrovia", "1972-01-07T00:44:30"),  # seconds in an offset
    ("America/Recife", "2000-10-08T03:00:00"),  # a summer of a week
    ("Europe/London", "1941-05-04T01:00:00"),
    ("Asia/Pyongyang", "2018-05-04T15:00:00"),
]


@pytest.fixture
def all_of_them(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--every-minute", default=False))


@pytest.fixture
def zones(all_of_them: bool) -> list[str]:
    every = sorted(available_timezones() - {"localtime", "Factory"})
    return every if all_of_them else sorted({*SINGULAR, *every[::60]})


def test_windows_open_and_close_by_the_wall_around_every_change(
    zones: list[str], all_of_them: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = asked = 0
    for zone in zones:
        configs = [WindowConfig.parse({**rules, "timezone": zone}) for rules in RULES]
        for change in on_the_wall.offset_changes(zone, START, END if all_of_them else SAMPLE_ENDS):
            changes += 1
            asked += sum(compared(config, change) for config in configs)
    assert changes > len(zones)
    if all_of_them:
        with capsys.disabled():
            print(f"\n{len(zones)} zones, {changes:,} changes, {asked:,} instants", end=" ")  # noqa: T201


@pytest.mark.parametrize(("zone", "change"), LONG_AGO)
@pytest.mark.parametrize("rules", RULES)
def test_so_they_did_in_stranger_days(zone: str, change: str, rules: dict[str, object]) -> None:
    assert any(at == utc(change) for at in on_the_wall.offset_changes(zone, utc(change) - AROUND, utc(change) + AROUND))
    assert compared(WindowConfig.parse({**rules, "timezone": zone}), utc(change))


@pytest.mark.parametrize("turn", ["00:00", "00:30", "01:30", "02:30", "17:00", "23:45"])
def test_the_trading_day_is_the_latest_date_so_far(zones: list[str], turn: str) -> None:
    for zone in [*zones[::4], *(zone for zone, _ in LONG_AGO)]:
        config = WindowConfig.parse({"day_turns_at": turn, "timezone": zone})
        changes = [utc(change) for other, change in LONG_AGO if other == zone]
        for change in changes or on_the_wall.offset_changes(zone, START, SAMPLE_ENDS):
            latest = ""
            for minute in range(-4 * 1440, 1440, 15):
                at = change + minute * MINUTE
                shifted = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - since_midnight(turn)
                latest = max(latest, str(shifted.date()))
                if minute > -1440:
                    assert trading_day(config, at) == latest, (zone, at)


def test_the_next_turn_is_where_the_trading_day_becomes_another() -> None:
    for zone, change in LONG_AGO:
        config = WindowConfig.parse({"day_turns_at": "01:30", "timezone": zone})
        at = utc(change) - timedelta(days=3)
        for _ in range(6):
            turn = next_turn(config, at)
            assert turn is not None
            assert trading_day(config, at) == trading_day(config, turn - MICROSECOND) < trading_day(config, turn)
            at = turn


def compared(config: WindowConfig, change: datetime) -> int:
    schedule = schedule_of(config)
    instants = list(instants_around(config, change))
    for at in instants:
        assert schedule.is_open(at) is on_the_wall.is_open(config, at), (config, at)
    return len(instants)


def instants_around(config: WindowConfig, change: datetime) -> Iterator[datetime]:
    turns = [turn.at for turn in schedule_of(config).upcoming(change - AROUND, 40) if turn.at < change + AROUND]
    for edge in [change, *turns]:
        yield from (edge - MICROSECOND, edge, edge + MICROSECOND)
    yield from (change + number * MINUTE for number in range(-30 * 60, 30 * 60, 11))
    yield from (change + number * MINUTE for number in range(-150, 150))


def since_midnight(time: str) -> timedelta:
    hours, minutes = time.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
