"""The slots of a trading day: which day it is, how many are occupied, and when some become free."""

from collections.abc import Container, Iterable
from datetime import datetime

from fastapi_app.window.trading_day import next_turn
from fastapi_app.window.trading_day import trading_day as day_by_the_clock
from shared.window import Permit, WindowState
from shared.window_config import WindowConfig

MAX_TURNS = 400
"""How many turns of the day are looked through for the first that is past a stored day."""


def trading_day(config: WindowConfig, state: WindowState, at: datetime) -> str:
    """The trading day at this instant, and never one before the day that was counted last."""
    day = day_by_the_clock(config, at)
    counted = state["trade_day"]
    return day if counted is None or counted < day else counted


def counted_on(day: str, state: WindowState) -> int:
    """The day's occupied slots. A day that was not counted yet has none."""
    return state["trades_today"] if day == state["trade_day"] else 0


def occupied_slots(config: WindowConfig, state: WindowState, at: datetime) -> int:
    """Today's trades, and the permits of today that have no end yet."""
    return counted_on(trading_day(config, state, at), state)


def free_slots(config: WindowConfig, state: WindowState, at: datetime) -> int:
    """How many trades today's limit leaves; never below 0, though facts may have passed the limit."""
    return max(config.max_trades_per_day - occupied_slots(config, state, at), 0)


def open_permits(state: WindowState) -> Iterable[Permit]:
    """Those that occupy a slot: neither ended, nor of an order that only reduces."""
    permits = state.get("permits")
    return [permit for permit in permits.values() if not permit["reduces"]] if permits else ()


def day_is_over(config: WindowConfig, state: WindowState, at: datetime) -> datetime | None:
    """The first instant of a day after the one that counts now; None where no such instant is known."""
    day = trading_day(config, state, at)
    turn = next_turn(config, at)
    for _ in range(MAX_TURNS):
        if turn is None or day_by_the_clock(config, turn) > day:
            return turn
        turn = next_turn(config, turn)
    return None


def frees_at(
    config: WindowConfig, state: WindowState, at: datetime, *, over: int, among: Container[str] | None = None
) -> datetime | None:
    """When so many of today's slots are free again by themselves: permits that expire, or else the day's end.

    `among` are the ids of the permits that count; all of them unless given.
    """
    day = trading_day(config, state, at)
    deadlines = sorted(
        permit["deadline"]
        for permit in open_permits(state)
        if permit["status"] == "pending"
        and permit["deadline"]
        and permit["trade_day"] == day
        and (among is None or permit["id"] in among)
    )
    end = day_is_over(config, state, at)
    if over <= len(deadlines):
        expired = datetime.fromisoformat(deadlines[over - 1])
        return expired if end is None else min(expired, end)
    return end
