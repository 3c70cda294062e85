import json
from dataclasses import replace
from decimal import Decimal

from shared.bot.state import BotState
from tests.shared.bot.test_decisions import BTC, CLOSE, held, intent


def test_a_state_goes_to_json_and_back() -> None:
    state = BotState(
        candles={BTC: CLOSE},
        strategies={BTC: {"ema": {"state": {"fast": 1.5}}}},
        holdings={BTC: held(exit_due="stop"), "ETH-USD": held("short", take_profit=None)},
        intents=(intent("exit", "sell"), replace(intent("entry", "buy"), quantity=Decimal("1.50"))),
        day="2026-03-04",
        day_equity={"USD": Decimal("10000.10")},
        counts={"entry": 3},
    )
    text = json.dumps(state.to_json())
    assert BotState.of_json(json.loads(text)) == state
    assert json.loads(text)["intents"][1]["quantity"] == "1.50"


def test_an_empty_one_does_too() -> None:
    assert BotState.of_json(json.loads(json.dumps(BotState().to_json()))) == BotState()


def test_what_is_held_is_watched_behind_what_is_traded() -> None:
    state = BotState(holdings={"ETH-USD": held(), BTC: held()})
    assert state.watched([BTC, "SOL-USD"]) == [BTC, "SOL-USD", "ETH-USD"]


def test_what_is_counted_is_counted_anew() -> None:
    once = BotState().counted("entry")
    assert (once.counts, once.counted("entry").counted("stop").counts) == ({"entry": 1}, {"entry": 2, "stop": 1})
