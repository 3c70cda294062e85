import json

import pytest

from shared.bot.strategy_set import StrategySet
from shared.candle import Timeframe
from shared.settings import BotSettings
from tests.shared.strategies.markets import drifting

BTC = "BTC-USD"
SETTINGS = BotSettings(strategies={"ema_crossover": {"fast": 2, "slow": 4}})


def fed(settings: BotSettings = SETTINGS) -> StrategySet:
    strategies = StrategySet(settings)
    for candle in drifting(1, length=10):
        strategies.on_candle(BTC, candle)
    return strategies


def test_it_goes_on_where_its_snapshots_were_taken() -> None:
    snapshots = json.loads(json.dumps(fed().snapshots()))
    other = StrategySet(SETTINGS)
    other.restore(snapshots)
    assert other.snapshots() == snapshots


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"strategies": {"ema_crossover": {"fast": 2, "slow": 5}}}, "slow: 4 is not 5"),
        ({"timeframe": Timeframe.HOUR}, 'timeframe: "1m" is not 1h'),
    ],
)
def test_what_was_saved_of_another_one_is_not_gone_on_with(
    changes: dict[str, object], because: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = SETTINGS.model_copy(update=changes)
    strategies = StrategySet(other)
    strategies.restore(fed().snapshots())
    assert strategies.snapshots() == StrategySet(other).snapshots()
    assert f"the strategy ema_crossover begins anew: {because}," in caplog.text


def test_what_an_earlier_release_saved_has_no_timeframe_and_is_gone_on_with() -> None:
    snapshots = fed().snapshots()
    old = {BTC: {name: {key: each[key] for key in each if key != "timeframe"} for name, each in snapshots[BTC].items()}}
    other = StrategySet(SETTINGS)
    other.restore(old)
    assert other.snapshots() == snapshots


def test_a_symbol_that_is_not_the_settings_has_no_signals() -> None:
    assert fed().on_candle("ETH-USD", drifting(1, length=1)[0]) == []
