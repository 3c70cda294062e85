"""What a timeline answers is the same however it is compiled and kept, and what it keeps is bounded."""

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Thread

import pytest

from fastapi_app.window.micros import Micros, instant_of, micros_of
from fastapi_app.window.schedule import schedule_of
from fastapi_app.window.timeline import Shelf, Timeline
from shared.window_config import WindowConfig

FIRST, YEARS = datetime(2010, 1, 1, tzinfo=UTC), 18
MINUTE = timedelta(minutes=1)


def instants(seed: int, count: int) -> list[datetime]:
    """At random over the years, to the microsecond."""
    random = Random(seed)
    return [FIRST + random.random() * timedelta(days=365 * YEARS) for _ in range(count)]


class Written:
    """A value that changes at the instants of a list; notes what it was asked to compile."""

    def __init__(self, edges: Sequence[datetime]) -> None:
        self._edges = [datetime.min.replace(tzinfo=UTC), *sorted(edges)]
        self.compiled: list[Micros] = []

    def compile(self, start: Micros, end: Micros) -> list[tuple[Micros, int]]:
        self.compiled.append(start)
        within = [(micros_of(edge), n) for n, edge in enumerate(self._edges) if start < micros_of(edge) < end]
        return [(start, self.value(instant_of(start))), *within]

    def value(self, at: datetime) -> int:
        return sum(edge <= at for edge in self._edges) - 1

    def after(self, at: datetime, count: int) -> list[datetime]:
        return [edge for edge in self._edges if edge > at][:count]


@contextmanager
def allocating_at_most(megabytes: float) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1e6


@pytest.mark.parametrize("most_edges", [1, 60, 10**9])
@pytest.mark.parametrize("piece_days", [1, 7, 28, 5000])
def test_piece_size_and_eviction_change_no_answer(piece_days: int, most_edges: int) -> None:
    edges = [*instants(1, 150), *(FIRST + timedelta(days=2000, microseconds=n) for n in range(3))]
    written = Written(edges)
    timeline = Timeline(written.compile, piece_days=piece_days, shelf=Shelf(most_edges))
    for at in [*instants(2, 300), *edges, *(edge - timedelta(microseconds=1) for edge in edges)]:
        assert timeline.at(at) == written.value(at)
        since, until, value = timeline.span(at)
        assert since <= at < until
        assert value == written.value(since) == written.value(until - timedelta(microseconds=1))
    for at in instants(3, 3):
        changes = timeline.changes(at)
        for edge in written.after(at, 20):
            assert next(changes) == (edge, written.value(edge))


def test_years_of_an_ordinary_value_are_compiled_once() -> None:
    def daily(start: Micros, end: Micros) -> list[tuple[Micros, int]]:
        compiled.append(start)
        return [(since, since) for since in range(start, end, 43_200_000_000)]

    compiled: list[Micros] = []
    timeline = Timeline(daily)
    for at in instants(4, 4000) * 2:
        timeline.at(at)
    assert len(compiled) == len(set(compiled)) <= 365 * YEARS // 28 + 2


def test_what_is_kept_is_bounded_over_all_timelines_and_the_oldest_goes() -> None:
    def every_minute(start: Micros, end: Micros) -> list[tuple[Micros, int]]:
        compiled.append(start)
        return [(since, since) for since in range(start, end, 60_000_000)]

    compiled: list[Micros] = []
    shelf = Shelf(15_000)
    timelines = [Timeline(every_minute, piece_days=1, shelf=shelf) for _ in range(3)]
    days = [FIRST + timedelta(days=number) for number in range(30)]
    # Ten days of 1,440 edges: 96 bytes each with its value; all of them would be 90 days.
    with allocating_at_most(2.5):
        for day in days:
            for timeline in timelines:
                timeline.at(day)
    compiled.clear()
    for day in days[-3:]:
        for timeline in timelines:
            timeline.at(day)
    assert compiled == []
    timelines[0].at(days[0])
    assert compiled == [micros_of(days[0])]


def test_a_piece_beyond_the_bound_is_kept_until_the_next() -> None:
    written = Written([FIRST + n * MINUTE for n in range(1440)])
    timeline = Timeline(written.compile, piece_days=1, shelf=Shelf(100))
    for minutes in range(0, 1440, 60):
        assert timeline.at(FIRST + minutes * MINUTE) == minutes + 1
    assert len(written.compiled) == 1


def test_threads_that_push_each_others_pieces_out_get_their_answers() -> None:
    written = Written(instants(5, 100))
    timeline = Timeline(written.compile, shelf=Shelf(30))
    wrong: list[datetime] = []

    def ask(seed: int) -> None:
        wrong.extend(at for at in instants(seed, 400) if timeline.at(at) != written.value(at))

    threads = [Thread(target=ask, args=(seed,)) for seed in range(6, 12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def wall(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def test_the_densest_schedule_is_right_and_compiled_by_the_day() -> None:
    blackouts = [{"start": wall(n), "end": wall(n + 900), "reason": f"since {n}"} for n in range(500)]
    config = WindowConfig.parse(
        {
            "intervals": [{"start": wall(2 * n), "end": wall(2 * n + 1)} for n in range(500)],
            "weekly_blackouts": blackouts[1:500:2],
        }
    )
    dense = schedule_of(config)
    # A day has 1,250 edges of up to 150 bytes; 28 days of them would be 5 MB.
    with allocating_at_most(1.5):
        dense.is_open(FIRST)
    for at in instants(12, 60):
        minute = at.hour * 60 + at.minute
        denying = [f"since {n}" for n in range(1, 500, 2) if n <= minute < n + 900]
        outside = minute % 2 == 1 or minute >= 1000
        assert [closure.code for closure in dense.closures(at)].count("OUTSIDE_HOURS") == outside
        assert [closure.detail for closure in dense.closures(at)][outside:] == denying
        assert dense.is_open(at) is not (outside or denying != [])
