from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from fastapi_app.window.trading_day import next_turn, trading_day
from shared.errors import CalendarUnavailable
from shared.window_config import WindowConfig
from tests.fastapi_app.window.on_the_wall import utc

MICROSECOND = timedelta(microseconds=1)


def assert_turns(keys: Mapping[str, object], turns: list[tuple[str, str]], first: str) -> None:
    """From the day `first` on, each day begins exactly at the instant listed with it."""
    config, at, day = WindowConfig.parse(keys), utc(turns[0][0]) - timedelta(hours=2), first
    for begins, then in turns:
        assert trading_day(config, at) == day
        assert next_turn(config, at) == utc(begins)
        assert trading_day(config, utc(begins) - MICROSECOND) == day
        at, day = utc(begins), then
    assert trading_day(config, at) == day


def test_a_day_turns_at_midnight_of_the_zone() -> None:
    assert_turns(
        {"timezone": "Europe/Stockholm"},
        [("2025-03-29T23:00:00", "2025-03-30"), ("2025-03-30T22:00:00", "2025-03-31")],
        first="2025-03-29",
    )


def test_a_day_may_turn_in_a_zone_of_its_own() -> None:
    keys = {"timezone": "Europe/Stockholm", "day_timezone": "America/New_York", "day_turns_at": "17:00"}
    assert_turns(
        keys, [("2025-06-02T21:00:00", "2025-06-02"), ("2025-06-03T21:00:00", "2025-06-03")], first="2025-06-01"
    )


def test_a_day_that_turns_in_the_repeated_hour_begins_the_first_time() -> None:
    keys = {"timezone": "America/New_York", "day_turns_at": "01:30"}
    assert_turns(
        keys, [("2025-11-02T05:30:00", "2025-11-02"), ("2025-11-03T06:30:00", "2025-11-03")], first="2025-11-01"
    )
    at_one_again = utc("2025-11-02T06:10:00")
    assert trading_day(WindowConfig.parse(keys), at_one_again) == "2025-11-02"


def test_a_day_that_turns_in_the_skipped_hour_begins_as_the_clocks_skip_it() -> None:
    keys = {"timezone": "America/New_York", "day_turns_at": "02:30"}
    assert_turns(
        keys, [("2025-03-09T07:00:00", "2025-03-09"), ("2025-03-10T06:30:00", "2025-03-10")], first="2025-03-08"
    )


def test_a_midnight_that_is_skipped_is_one_o_clock() -> None:
    keys = {"timezone": "Africa/Cairo"}
    assert_turns(
        keys, [("2025-04-24T22:00:00", "2025-04-25"), ("2025-04-25T21:00:00", "2025-04-26")], first="2025-04-24"
    )


def test_a_midnight_that_comes_twice_turns_the_day_once() -> None:
    keys = {"timezone": "America/Havana", "day_turns_at": "00:30"}
    assert_turns(
        keys, [("2025-11-02T04:30:00", "2025-11-02"), ("2025-11-03T05:30:00", "2025-11-03")], first="2025-11-01"
    )


def test_a_date_that_a_zone_skips_is_no_day() -> None:
    assert_turns(
        {"timezone": "Pacific/Apia"},
        [("2011-12-30T10:00:00", "2011-12-31"), ("2011-12-31T10:00:00", "2012-01-01")],
        first="2011-12-29",
    )


def test_a_date_that_a_zone_has_twice_is_one_day() -> None:
    keys = {"timezone": "Pacific/Kwajalein"}
    assert_turns(
        keys, [("1969-09-29T13:00:00", "1969-09-30"), ("1969-10-01T12:00:00", "1969-10-01")], first="1969-09-29"
    )


def test_a_chicago_session_opens_the_evening_before_its_date() -> None:
    keys = {"calendar": "CMES", "day_turns_at": "session", "timezone": "America/Chicago"}
    assert_turns(
        keys,
        [("2025-06-01T22:00:00", "2025-06-02"), ("2025-06-02T22:00:00", "2025-06-03")],
        first="2025-05-30",
    )


def test_a_session_lasts_until_the_next_one_opens() -> None:
    keys = {"calendar": "XNYS", "day_turns_at": "session"}
    assert_turns(
        keys,
        [
            ("2025-11-26T14:30:00", "2025-11-26"),
            ("2025-11-28T14:30:00", "2025-11-28"),
            ("2025-12-01T14:30:00", "2025-12-01"),
        ],
        first="2025-11-25",
    )


def test_before_the_first_session_it_is_the_date_in_utc() -> None:
    keys = {"calendar": "XASX", "day_turns_at": "session", "timezone": "Australia/Sydney"}
    assert_turns(
        keys,
        [
            ("2010-01-02T00:00:00", "2010-01-02"),
            ("2010-01-03T00:00:00", "2010-01-03"),
            ("2010-01-03T23:00:00", "2010-01-04"),
        ],
        first="2010-01-01",
    )
    assert trading_day(WindowConfig.parse(keys), utc("1999-12-31T23:59:59.999999")) == "1999-12-31"


def test_the_last_session_that_is_known_goes_on() -> None:
    config = WindowConfig.parse({"calendar": "XSHG", "day_turns_at": "session"})
    far, farther = utc("2099-01-01T00:00:00"), utc("2199-01-01T00:00:00")
    assert trading_day(config, far) == trading_day(config, farther)
    assert next_turn(config, far) is None


def test_a_session_of_no_calendar_can_t_be_had() -> None:
    with pytest.raises(CalendarUnavailable, match="the calendar NOWHERE can't be had"):
        trading_day(WindowConfig.parse({"calendar": "NOWHERE", "day_turns_at": "session"}), utc("2025-06-03T00:00:00"))


def test_the_last_day_of_all_has_no_turn() -> None:
    config, last = WindowConfig(), datetime.max.replace(tzinfo=UTC)
    assert trading_day(config, last) == "9999-12-31"
    assert next_turn(config, last) is None
    assert trading_day(config, datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01"
