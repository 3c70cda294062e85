import pytest

from fastapi_app.cutover.candidates import limits
from fastapi_app.cutover.candidates.limits import FullMismatches, HangingCandidates, HeavyCandidates
from shared.modes import Side

ENDPOINT, OTHER = "GET /items", "GET /orders"


class Time:
    """The event loop's, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(limits, "_now", lambda: self.now)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def test_two_long_stretches_in_a_row_rest_an_endpoint_for_four_hundred_times_the_last(time: Time) -> None:
    heavy = HeavyCandidates()

    heavy.note(ENDPOINT, 0.030, too_large=False)
    assert not heavy.rests(ENDPOINT)
    heavy.note(ENDPOINT, 0.025, too_large=False)

    assert heavy.rests(ENDPOINT)
    assert not heavy.rests(OTHER)
    time.now += 9.99
    assert heavy.rests(ENDPOINT)
    time.now += 0.02
    assert not heavy.rests(ENDPOINT)


def test_one_long_stretch_may_be_chance(time: Time) -> None:
    heavy = HeavyCandidates()

    for seconds in (0.5, 0.02, 0.5, 0.001, 0.5):
        heavy.note(ENDPOINT, seconds, too_large=False)
        time.now += 0.01
        assert not heavy.rests(ENDPOINT)


def test_an_answer_over_the_limit_rests_its_endpoint_for_a_second(time: Time) -> None:
    heavy = HeavyCandidates()

    heavy.note(ENDPOINT, 0.0001, too_large=True)

    time.now += 0.99
    assert heavy.rests(ENDPOINT)
    time.now += 0.02
    assert not heavy.rests(ENDPOINT)


def test_a_large_answer_that_computes_for_long_rests_its_endpoint_for_the_longer_of_the_two(time: Time) -> None:
    heavy = HeavyCandidates()

    heavy.note(ENDPOINT, 0.020, too_large=True)

    time.now += 7.99
    assert heavy.rests(ENDPOINT)
    time.now += 0.02
    assert not heavy.rests(ENDPOINT)


def test_one_that_ran_beside_a_heavy_one_does_not_end_its_rest(time: Time) -> None:
    heavy = HeavyCandidates()

    heavy.note(ENDPOINT, 0.020, too_large=True)
    heavy.note(ENDPOINT, 0.001, too_large=True)

    time.now += 7.99
    assert heavy.rests(ENDPOINT)
    time.now += 0.02
    assert not heavy.rests(ENDPOINT)


def test_the_first_one_after_a_rest_runs_alone(time: Time) -> None:
    heavy = HeavyCandidates()
    heavy.note(ENDPOINT, 0.020, too_large=True)
    time.now += 8.01

    heavy.begin(ENDPOINT, "first")

    assert heavy.rests(ENDPOINT)
    assert not heavy.rests(OTHER)
    # One that began before the rest.
    heavy.note(ENDPOINT, 0.001, too_large=False)
    heavy.end(ENDPOINT, "earlier")
    assert heavy.rests(ENDPOINT)
    heavy.note(ENDPOINT, 0.010, too_large=True)
    heavy.end(ENDPOINT, "first")
    time.now += 3.99
    assert heavy.rests(ENDPOINT)
    time.now += 0.02
    assert not heavy.rests(ENDPOINT)


def test_after_a_rest_one_that_ends_soon_makes_way_for_others(time: Time) -> None:
    heavy = HeavyCandidates()
    heavy.note(ENDPOINT, 0.020, too_large=True)
    time.now += 8.01
    heavy.begin(ENDPOINT, "first")

    heavy.note(ENDPOINT, 0.001, too_large=False)
    heavy.end(ENDPOINT, "first")

    assert not heavy.rests(ENDPOINT)
    heavy.begin(ENDPOINT, "second")
    assert not heavy.rests(ENDPOINT)


def test_native_candidates_that_hang_now_and_then_stop_their_endpoint_after_a_hundred() -> None:
    stopped: list[tuple[str, Side, str]] = []
    hanging = HangingCandidates(lambda *told: stopped.append(told), concurrency=8, timeout_seconds=5.0)
    for _ in range(100):
        assert stopped == []
        hanging.note(ENDPOINT, "legacy", overdue=True)
        hanging.note(ENDPOINT, "native", overdue=False)
        hanging.note(OTHER, "native", overdue=True)
        hanging.note(OTHER, "native", overdue=False)
    assert stopped == [(OTHER, "native", "100 native candidates took over 5 s")]
    hanging.note(OTHER, "native", overdue=True)
    assert len(stopped) == 1


def test_twenty_mismatches_are_kept_at_once_and_then_so_many_a_second(time: Time) -> None:
    full = FullMismatches(per_second=2)

    assert [full.take(ENDPOINT, body_bytes=100) for _ in range(25)] == [True] * 20 + [False] * 5
    assert full.take(OTHER, body_bytes=100)
    time.now += 0.4
    assert not full.take(ENDPOINT, body_bytes=100)
    time.now += 0.2
    assert [full.take(ENDPOINT, body_bytes=100) for _ in range(2)] == [True, False]
    time.now += 3_600
    assert [full.take(ENDPOINT, body_bytes=100) for _ in range(25)] == [True] * 20 + [False] * 5


def test_a_mismatch_of_two_megabytes_stands_for_thirty_two(time: Time) -> None:
    full = FullMismatches(per_second=2)

    assert full.take(ENDPOINT, body_bytes=2 * 2**20)
    # Of 20 are 12 too many taken: 13 more, at 2 a second, make one.
    time.now += 6.4
    assert not full.take(ENDPOINT, body_bytes=100)
    time.now += 0.2
    assert full.take(ENDPOINT, body_bytes=100)


def test_with_a_rate_of_none_only_the_first_are_kept(time: Time) -> None:
    full = FullMismatches(per_second=0)

    kept = [full.take(ENDPOINT, body_bytes=100) for _ in range(21)]
    time.now += 1e6

    assert kept == [True] * 20 + [False]
    assert not full.take(ENDPOINT, body_bytes=100)
