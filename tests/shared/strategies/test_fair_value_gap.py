from decimal import Decimal
from typing import Any

import pytest

from shared.errors import InvalidField
from shared.strategies.fair_value_gap import FairValueGap
from tests.shared.strategies.markets import at, drifting, recorded, signals, spanning

# Each row is low, high, close. After the third there is a gap from 101 to 104, or from 96 to 99.
UP = [(99, 101, 101), (102, 106, 106), (104, 108, 107)]
DOWN = [(99, 101, 99), (94, 98, 94), (92, 96, 93)]

Row = tuple[str | int, str | int, str | int]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*UP, (103, 107, 105)], [(4, "enter", "long")]),
        ([*UP, (104, 107, 104)], [(4, "enter", "long")]),  # its top is enough
        ([*UP, (100, 107, 101)], [(4, "enter", "long")]),  # a close on its bottom still holds
        ([*UP, (100, 107, "100.9")], []),  # filled
        ([*UP, (100, 107, "100.9"), (100, 107, 105)], []),  # and that was its only test
        ([*UP, (103, 107, 105), (103, 107, 105)], [(4, "enter", "long")]),
        ([*UP, ("104.1", 108, 105), (103, 107, 105)], [(5, "enter", "long")]),
        ([*DOWN, (93, 97, 95)], [(4, "enter", "short")]),
        ([*DOWN, (93, 96, 96)], [(4, "enter", "short")]),
        ([*DOWN, (93, 100, 99)], [(4, "enter", "short")]),
        ([*DOWN, (93, 100, "99.1")], []),
        ([*DOWN, (93, 100, "99.1"), (93, 97, 95)], []),
        ([(99, 101, 101), (102, 106, 106), (101, 108, 107), (100, 105, 103)], []),  # they touch: no gap
        ([(99, 101, 99), (94, 98, 94), (92, 99, 93), (94, 100, 95)], []),
    ],
)
def test_a_gap_that_is_tested_and_holds_gives_a_signal(rows: list[Row], expected: list[tuple[int, str, str]]) -> None:
    assert signals(FairValueGap.of({}), spanning(*rows)) == expected


def test_the_newest_gap_counts() -> None:
    strategy = FairValueGap.of({})
    # The fifth candle makes one from 108 to 110; the sixth tests that, and the seventh the old one, which is forgotten.
    rows = [*UP, (107, 112, 112), (110, 114, 113), (109, 113, 111), (103, 110, 104)]
    assert signals(strategy, spanning(*rows)) == [(6, "enter", "long")]


def test_a_candle_on_which_both_directions_hold_gives_no_signal_and_ends_both() -> None:
    rows: list[Row] = [
        *UP,
        (105, 118, 118),
        (108, 120, 112),
        ("104.2", "104.8", "104.5"),  # a short gap from 104.8 to 105
        (104, "104.8", "104.5"),  # tests that one and the long one
        (104, "104.5", "104.2"),
    ]
    assert signals(FairValueGap.of({}), spanning(*rows)) == []


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, [(4, "enter", "long")]), ("3", [(4, "enter", "long")]), ("3.000000000000000000001", []), (100, [])],
)
def test_a_gap_has_to_be_wide_enough(percent: str | int, expected: list[tuple[int, str, str]]) -> None:
    rows = [(99, 100, 100), (101, 105, 105), (103, 108, 107), (102, 107, 105)]  # a gap from 100 to 103
    assert signals(FairValueGap.of({"min_gap_percent": percent}), spanning(*rows)) == expected


@pytest.mark.parametrize(("age", "expected"), [(2, []), (3, [(6, "enter", "long")])])
def test_a_gap_that_is_too_old_is_no_gap(age: int, expected: list[tuple[int, str, str]]) -> None:
    rows = [*UP, (105, 108, 107), (105, 108, 107), (103, 107, 105)]
    assert signals(FairValueGap.of({"max_age": age}), spanning(*rows)) == expected
    mirrored = [*DOWN, (92, 95, 93), (92, 95, 93), (93, 97, 95)]
    assert signals(FairValueGap.of({"max_age": age}), spanning(*mirrored)) == [
        (number, action, "short") for number, action, _ in expected
    ]


@pytest.mark.parametrize(
    ("direction", "rows", "expected"),
    [
        ("long", UP, (4, "enter", "long")),
        ("short", UP, (4, "exit", "short")),
        ("long", DOWN, (4, "exit", "long")),
        ("short", DOWN, (4, "enter", "short")),
    ],
)
def test_in_one_direction_the_other_turn_is_an_exit(
    direction: str, rows: list[Row], expected: tuple[int, str, str]
) -> None:
    test: Row = (103, 107, 105) if rows is UP else (93, 97, 95)
    assert signals(FairValueGap.of({"direction": direction}), spanning(*rows, test)) == [expected]


def test_a_signal_says_why_when_and_at_which_price() -> None:
    strategy = FairValueGap.of({})
    *_, signal = [strategy.on_candle(candle) for candle in spanning(*UP, (103, 107, "105.50"))]
    assert signal is not None
    assert signal.reason == "the long fair value gap from 101 to 104 was tested and held"
    assert signal.timestamp == at(3)
    assert str(signal.price) == "105.50"


def test_the_warm_up_is_three_candles() -> None:
    assert FairValueGap.of({}).warm_up == 3
    for seed in range(20):
        assert all(number > 3 for number, *_ in signals(FairValueGap.of({}), drifting(seed, length=10)))


def test_a_flat_market_has_no_gaps() -> None:
    assert signals(FairValueGap.of({"min_gap_percent": 0}), spanning(*[("0.1", "0.1", "0.1")] * 100)) == []


def test_the_first_gaps_on_recorded_candles() -> None:
    """Read off the file by hand: highs and lows of its first seven rows."""
    candles = recorded()[:7]
    strategy = FairValueGap.of({})
    answers = [strategy.on_candle(candle) for candle in candles]
    assert [answer.reason if answer else None for answer in answers] == [None] * 6 + [
        "the long fair value gap from 46385.0 to 46411.0 was tested and held"
    ]


WIDTH = "a number from 0 to 100"
AGE = "a whole number from 1 to 10000"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"min_gap_percent": -1}, f"min_gap_percent: -1 is not {WIDTH}"),
        ({"min_gap_percent": Decimal("100.1")}, f"min_gap_percent: 100.1 is not {WIDTH}"),
        ({"min_gap_percent": "wide"}, f'min_gap_percent: "wide" is not {WIDTH}'),
        ({"min_gap_percent": "NaN"}, f'min_gap_percent: "NaN" is not {WIDTH}'),
        ({"min_gap_percent": True}, f"min_gap_percent: true is not {WIDTH}"),
        ({"min_gap_percent": None}, f"min_gap_percent: null is not {WIDTH}"),
        ({"max_age": 0}, f"max_age: 0 is not {AGE}"),
        ({"max_age": 10_001}, f"max_age: 10001 is not {AGE}"),
    ],
    ids=ascii,
)
def test_a_wrong_parameter_is_refused_by_field_value_and_bound(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        FairValueGap.of(parameters)
    assert str(caught.value) == sentence
