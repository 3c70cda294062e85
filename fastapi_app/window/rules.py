"""The new side's rules of a trading window. Pure: they take the instant, and do no I/O."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shared.errors import Reason, Refused
from shared.window import Entry, Outcome, RegisteredTrade, Trade, Transition, WindowState
from shared.window_config import WindowConfig
from shared.wire import TradeRequest, plain_decimal, utc_text


def is_open(config: WindowConfig, at: datetime) -> bool:
    """By the hour of the wall clock in the window's zone; minutes don't count."""
    return at.astimezone(ZoneInfo(config.timezone)).hour in range(config.start_hour, config.end_hour)


def trading_day(config: WindowConfig, state: WindowState, at: datetime) -> str:
    """The calendar date in the window's zone, and never one before the day that was counted last."""
    date = str(at.astimezone(ZoneInfo(config.timezone)).date())
    return max(date, state["trade_day"] or date)


def occupied_slots(config: WindowConfig, state: WindowState, at: datetime) -> int:
    """Today's trades. A day that was not counted yet has none."""
    return _counted_on(trading_day(config, state, at), state)


def free_slots(config: WindowConfig, state: WindowState, at: datetime) -> int:
    """How many trades today's limit leaves; never below 0, though facts may have passed the limit."""
    return max(config.max_trades_per_day - occupied_slots(config, state, at), 0)


def trading_hours(config: WindowConfig) -> str:
    return f"{config.start_hour}:00 - {config.end_hour}:00"


def failing(config: WindowConfig, state: WindowState, at: datetime) -> Iterator[Reason]:
    """Every rule by which a trade would be refused at this instant, in the contract's order."""
    if not is_open(config, at):
        hours = trading_hours(config)
        yield Reason(
            code="OUTSIDE_HOURS", sentence=f"outside the trading window {hours}", value=utc_text(at), bound=hours
        )
    if not free_slots(config, state, at):
        limit = config.max_trades_per_day
        yield Reason(
            code="DAILY_LIMIT",
            sentence=f"daily trade limit of {limit} reached",
            value=occupied_slots(config, state, at),
            bound=limit,
        )


def registration(trade_id: str, request: TradeRequest | None) -> Transition[RegisteredTrade]:
    """Counts a trade that has happened, whatever the rules say."""

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[RegisteredTrade]:
        day = trading_day(config, state, instant)
        count = _counted_on(day, state) + 1
        trade = _trade(trade_id, request, instant, day)
        entry = Entry(id=trade_id, kind="trade", data=trade, trade_day=day, symbol=trade["symbol"])
        remaining = max(config.max_trades_per_day - count, 0)
        return Outcome(
            config,
            {**state, "trade_day": day, "trades_today": count},
            (entry,),
            RegisteredTrade(trade=trade, trades_today=count, remaining_trades=remaining),
        )

    return transition


def checked_registration(trade_id: str, request: TradeRequest | None) -> Transition[RegisteredTrade]:
    """Counts a trade if every rule allows it; else raises Refused with every reason."""
    register = registration(trade_id, request)

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[RegisteredTrade]:
        reasons = tuple(failing(config, state, instant))
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


def _counted_on(day: str, state: WindowState) -> int:
    return state["trades_today"] if day == state["trade_day"] else 0


def _trade(trade_id: str, request: TradeRequest | None, instant: datetime, day: str) -> Trade:
    executed_at = utc_text(instant)
    if request is None:
        return Trade(
            id=trade_id,
            symbol=None,
            side=None,
            quantity=None,
            price=None,
            strategy=None,
            executed_at=executed_at,
            trade_day=day,
        )
    return Trade(
        id=trade_id,
        symbol=request.symbol,
        side=request.side,
        quantity=plain_decimal(request.quantity),
        price=plain_decimal(request.price),
        strategy=request.strategy,
        executed_at=executed_at,
        trade_day=day,
    )
