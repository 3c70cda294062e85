from datetime import UTC, datetime, timedelta

import pytest

from fastapi_app.cli.replay_axes import amount_axis, time_axis

YEAR_END = datetime(2021, 12, 31, 23, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (32_837, 48_080, ["30,000", "35,000", "40,000", "45,000", "50,000"]),
        (8_870.25, 10_102.86, ["8,500", "9,000", "9,500", "10,000", "10,500"]),
        (46_319, 46_475, ["46,300", "46,350", "46,400", "46,450", "46,500"]),
        (0.00001234, 0.00001251, ["0.00001230", "0.00001235", "0.00001240", "0.00001245", "0.00001250", "0.00001255"]),
        (-3, 1, ["-3", "-2", "-1", "0", "1"]),
        (10_000, 10_000, ["9,900", "9,950", "10,000", "10,050", "10,100"]),
        (0, 0, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
    ],
)
def test_amounts_have_round_ticks_that_hold_all_of_them(low: float, high: float, told: list[str]) -> None:
    place, ticks = amount_axis(low, high, 310, 10)
    assert [tick.text for tick in ticks] == told
    assert (ticks[0].at, ticks[-1].at) == (310, 10)
    assert 10 <= place(high) <= place(low) <= 310


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(minutes=1), ["23:01", "23:02"]),
        (timedelta(minutes=19), ["23:05", "23:10", "23:15", "23:20"]),
        (timedelta(hours=12), ["Jan 1", "03:00", "06:00", "09:00"]),
        (timedelta(days=31), ["Jan 6", "Jan 13", "Jan 20", "Jan 27"]),
        (timedelta(days=400), ["2022-01", "2022-04", "2022-07", "2022-10", "2023-01"]),
        (timedelta(days=1_900), ["2022-01", "2024-01", "2026-01"]),
    ],
)
def test_times_have_ticks_at_whole_units(length: timedelta, told: list[str]) -> None:
    place, ticks = time_axis(YEAR_END, YEAR_END + length)
    assert [tick.text for tick in ticks] == told
    assert (place(YEAR_END), place(YEAR_END + length)) == (0, 100)
