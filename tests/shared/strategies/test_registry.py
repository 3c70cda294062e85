"""The registry, with plug-ins that are installed: directories of a distribution on the path."""

import re
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from shared.candle import Candle
from shared.errors import BrokenStrategy, InvalidField, UnknownStrategy
from shared.strategies.ema_crossover import EmaCrossover
from shared.strategies.fair_value_gap import FairValueGap
from shared.strategies.registry import StrategyRegistry
from shared.strategies.rsi import RsiReversal
from tests.shared.strategies.markets import at, signals

README = Path(__file__).parents[3] / "README.md"
BUILT_IN = ("ema_crossover", "fair_value_gap", "rsi")

Install = Callable[..., None]

WORKING = """
from shared.strategies.ema_crossover import EmaCrossover

class Another(EmaCrossover):
    name = "another"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module and one strategy in its entry points; takes it back after the test."""
    modules = []

    def install(module: str, source: str, *, name: str, attribute: str) -> None:
        room = tmp_path / module
        information = room / f"{module}-1.0.dist-info"
        information.mkdir(parents=True)
        (room / f"{module}.py").write_text(source)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(
            f"[trading_window.strategies]\n{name} = {module}:{attribute}\n[console_scripts]\nx = {module}:main\n"
        )
        monkeypatch.syspath_prepend(str(room))
        modules.append(module)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def test_the_built_in_strategies_are_there_by_their_entry_points() -> None:
    registry = StrategyRegistry()
    assert registry.names() == BUILT_IN
    assert [registry.get(name) for name in BUILT_IN] == [EmaCrossover, FairValueGap, RsiReversal]


def test_a_strategy_is_made_with_its_parameters() -> None:
    made = StrategyRegistry().make("ema_crossover", {"fast": 5})
    assert isinstance(made, EmaCrossover)
    assert (made.parameters.fast, made.parameters.slow) == (5, 26)
    with pytest.raises(InvalidField, match=r"^fast: 0 is not a whole number from 1 to 1000$"):
        StrategyRegistry().make("ema_crossover", {"fast": 0})


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownStrategy) as caught:
        StrategyRegistry().get("macd")
    assert str(caught.value) == 'strategy: "macd" is not one of ema_crossover, fair_value_gap, rsi'
    assert (caught.value.name, caught.value.known) == ("macd", BUILT_IN)


def test_the_list_tells_parameters_defaults_and_rules() -> None:
    direction = {"default": "both", "rule": '"long", "short" or "both"'}
    assert StrategyRegistry().listed() == [
        {
            "name": "ema_crossover",
            "parameters": {
                "direction": direction,
                "fast": {"default": 12, "rule": "a whole number from 1 to 1000"},
                "slow": {"default": 26, "rule": "a whole number greater than fast, and at most 1000"},
            },
        },
        {
            "name": "fair_value_gap",
            "parameters": {
                "direction": direction,
                "min_gap_percent": {"default": "0.05", "rule": "a number from 0 to 100"},
                "max_age": {"default": 120, "rule": "a whole number from 1 to 10000"},
            },
        },
        {
            "name": "rsi",
            "parameters": {
                "direction": direction,
                "period": {"default": 14, "rule": "a whole number from 2 to 1000"},
                "oversold": {"default": 30.0, "rule": "a number between 0 and 100"},
                "overbought": {"default": 70.0, "rule": "a number greater than oversold, and less than 100"},
            },
        },
    ]


def test_the_readme_s_strategy_works_once_it_is_installed(install: Install) -> None:
    section = README.read_text().partition("## Your own strategy\n")[2].partition("\n## ")[0]
    (source,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert 'streak = "yourstrategies:Streak"' in section
    install("yourstrategies", source, name="streak", attribute="Streak")

    registry = StrategyRegistry()

    assert registry.names() == (*BUILT_IN, "streak")
    assert registry.listed()[-1] == {
        "name": "streak",
        "parameters": {
            "direction": {"default": "both", "rule": '"long", "short" or "both"'},
            "length": {"default": 3, "rule": "a whole number from 1 to 100"},
        },
    }
    streak = registry.make("streak", {})
    one, two = Decimal(1), Decimal(2)
    rising = [Candle(at(minute), one, two, one, two, one) for minute in range(5)]
    assert streak.warm_up == 2
    assert signals(streak, rising[:2]) == []
    restored = registry.make("streak", {})
    restored.restore(streak.snapshot())
    assert signals(restored, rising[2:]) == [(1, "enter", "long")]
    with pytest.raises(InvalidField, match=r"^length: 0 is not a whole number from 1 to 100$"):
        registry.make("streak", {"length": 0})


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import nowhere_to_be_found", "fails with ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("1 / 0", "fails with ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "fails with SystemExit: 3"),
        ("def oops(:", r"fails with SyntaxError: .*"),
        ("", "fails with AttributeError: module 'badplugin' has no attribute 'Another'"),
        ("Another = 5", "is not a subclass of shared.strategies.base.Strategy"),
        ("class Another: name = 'another'", "is not a subclass of shared.strategies.base.Strategy"),
        (WORKING.replace('"another"', '"rsi"'), "calls itself 'rsi'"),
        (
            "from shared.strategies.base import Strategy\nclass Another(Strategy): name = 'another'",
            "doesn't have set_state, state, step, warm_up",
        ),
    ],
    ids=ascii,
)
def test_a_broken_plug_in_is_named_and_leaves_the_others_usable(
    install: Install, caplog: pytest.LogCaptureFixture, source: str, problem: str
) -> None:
    install("badplugin", source, name="another", attribute="Another")
    registry = StrategyRegistry()

    assert registry.names() == ("another", *BUILT_IN)
    sentence = rf"^the strategy 'another' can't be used: badplugin:Another of badplugin {problem}$"
    with pytest.raises(BrokenStrategy, match=sentence):
        registry.make("another", {})
    assert [told["name"] for told in registry.listed()] == list(BUILT_IN)
    assert "badplugin:Another of badplugin" in caplog.text
    assert isinstance(registry.make("rsi", {}), RsiReversal)


def test_a_strategy_without_parameters_class_is_broken(install: Install) -> None:
    source = (
        "from shared.strategies.base import Strategy\n"
        "class Another(Strategy):\n"
        "    name = 'another'\n"
        "    warm_up = 0\n"
        "    step = state = set_state = None\n"
    )
    install("noparameters", source, name="another", attribute="Another")
    with pytest.raises(BrokenStrategy, match=r"noparameters:Another of noparameters doesn't have parameters_class$"):
        StrategyRegistry().get("another")


def test_a_name_that_is_taken_twice_is_nobody_s(install: Install) -> None:
    install("plugina", WORKING, name="another", attribute="Another")
    install("pluginb", WORKING, name="another", attribute="Another")
    registry = StrategyRegistry()

    assert registry.names() == ("another", *BUILT_IN)
    with pytest.raises(BrokenStrategy) as caught:
        registry.get("another")
    assert str(caught.value) == (
        "the strategy 'another' can't be used: its name is taken more than once, "
        "by plugina:Another of plugina and pluginb:Another of pluginb"
    )


def test_a_plug_in_is_not_imported_before_it_is_asked_for(install: Install) -> None:
    install("lazyplugin", WORKING, name="another", attribute="Another")
    registry = StrategyRegistry()
    assert "lazyplugin" not in sys.modules
    assert registry.get("another").name == "another"
    assert "lazyplugin" in sys.modules
    assert registry.get("another") is registry.get("another")
