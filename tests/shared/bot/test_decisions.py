from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.bot.decisions import StrategySignal, Wishes, due, funds_of, intents_of, traded, wishes, with_day
from shared.bot.risk import Funds
from shared.bot.state import BotState, Holding, Intent
from shared.broker.base import Balance, Order
from shared.candle import Candle
from shared.settings import BotSettings
from shared.strategies.base import Signal
from tests.shared.strategies.markets import START, spanning

BTC = "BTC-USD"
CLOSE = START + timedelta(minutes=1)
FUNDS = Funds(Decimal(10_000), Decimal(10_000), Decimal(10_000))
SETTINGS = BotSettings()


def candle(low: str = "100", high: str = "100", close: str = "100") -> Candle:
    return spanning((low, high, close))[0]


def signal(strategy: str, action: Any, direction: Any) -> StrategySignal:
    given = Signal(action=action, direction=direction, reason="because", timestamp=START, price=Decimal(100))
    return StrategySignal(strategy, given)


def held(direction: Any = "long", **changes: Any) -> Holding:
    long = direction == "long"
    values: dict[str, Any] = {
        "strategy": "ema",
        "direction": direction,
        "quantity": Decimal(2),
        "entry_price": Decimal(100),
        "stop": Decimal(98 if long else 102),
        "take_profit": Decimal(104 if long else 96),
    }
    return Holding(**{**values, **changes})


@pytest.mark.parametrize(
    ("holding", "span", "purpose"),
    [
        (held(), ("98.01", "103.99", "100"), None),
        (held(), ("98", "100", "99"), "stop"),
        (held(), ("100", "104", "103"), "take_profit"),
        (held(), ("98", "104", "103"), "stop"),  # nobody knows which came first
        (held("short"), ("96.01", "101.99", "100"), None),
        (held("short"), ("100", "102", "101"), "stop"),
        (held("short"), ("96", "100", "97"), "take_profit"),
        (held("short"), ("96", "102", "97"), "stop"),
        (held(take_profit=None), ("100", "1000", "1000"), None),
        (held(exit_due="exit"), ("100", "101", "100"), "exit"),
        (held(exit_due="exit"), ("97", "101", "100"), "stop"),
    ],
)
def test_a_candle_that_reaches_a_stop_or_target_closes_the_position(
    holding: Holding, span: tuple[str, str, str], purpose: str | None
) -> None:
    assert wishes(holding, candle(*span), []).leaves == purpose


@pytest.mark.parametrize(
    ("direction", "signals", "leaves", "enters"),
    [
        ("long", [signal("ema", "exit", "long")], "exit", None),
        ("long", [signal("ema", "enter", "short")], "exit", "short"),
        ("long", [signal("ema", "enter", "long")], None, None),  # nothing is added to a position
        ("long", [signal("ema", "exit", "short")], None, None),
        ("long", [signal("rsi", "enter", "short")], None, None),  # another's
        ("short", [signal("ema", "enter", "long")], "exit", "long"),
        ("short", [signal("rsi", "enter", "long"), signal("ema", "exit", "short")], "exit", "long"),
    ],
)
def test_the_holder_s_signals_close_and_turn(
    direction: str, signals: list[StrategySignal], leaves: str | None, enters: str | None
) -> None:
    wished = wishes(held(direction), candle(), signals)
    assert (wished.leaves, wished.entry and wished.entry.direction) == (leaves, enters)


def test_where_nothing_is_held_the_first_strategy_that_enters_does() -> None:
    signals = [signal("a", "exit", "long"), signal("b", "enter", "short"), signal("c", "enter", "long")]
    entry = wishes(None, candle(), signals).entry
    assert entry is not None
    assert (entry.strategy, entry.direction) == ("b", "short")
    assert wishes(None, candle(), []) == Wishes(None, "", None)


def test_intents_are_named_after_strategy_symbol_candle_and_place() -> None:
    wished = wishes(held(), candle("97", "100", "98"), [signal("rsi", "enter", "short")])
    intents, refusal = intents_of(
        wished,
        symbol=BTC,
        candle=candle("97", "100", "98"),
        at=CLOSE,
        state=BotState(holdings={BTC: held()}),
        settings=SETTINGS,
        funds=FUNDS,
    )
    assert refusal is None
    assert [(each.client_order_id, each.purpose, each.side, each.reduces) for each in intents] == [
        ("ema-BTC-USD-20260304T000000Z-1", "stop", "sell", True),
        ("rsi-BTC-USD-20260304T000000Z-2", "entry", "sell", False),
    ]
    assert intents[0].quantity == 2
    assert (intents[1].price, intents[1].at) == (Decimal(98), CLOSE)


def intents_for(funds: Funds, state: BotState, *, settings: BotSettings = SETTINGS) -> Any:
    holding = state.holdings.get(BTC)
    wished = wishes(holding, candle(), [signal("ema", "enter", "short" if holding else "long")])
    return intents_of(wished, symbol=BTC, candle=candle(), at=CLOSE, state=state, settings=settings, funds=funds)


def test_what_an_exit_sets_free_counts_for_the_entry_behind_it() -> None:
    bound = Funds(Decimal(10_000), Decimal(100), Decimal(10_000))
    (_, entry), refusal = intents_for(bound, BotState(holdings={BTC: held()}))
    assert refusal is None
    assert entry.quantity == Decimal("2.94")  # 98 % of 100 and of 2 at 100 each, at 100


def test_a_position_that_is_left_makes_room_and_another_one_s_does_not() -> None:
    intents, refusal = intents_for(FUNDS, BotState(holdings={BTC: held()}))
    assert (len(intents), refusal) == (2, None)
    intents, refusal = intents_for(FUNDS, BotState(holdings={"ETH-USD": held()}))
    assert intents == ()
    assert refusal.code == "MAX_POSITIONS"


def test_an_entry_that_nobody_knows_the_outcome_of_is_a_position_that_may_be() -> None:
    (waits,), _ = intents_for(FUNDS, BotState())
    waits = replace(waits, symbol="ETH-USD")
    intents, refusal = intents_for(FUNDS, BotState(intents=(waits,)))
    assert (intents, refusal and refusal.code) == ((), "MAX_POSITIONS")
    leaves = replace(waits, purpose="stop")
    intents, refusal = intents_for(FUNDS, BotState(intents=(leaves,)))
    assert (len(intents), refusal) == (1, None)


def test_an_entry_below_one_step_is_refused() -> None:
    intents, refusal = intents_for(FUNDS, BotState(), settings=BotSettings(quantity_step=Decimal(1), stop_loss="0.5"))  # type: ignore[arg-type]
    assert (len(intents), refusal) == (1, None)
    intents, refusal = intents_for(
        Funds(Decimal(50), Decimal(50), Decimal(50)), BotState(), settings=BotSettings(quantity_step=Decimal(1))
    )
    assert intents == ()
    assert (refusal.code, refusal.sentence) == (
        "TOO_SMALL",
        "quantity: what may be risked and bound is not a quantity_step, 1",
    )


def test_funds_are_those_of_the_quote_currency_and_the_day() -> None:
    balances = (
        Balance(currency="EUR", available=Decimal(1), total=Decimal(2)),
        Balance(currency="USD", available=Decimal(3), total=Decimal(4)),
    )
    state = with_day(BotState(), CLOSE, balances)
    assert (state.day, state.day_equity) == ("2026-03-04", {"EUR": Decimal(2), "USD": Decimal(4)})
    later = (replace(balances[1], total=Decimal(5)),)
    assert funds_of(later, BTC, state) == Funds(Decimal(5), Decimal(3), Decimal(4))
    assert funds_of(later, "BTC-GBP", state) == Funds(Decimal(0), Decimal(0), Decimal(0))


def intent(purpose: Any, side: Any) -> Intent:
    return Intent(
        client_order_id="x-1",
        strategy="ema",
        symbol=BTC,
        purpose=purpose,
        side=side,
        quantity=Decimal(2),
        price=Decimal(100),
        at=CLOSE,
        reason="because",
    )


def order(side: Any, filled: str, price: str) -> Order:
    return Order(
        id="paper-1",
        client_order_id="x-1",
        symbol=BTC,
        side=side,
        type="market",
        quantity=Decimal(2),
        price=None,
        reduces=False,
        status="filled",
        created_at=CLOSE,
        updated_at=CLOSE,
        filled_quantity=Decimal(filled),
        average_price=Decimal(price),
    )


def test_stop_and_target_are_reckoned_from_the_fill() -> None:
    bought = traded(BotState(), intent("entry", "buy"), order("buy", "2", "100.5"), SETTINGS).holdings[BTC]
    assert (bought.stop, bought.take_profit) == (Decimal("98.49"), Decimal("104.52"))
    sold = traded(BotState(), intent("entry", "sell"), order("sell", "2", "100.5"), SETTINGS).holdings[BTC]
    assert (sold.stop, sold.take_profit) == (Decimal("102.51"), Decimal("96.48"))


def test_targets_that_no_price_reaches_are_none() -> None:
    never = BotSettings(take_profit=Decimal(0))
    assert traded(BotState(), intent("entry", "buy"), order("buy", "2", "1"), never).holdings[BTC].take_profit is None
    all_of_it = BotSettings(take_profit=Decimal(1))
    short = traded(BotState(), intent("entry", "sell"), order("sell", "2", "1"), all_of_it).holdings[BTC]
    assert short.take_profit is None


def test_an_exit_that_is_filled_in_part_leaves_the_rest_and_is_still_due() -> None:
    state = due(BotState(holdings={BTC: held()}), [intent("stop", "sell")])
    assert [each.client_order_id for each in state.intents] == ["x-1"]
    assert state.holdings[BTC].exit_due == "stop"
    part = traded(state, intent("stop", "sell"), order("sell", "0.5", "98"), SETTINGS)
    assert (part.holdings[BTC].quantity, part.holdings[BTC].exit_due) == (Decimal("1.5"), "stop")
    assert traded(state, intent("stop", "sell"), order("sell", "2", "98"), SETTINGS).holdings == {}
    assert traded(state, intent("stop", "sell"), order("sell", "0", "98"), SETTINGS) == state
