"""A strategy that is restored from its snapshot, at any candle, goes on as if nothing had happened."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.candle import Candle
from shared.errors import InvalidField
from shared.strategies.base import Signal
from shared.strategies.ema_crossover import EmaCrossover
from shared.strategies.fair_value_gap import FairValueGap
from shared.strategies.registry import AnyStrategy
from shared.strategies.rsi import RsiReversal
from tests.shared.strategies.markets import drifting, spanning

QUICK: list[tuple[type[AnyStrategy], dict[str, Any]]] = [
    (EmaCrossover, {"fast": 1, "slow": 3}),
    (RsiReversal, {"period": 2, "oversold": 40, "overbought": 60}),
    (FairValueGap, {"min_gap_percent": "0.01", "max_age": 5}),
]
each_strategy = pytest.mark.parametrize(("strategy", "parameters"), QUICK, ids=[kind.name for kind, _ in QUICK])

cents = st.integers(min_value=900, max_value=1100)
rows = st.tuples(cents, cents, cents).map(sorted).map(lambda row: (row[0], row[2], row[1]))


def through_json(snapshot: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(snapshot, allow_nan=False))
    assert copy == snapshot  # JSON values only, and none that JSON changes
    return copy


def assert_a_kill_at_every_candle_changes_nothing(
    strategy: type[AnyStrategy], parameters: dict[str, Any], candles: list[Candle]
) -> list[Signal]:
    """The signals of an unbroken run, after a second one was restored before each candle."""
    unbroken = strategy.of(parameters)
    snapshot = unbroken.snapshot()
    given = []
    for candle in candles:
        restored = strategy.of(parameters)
        restored.restore(through_json(snapshot))
        signal = unbroken.on_candle(candle)
        assert restored.on_candle(candle) == signal
        snapshot = restored.snapshot()
        assert snapshot == unbroken.snapshot()
        assert restored.last_timestamp == candle.timestamp
        if signal is not None:
            given.append(signal)
    return given


@each_strategy
@settings(deadline=None, max_examples=50)
@given(rows=st.lists(rows, min_size=1, max_size=25))
def test_a_kill_at_every_candle_changes_nothing(
    strategy: type[AnyStrategy], parameters: dict[str, Any], rows: list[tuple[int, int, int]]
) -> None:
    assert_a_kill_at_every_candle_changes_nothing(strategy, parameters, spanning(*rows))


@each_strategy
def test_nor_does_it_on_a_long_walk_with_many_signals(strategy: type[AnyStrategy], parameters: dict[str, Any]) -> None:
    walk = drifting(7, length=400)
    assert len(assert_a_kill_at_every_candle_changes_nothing(strategy, parameters, walk)) > 15


@each_strategy
def test_a_snapshot_is_not_changed_by_what_comes_after(strategy: type[AnyStrategy], parameters: dict[str, Any]) -> None:
    walk = drifting(8, length=40)
    running = strategy.of(parameters)
    for candle in walk[:20]:
        running.on_candle(candle)
    snapshot = running.snapshot()
    written = json.dumps(snapshot)
    for candle in walk[20:]:
        running.on_candle(candle)
    assert json.dumps(snapshot) == written
    assert json.dumps(running.snapshot()) != written


def test_a_snapshot_of_another_strategy_is_refused() -> None:
    with pytest.raises(InvalidField, match=r'^strategy: "rsi" is not ema_crossover, whose snapshot it has to be$'):
        EmaCrossover.of({}).restore(RsiReversal.of({}).snapshot())


def test_a_snapshot_of_other_parameters_is_refused() -> None:
    with pytest.raises(InvalidField, match=r"^period: 14 is not 9, with which the strategy runs$"):
        RsiReversal.of({"period": 9}).restore(RsiReversal.of({"period": 14}).snapshot())


@each_strategy
@pytest.mark.parametrize(
    "damage",
    [
        {"state": {}},
        {"state": None},
        {"state": [1]},
        {"last_timestamp": "yesterday"},
        {"last_timestamp": "2026-03-04T12:00:00"},
        {"parameters": {"zebra": 1}},
        {"parameters": None},
    ],
    ids=ascii,
)
def test_a_damaged_snapshot_is_refused(
    strategy: type[AnyStrategy], parameters: dict[str, Any], damage: dict[str, Any]
) -> None:
    snapshot = strategy.of(parameters).snapshot()
    with pytest.raises(InvalidField, match=f"^snapshot: .* is not one that {strategy.name} has taken$"):
        strategy.of(parameters).restore(snapshot | damage)


@each_strategy
@pytest.mark.parametrize("key", ["parameters", "last_timestamp", "state"])
def test_so_is_one_that_lacks_a_part(strategy: type[AnyStrategy], parameters: dict[str, Any], key: str) -> None:
    snapshot = strategy.of(parameters).snapshot()
    del snapshot[key]
    with pytest.raises(InvalidField, match=r"^snapshot: "):
        strategy.of(parameters).restore(snapshot)
