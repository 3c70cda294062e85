from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import time_machine

from shared.clock import FrozenClock, SystemClock, aware

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (datetime(2025, 3, 3, 12, tzinfo=UTC), "2025-03-03T12:00:00+00:00"),
        (datetime(2025, 3, 3, 12, tzinfo=timezone(timedelta(hours=-5, minutes=-30))), "2025-03-03T17:30:00+00:00"),
        (datetime(2025, 7, 1, 0, 30, 0, 7, tzinfo=ZoneInfo("Europe/Stockholm")), "2025-06-30T22:30:00.000007+00:00"),
        # 2:30 comes twice when Stockholm's summer ends: first at +02:00, then at +01:00.
        (datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Stockholm")), "2025-10-26T00:30:00+00:00"),
        (datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Stockholm"), fold=1), "2025-10-26T01:30:00+00:00"),
    ],
)
def test_an_aware_instant_is_turned_to_utc(given: datetime, expected: str) -> None:
    assert aware(given).isoformat() == expected
    assert aware(given).tzinfo is UTC


def test_a_naive_instant_is_refused() -> None:
    naive = datetime(2025, 3, 3, 12)  # noqa: DTZ001 - the point of the test
    sentence = "instant: 2025-03-03T12:00:00 is not aware of its time zone"
    with pytest.raises(ValueError, match=sentence):
        aware(naive)
    with pytest.raises(ValueError, match=sentence):
        FrozenClock(naive)
    clock = FrozenClock(NOON)
    with pytest.raises(ValueError, match=sentence):
        clock.set(naive)
    assert clock.now() == NOON


def test_the_system_clock_is_the_machine_s_in_utc() -> None:
    with time_machine.travel(datetime(2025, 3, 3, 23, 59, 59, 999999, tzinfo=UTC), tick=False):
        assert SystemClock().now().isoformat() == "2025-03-03T23:59:59.999999+00:00"
    with time_machine.travel(datetime(2025, 3, 3, 9, tzinfo=ZoneInfo("Asia/Tokyo")), tick=False):
        assert SystemClock().now().isoformat() == "2025-03-03T00:00:00+00:00"


def test_a_frozen_clock_moves_only_when_told_to() -> None:
    clock = FrozenClock(datetime(2025, 3, 3, 13, tzinfo=timezone(timedelta(hours=1))))
    assert [clock.now().isoformat() for _ in range(3)] == ["2025-03-03T12:00:00+00:00"] * 3
    clock.step(timedelta(hours=13))
    assert clock.now().isoformat() == "2025-03-04T01:00:00+00:00"
    clock.step(timedelta(microseconds=-1))
    assert clock.now().isoformat() == "2025-03-04T00:59:59.999999+00:00"
    clock.set(NOON)
    assert clock.now() == NOON
