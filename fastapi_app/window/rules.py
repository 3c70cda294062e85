"""The new side's rules of a trading window: day, slots, trades, config. Pure: they take the instant, and do no I/O.

A state that is judged at an instant is the state as it is by then (`shared.upkeep.upkept`); ports and stores see to it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi_app.window.decision import failing
from fastapi_app.window.order import Order
from fastapi_app.window.slots import counted_on, free_slots, trading_day
from shared.clock import utc_text
from shared.errors import Refused
from shared.window import Entry, Outcome, RegisteredTrade, Trade, Transition, WindowState
from shared.window_config import WindowConfig


def registration(trade_id: str, order: Order) -> Transition[RegisteredTrade]:
    """Counts a trade that has happened, whatever the rules say."""

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[RegisteredTrade]:
        day = trading_day(config, state, instant)
        count = counted_on(day, state) + (not order.reduces)
        trade = trade_of(order, trade_id, instant, day)
        entry = Entry(id=trade_id, kind="trade", data=trade, trade_day=day, symbol=order.symbol)
        remaining = max(config.max_trades_per_day - count, 0)
        return Outcome(
            config,
            {**state, "trade_day": day, "trades_today": count},
            (entry,),
            RegisteredTrade(trade=trade, trades_today=count, remaining_trades=remaining),
        )

    return transition


def checked_registration(trade_id: str, order: Order) -> Transition[RegisteredTrade]:
    """Counts a trade if every rule allows it; else raises Refused with every reason."""
    register = registration(trade_id, order)

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[RegisteredTrade]:
        reasons = tuple(failing(config, state, instant, order))
        if reasons:
            raise Refused(*reasons)
        return register(config, state, instant)

    return transition


def config_change(entry_id: str, changes: Mapping[str, Any]) -> Transition[WindowConfig]:
    """Replaces keys of the config, validated whole. A change that changes nothing writes nothing."""

    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[WindowConfig]:
        changed = config.changed(changes)
        data = {"before": config.to_json(), "after": changed.to_json()}
        entries = (Entry(id=entry_id, kind="config", data=data),) if changed != config else ()
        return Outcome(changed, state, entries, changed)

    return transition


def trade_of(order: Order, trade_id: str, instant: datetime, day: str) -> Trade:
    """The trade as the ledger keeps it."""
    trade = Trade(
        id=trade_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
        strategy=order.strategy,
        executed_at=utc_text(instant),
        trade_day=day,
    )
    if order.reduces:
        trade["reduces"] = True
    return trade


def registered(config: WindowConfig, state: WindowState, instant: datetime, trade: Trade) -> RegisteredTrade:
    """The answer to a trade that left this state."""
    day = trading_day(config, state, instant)
    return RegisteredTrade(
        trade=trade, trades_today=counted_on(day, state), remaining_trades=free_slots(config, state, instant)
    )
