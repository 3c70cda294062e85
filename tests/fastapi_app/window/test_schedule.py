import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier, Thread

import pytest

from fastapi_app.window.schedule import Schedule, Turn, schedule_of, trading_hours
from shared.window_config import WindowConfig
from tests.fastapi_app.window.on_the_wall import utc

MICROSECOND = timedelta(microseconds=1)
STOCKHOLM = {"timezone": "Europe/Stockholm"}
WEEKNIGHTS = {
    **STOCKHOLM,
    "intervals": [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "22:00", "end": "06:00"}],
}


def schedule(keys: Mapping[str, object]) -> Schedule:
    return schedule_of(WindowConfig.parse(keys))


def turns(keys: Mapping[str, object], after: str, limit: int) -> list[str]:
    upcoming = schedule(keys).upcoming(utc(after), limit)
    return [f"{'opens' if turn.opens else 'closes'} {turn.at:%Y-%m-%dT%H:%MZ}" for turn in upcoming]


def closures(keys: Mapping[str, object], at: str) -> list[tuple[str, str, str | None]]:
    return [
        (closure.code, closure.detail, f"{closure.clears_at:%Y-%m-%dT%H:%MZ}" if closure.clears_at else None)
        for closure in schedule(keys).closures(utc(at))
    ]


def test_an_overnight_interval_is_an_hour_shorter_when_clocks_go_forward() -> None:
    keys = {**STOCKHOLM, "intervals": [{"start": "22:00", "end": "06:00", "days": ["sat"]}]}
    assert turns(keys, "2025-03-29T12:00:00", 2) == ["opens 2025-03-29T21:00Z", "closes 2025-03-30T04:00Z"]


def test_an_overnight_interval_is_an_hour_longer_when_clocks_go_back() -> None:
    keys = {**STOCKHOLM, "intervals": [{"start": "22:00", "end": "06:00", "days": ["sat"]}]}
    assert turns(keys, "2025-10-25T12:00:00", 2) == ["opens 2025-10-25T20:00Z", "closes 2025-10-26T05:00Z"]


def test_the_night_of_the_last_day_ends_on_the_day_after() -> None:
    assert turns(WEEKNIGHTS, "2025-06-06T12:00:00", 4) == [
        "opens 2025-06-06T20:00Z",
        "closes 2025-06-07T04:00Z",
        "opens 2025-06-09T20:00Z",
        "closes 2025-06-10T04:00Z",
    ]


def test_an_hour_that_is_skipped_does_not_occur_and_one_that_is_repeated_counts_both_times() -> None:
    keys = {**STOCKHOLM, "intervals": [{"start": "02:15", "end": "02:45"}]}
    assert turns(keys, "2025-03-29T12:00:00", 1) == ["opens 2025-03-31T00:15Z"]
    assert turns(keys, "2025-10-25T12:00:00", 4) == [
        "opens 2025-10-26T00:15Z",
        "closes 2025-10-26T00:45Z",
        "opens 2025-10-26T01:15Z",
        "closes 2025-10-26T01:45Z",
    ]


def test_intervals_that_meet_are_one_and_the_end_of_the_day_is_midnight() -> None:
    intervals = [
        {"days": ["sun"], "start": "18:00", "end": "24:00"},
        {"days": ["mon"], "start": "00:00", "end": "01:00"},
    ]
    assert turns({"intervals": intervals}, "2025-06-01T00:00:00", 2) == [
        "opens 2025-06-01T18:00Z",
        "closes 2025-06-02T01:00Z",
    ]


def test_new_york_closes_early_on_the_day_after_thanksgiving() -> None:
    assert turns({"calendar": "XNYS"}, "2025-11-26T12:00:00", 4) == [
        "opens 2025-11-26T14:30Z",
        "closes 2025-11-26T21:00Z",
        "opens 2025-11-28T14:30Z",
        "closes 2025-11-28T18:00Z",
    ]


def test_hong_kong_has_lunch() -> None:
    assert turns({"calendar": "XHKG"}, "2025-06-03T00:00:00", 4) == [
        "opens 2025-06-03T01:30Z",
        "closes 2025-06-03T04:00Z",
        "opens 2025-06-03T05:00Z",
        "closes 2025-06-03T08:00Z",
    ]


def test_hours_calendar_and_blackouts_all_have_to_allow() -> None:
    keys = {
        "calendar": "XSTO",
        **STOCKHOLM,
        "start_hour": 10,
        "end_hour": 17,
        "blackouts": [
            {"start": "2025-06-03T12:00:00+02:00", "end": "2025-06-03T12:30:00.000001+02:00", "reason": "CPI"}
        ],
        "weekly_blackouts": [{"days": ["tue"], "start": "16:55", "end": "17:05", "reason": "rollover"}],
    }
    assert turns(keys, "2025-06-03T00:00:00", 6) == [
        "opens 2025-06-03T08:00Z",
        "closes 2025-06-03T10:00Z",
        "opens 2025-06-03T10:30Z",
        "closes 2025-06-03T14:55Z",
        "opens 2025-06-04T08:00Z",
        "closes 2025-06-04T15:00Z",
    ]
    assert not schedule(keys).is_open(utc("2025-06-03T10:30:00"))
    assert schedule(keys).is_open(utc("2025-06-03T10:30:00.000001"))


def test_every_part_that_denies_is_named_with_the_instant_at_which_it_clears() -> None:
    keys = {
        **STOCKHOLM,
        "calendar": "XNYS",
        "start_hour": 9,
        "end_hour": 17,
        "blackouts": [
            {"start": "2025-11-27T00:00:00Z", "end": "2025-12-24T00:00:00Z", "reason": "audit"},
            {"start": "2025-11-27T00:00:00Z", "end": "2025-11-27T06:00:00Z", "reason": "upgrade"},
            {"start": "2026-11-27T00:00:00Z", "end": "2026-11-27T06:00:00Z", "reason": "next year"},
        ],
        "weekly_blackouts": [
            {"days": ["wed"], "start": "23:00", "end": "07:00", "reason": "backup"},
            {"days": ["fri"], "start": "23:00", "end": "07:00", "reason": "weekend"},
        ],
    }
    assert closures(keys, "2025-11-27T05:00:00") == [
        ("OUTSIDE_HOURS", "9:00 - 17:00", "2025-11-27T08:00Z"),
        ("CALENDAR_CLOSED", "XNYS", "2025-11-28T14:30Z"),
        ("BLACKOUT", "audit", "2025-12-24T00:00Z"),
        ("BLACKOUT", "upgrade", "2025-11-27T06:00Z"),
        ("BLACKOUT", "backup", "2025-11-27T06:00Z"),
    ]
    assert closures(keys, "2026-01-05T15:00:00") == []


@pytest.mark.parametrize(
    "keys",
    [
        WEEKNIGHTS,
        {"start_hour": 2, "end_hour": 3, "timezone": "America/Santiago"},
        {"calendar": "XHKG", "timezone": "Asia/Hong_Kong", "start_hour": 10, "end_hour": 15},
        {
            "weekly_blackouts": [
                {"start": "12:00", "end": "13:00", "reason": "a"},
                {"start": "12:30", "end": "14:00", "reason": "b"},
            ]
        },
    ],
)
def test_a_part_denies_until_just_before_it_clears(keys: Mapping[str, object]) -> None:
    judged, at = schedule(keys), utc("2025-03-01T00:07:00")
    for _ in range(800):
        for closure in judged.closures(at):
            assert closure.clears_at is not None
            assert closure.clears_at > at
            named = (closure.code, closure.detail)
            assert named in denying(judged, closure.clears_at - MICROSECOND)
            assert named not in denying(judged, closure.clears_at)
        at += timedelta(minutes=97)


def denying(judged: Schedule, at: datetime) -> list[tuple[str, str]]:
    return [(closure.code, closure.detail) for closure in judged.closures(at)]


def test_hours_clear_at_their_wall_clock_time_though_the_clocks_change_at_it() -> None:
    keys = {**STOCKHOLM, "start_hour": 3, "end_hour": 24}
    # At 03:00 the clocks go back to 02:00; half a year later 02:00 is 03:00.
    assert closures(keys, "2025-10-25T23:30:00") == [("OUTSIDE_HOURS", "3:00 - 24:00", "2025-10-26T02:00Z")]
    assert closures(keys, "2026-03-29T00:30:00") == [("OUTSIDE_HOURS", "3:00 - 24:00", "2026-03-29T01:00Z")]
    over_sunday = {"intervals": [{"days": ["mon"], "start": "09:00", "end": "17:00"}]}
    assert closures(over_sunday, "2025-06-07T12:00:00")[0][2] == "2025-06-09T09:00Z"


def test_an_open_instant_is_its_own_next_open_and_a_closed_one_its_own_next_close() -> None:
    nine_to_five = schedule({"start_hour": 9, "end_hour": 17})
    for opened in ("2025-06-03T09:00:00", "2025-06-03T16:59:59.999999"):
        assert nine_to_five.next_open(utc(opened)) == utc(opened)
        assert nine_to_five.next_close(utc(opened)) == utc("2025-06-03T17:00:00")
    for closed in ("2025-06-03T17:00:00", "2025-06-04T08:59:59.999999"):
        assert nine_to_five.next_close(utc(closed)) == utc(closed)
        assert nine_to_five.next_open(utc(closed)) == utc("2025-06-04T09:00:00")


def test_upcoming_turns_come_after_the_instant() -> None:
    nine_to_five = schedule({"start_hour": 9, "end_hour": 17})
    assert nine_to_five.upcoming(utc("2025-06-03T09:00:00"), 1) == (Turn(at=utc("2025-06-03T17:00:00"), opens=False),)
    assert nine_to_five.upcoming(utc("2025-06-03T09:00:00"), 0) == ()


def test_a_window_with_no_hour_never_opens() -> None:
    for keys in ({"start_hour": 9, "end_hour": 9}, {"start_hour": 22, "end_hour": 6}, {"start_hour": 0, "end_hour": 0}):
        never, at = schedule(keys), utc("2025-06-03T23:00:00")
        assert not never.is_open(at)
        assert never.next_open(at) is None
        assert never.upcoming(at, 3) == ()
        assert never.warning(at) == (
            "no opening is known from 2025-06-03T23:00:00.000000Z on: hours and blackouts leave none"
        )
        assert [(closure.code, closure.clears_at) for closure in never.closures(at)] == [("OUTSIDE_HOURS", None)]


def test_hours_under_a_blackout_of_their_own_never_open() -> None:
    blackout = {"start": "08:00", "end": "18:00", "reason": "closed down"}
    never = schedule({"start_hour": 9, "end_hour": 17, "weekly_blackouts": [blackout]})
    assert never.next_open(utc("2025-06-03T12:00:00")) is None
    assert [closure.clears_at for closure in never.closures(utc("2025-06-03T12:00:00"))] == [utc("2025-06-03T18:00:00")]


def test_the_default_window_never_closes() -> None:
    always, at = schedule({}), utc("2025-06-03T12:00:00")
    assert always.is_open(at)
    assert always.next_close(at) is None
    assert always.upcoming(at, 3) == ()
    assert always.closures(at) == ()
    assert (always.known_until, always.warning(at)) == (None, None)


def test_an_opening_in_more_than_ten_years_is_none() -> None:
    blackouts = [{"start": "2025-01-01T00:00:00Z", "end": "2036-01-01T00:00:00Z", "reason": "closed down"}]
    closed = schedule({"blackouts": blackouts})
    assert closed.next_open(utc("2025-06-03T12:00:00")) is None
    assert closed.next_open(utc("2027-06-03T12:00:00")) == utc("2036-01-01T00:00:00")


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_ends_of_time_have_an_answer(at: datetime, zone: str) -> None:
    hours = schedule({"start_hour": 12, "end_hour": 13, "timezone": zone})
    assert not hours.is_open(at)
    assert [closure.code for closure in hours.closures(at)] == ["OUTSIDE_HOURS"]
    hours.next_open(at)


def test_instants_come_in_any_zone_and_go_out_in_utc() -> None:
    nine_to_five = schedule({"start_hour": 9, "end_hour": 17})
    tokyo = datetime(2025, 6, 3, 20, tzinfo=timezone(timedelta(hours=9)))
    assert nine_to_five.is_open(tokyo)
    opened, closed = nine_to_five.next_open(tokyo), nine_to_five.next_close(tokyo)
    assert opened is not None
    assert closed is not None
    assert (opened.tzinfo, closed.tzinfo) == (UTC, UTC)
    assert (opened, closed) == (utc("2025-06-03T11:00:00"), utc("2025-06-03T17:00:00"))


def test_a_naive_instant_is_refused() -> None:
    for keys in ({}, {"start_hour": 9, "end_hour": 17}):
        with pytest.raises(TypeError, match=r"naive|not aware"):
            schedule(keys).is_open(datetime(2025, 6, 3, 12))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"start_hour": 9, "end_hour": 17}, "9:00 - 17:00"),
        (WEEKNIGHTS, "mon-fri 22:00 - 06:00 Europe/Stockholm"),
        ({"intervals": [{"start": "09:00", "end": "24:00"}]}, "mon-sun 09:00 - 24:00 UTC"),
        (
            {
                "intervals": [
                    {"days": ["sun", "wed", "tue"], "start": "09:00", "end": "12:00"},
                    {"days": ["fri"], "start": "13:00", "end": "17:00"},
                ]
            },
            "tue-wed, sun 09:00 - 12:00; fri 13:00 - 17:00 UTC",
        ),
        (
            {"intervals": [{"days": ["mon"], "start": f"{hour:02}:00", "end": f"{hour:02}:30"} for hour in range(7)]},
            "mon 00:00 - 00:30; mon 01:00 - 01:30; mon 02:00 - 02:30; mon 03:00 - 03:30; mon 04:00 - 04:30; "
            "and 2 more UTC",
        ),
    ],
)
def test_hours_have_words(keys: Mapping[str, object], words: str) -> None:
    assert trading_hours(WindowConfig.parse(keys)) == words


def test_a_config_has_one_schedule_for_all_threads() -> None:
    config, made, together = WindowConfig.parse({"start_hour": 9, "end_hour": 17}), set(), Barrier(8)

    def ask() -> None:
        together.wait()
        made.add(id(schedule_of(config)))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_pandas_stays_out_of_a_server_without_a_calendar(tmp_path: Path) -> None:
    script = """
import sys
from fastapi.testclient import TestClient
from fastapi_app.app import create_app
from fastapi_app.trading_window_async import TradingWindowAsync
TradingWindowAsync({"start_hour": 9})
with TestClient(create_app()) as client:
    assert client.get("/api/trading-window/can-trade").status_code == 200
    assert client.get("/api/windows/default/decision").status_code == 200
    assert client.get("/api/windows/default/schedule").status_code == 200
print(sorted({"pandas", "numpy", "exchange_calendars"} & sys.modules.keys()))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWINDOW_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert ran.stdout == "[]\n"
