"""What wrk prints, and the arithmetic behind the document, against literals."""

from datetime import date

import pytest

from tests.benchmarks.figures import Spread, Verdict, percentile, ratios, spread
from tests.benchmarks.load import WrongAnswers, parse_load
from tests.benchmarks.report import Run, Section, Table, document, ratio_text

WRK = """\
Running 3s test @ http://127.0.0.1:40123/api/trading-window/can-trade
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.11ms    1.02ms  23.50ms   91.21%%
    Req/Sec    10.53k   466.56    11.16k    80.00%%
  31530 requests in 3.00s, 5.32MB read
Requests/sec:  10505.12
Transfer/sec:      1.77MB
{"requests": 31530, "microseconds": 3000000, "p50": 5980, "p99": 11250, "connect": 0, "read": 0, "write": 0, %s}
"""
NO_ERRORS = '"status": 0, "timeout": 0'


def test_a_load_is_read_from_what_wrk_prints() -> None:
    load = parse_load(WRK % NO_ERRORS)

    assert (load.requests, load.seconds, load.p50_ms, load.p99_ms) == (31530, 3.0, 5.98, 11.25)
    assert load.rate == 10510.0


def test_a_load_with_a_wrong_answer_is_no_figure() -> None:
    with pytest.raises(WrongAnswers, match=r"^of 31530 requests some failed: status 7, timeout 2$"):
        parse_load(WRK % '"status": 7, "timeout": 2')


def test_a_load_without_an_answer_is_no_figure() -> None:
    with pytest.raises(WrongAnswers, match="no request was answered"):
        parse_load((WRK % NO_ERRORS).replace('"requests": 31530', '"requests": 0'))


def test_a_spread_is_median_lowest_and_highest() -> None:
    assert spread([5.0, 1.0, 3.0]) == Spread(median=3.0, low=1.0, high=5.0)
    assert spread([4.0, 1.0, 2.0, 8.0]) == Spread(median=3.0, low=1.0, high=8.0)


def test_ratios_are_taken_round_by_round() -> None:
    # The second round was slow for both: 500/1000, 100/100, 300/400.
    assert ratios([500, 100, 300], [1000, 100, 400]) == Spread(median=0.75, low=0.5, high=1.0)


def test_ratios_need_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        (list(range(1, 101)), 99, 99),
        (list(range(1, 201)), 99, 198),
        ([30, 10, 20], 50, 20),
        ([30, 10, 20], 99, 30),
        ([7], 99, 7),
    ],
)
def test_percentile_by_nearest_rank(values: list[float], percent: int, expected: float) -> None:
    assert percentile(values, percent) == expected


@pytest.mark.parametrize(("median", "met", "aim_met"), [(0.79, False, False), (0.80, True, False), (0.90, True, True)])
def test_a_verdict_goes_by_the_median(median: float, met: bool, aim_met: bool) -> None:
    verdict = Verdict(what="", ratio=Spread(median=median, low=0.1, high=9.9), floor=0.80, aim=0.90)

    assert (verdict.met, verdict.aim_met) == (met, aim_met)


def test_a_ceiling_must_not_be_passed() -> None:
    flat, steep = (
        Verdict(what="", ratio=Spread(median=median, low=1.0, high=9.9), ceiling=1.2) for median in (1.2, 1.21)
    )

    assert flat.met
    assert not steep.met


@pytest.mark.parametrize(
    ("low", "high", "met"), [(0.97, 1.02, True), (0.97, 1.0, True), (1.01, 1.04, True), (0.97, 0.99, False)]
)
def test_nothing_is_lost_where_the_best_round_comes_up_to_one(low: float, high: float, met: bool) -> None:
    assert Verdict(what="", ratio=Spread(median=high, low=low, high=high), reaches=1).met is met


def test_the_document_shows_bounds_and_sections() -> None:
    run = Run(day=date(2025, 6, 2), rounds=5, seconds=3, minutes=9.6, machine=[("system", "Linux")], pinned=True)
    met = Verdict(what="fast", ratio=Spread(median=0.854, low=0.8, high=0.9), floor=0.80, aim=0.90)
    missed = Verdict(what="flat", ratio=Spread(median=1.5, low=1.4, high=1.6), ceiling=1.2)
    same = Verdict(what="same", ratio=Spread(median=1.01, low=0.99, high=1.02), reaches=1)
    table = Table(head=("server", "requests/s"), rows=[("native", "10,510")])

    text = document(run, [Section(title="A part", blocks=("Why.", table), verdicts=(met, missed, same))])

    assert "Measured on 2025-06-02 in 9.6 min; rounds: 5; 3 s a measurement" in " ".join(text.split())
    assert "- system: Linux\n" in text
    assert "| fast | 0.85 (0.80-0.90) | ≥ 0.80 | met | ≥ 0.90: missed |\n" in text
    assert "| same | 1.01 (0.99-1.02) | up to 1.00 | met |  |\n" in text
    assert "| flat | 1.50 (1.40-1.60) | ≤ 1.20 | **missed** |  |\n" in text
    assert text.endswith("## A part\n\nWhy.\n\n| server | requests/s |\n| --- | ---: |\n| native | 10,510 |\n")


def test_a_document_without_bounds_has_no_table_of_them() -> None:
    run = Run(day=date(2025, 6, 2), rounds=1, seconds=1, minutes=1, machine=[("system", "Linux")], pinned=False)

    text = document(run, [Section(title="A part", blocks=())])

    assert "The bounds" not in text
    assert "**Nothing was pinned to a core**" in " ".join(text.split())


def test_a_ratio_is_shown_with_its_lowest_and_highest() -> None:
    assert ratio_text(Spread(median=2.0, low=1.994, high=13.0)) == "2.00 (1.99-13.00)"
