"""When a window opens and closes, over HTTP."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import Bench


async def test_the_next_opens_and_closes_of_an_overnight_window(bench: Bench) -> None:
    overnight = {"days": ["mon", "fri"], "start": "22:00", "end": "06:00"}
    path = await bench.made(timezone="Europe/Stockholm", intervals=[overnight])
    assert await bench.get(f"{path}/schedule", limit=4) == {
        "is_open": False,
        "upcoming": [
            {"opens": True, "at": "2025-03-03T21:00:00.000000Z"},
            {"opens": False, "at": "2025-03-04T05:00:00.000000Z"},
            {"opens": True, "at": "2025-03-07T21:00:00.000000Z"},
            {"opens": False, "at": "2025-03-08T05:00:00.000000Z"},
        ],
        "known_until": None,
        "warning": None,
    }
    at_the_change_to_summer_time = "2025-03-28T22:00:00+01:00"
    summer = await bench.get(f"{path}/schedule", at=at_the_change_to_summer_time, limit=3)
    assert summer["is_open"] is True
    assert summer["upcoming"] == [
        {"opens": False, "at": "2025-03-29T05:00:00.000000Z"},
        {"opens": True, "at": "2025-03-31T20:00:00.000000Z"},
        {"opens": False, "at": "2025-04-01T04:00:00.000000Z"},
    ]


async def test_ten_turns_are_told_unless_another_number_is_given(bench: Bench) -> None:
    path = await bench.made(start_hour=9, end_hour=17)
    assert len((await bench.get(f"{path}/schedule"))["upcoming"]) == 10
    assert len((await bench.get(f"{path}/schedule", limit=500))["upcoming"]) == 500


async def test_a_calendar_says_how_far_it_knows_and_warns_before(bench: Bench) -> None:
    path = await bench.made(calendar="XSTO")
    noon = await bench.get(f"{path}/schedule", limit=2)
    assert noon["upcoming"] == [
        {"opens": False, "at": "2025-03-03T16:30:00.000000Z"},
        {"opens": True, "at": "2025-03-04T08:00:00.000000Z"},
    ]
    known_until = noon["known_until"]
    assert known_until > "2026-01-01"
    assert noon["warning"] is None
    end = await bench.get(f"{path}/schedule", at=known_until)
    assert (end["is_open"], end["upcoming"]) == (False, [])
    assert end["warning"].startswith(f"the calendar XSTO is known until {known_until}, and from then on the window")


OVERNIGHT_AT_AN_EXCHANGE: dict[str, Any] = {"intervals": [{"start": "22:00", "end": "06:00"}], "calendar": "XSTO"}


async def test_a_window_that_never_opens_says_so(bench: Bench) -> None:
    path = await bench.made(**OVERNIGHT_AT_AN_EXCHANGE)
    schedule = await bench.get(f"{path}/schedule", at="2025-03-03T12:00:00Z")
    sentence = "no opening is known from 2025-03-03T12:00:00.000000Z on: hours, calendar and blackouts leave none"
    assert (schedule["upcoming"], schedule["warning"]) == ([], sentence)
    assert (await bench.get(path))["warning"] == sentence
    # Its hours clear by themselves, and nothing else denied at noon.
    decision = await bench.get(f"{path}/decision", at="2025-03-03T12:00:00Z")
    assert [(one["code"], one["clears_at"]) for one in decision["reasons"]] == [
        ("OUTSIDE_HOURS", "2025-03-03T22:00:00.000000Z")
    ]
    at_ten = await bench.get(f"{path}/decision", at="2025-03-03T22:00:00Z")
    assert [one["code"] for one in at_ten["reasons"]] == ["CALENDAR_CLOSED"]


async def test_a_config_by_which_a_window_never_opens_is_taken_and_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    path = await bench.made(start_hour=9, end_hour=17)
    assert caplog.messages == []
    await bench.ask("PUT", f"{path}/config", OVERNIGHT_AT_AN_EXCHANGE)
    new = {"window_id": "never", "config": {"start_hour": 22, "end_hour": 6}}
    await bench.ask("POST", "/api/windows", new, status=201)
    assert caplog.messages == [
        "window 'desk': no opening is known from 2025-03-03T12:00:00.000000Z on: hours, calendar and blackouts leave "
        "none",
        "window 'never': no opening is known from 2025-03-03T12:00:00.000000Z on: hours and blackouts leave none",
    ]
