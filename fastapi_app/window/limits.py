"""The limits of a trading day and the cooldowns, as reasons to refuse."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from fastapi_app.window.by_identity import cached_by_identity
from fastapi_app.window.order import Order
from fastapi_app.window.slots import frees_at, open_permits, trading_day
from shared.clock import utc_text
from shared.errors import Reason, ReasonCode
from shared.window import ALL, MAX_OPEN_PERMITS, NEW_STATE, Permit, Tally, WindowState
from shared.window_config import EVERY_OTHER, WindowConfig

Named = Literal["symbol", "side", "strategy"]

_NAMED: tuple[tuple[Named, str, ReasonCode], ...] = (
    ("symbol", "symbol_limits", "SYMBOL_LIMIT"),
    ("side", "side_limits", "SIDE_LIMIT"),
    ("strategy", "strategy_limits", "STRATEGY_LIMIT"),
)

_Table = tuple[Named, ReasonCode, Mapping[str, int], int | None]
"""The limits by name, and that of each name that isn't listed."""
_Reached = tuple[ReasonCode, str, int, int, set[str] | None]
"""The code, whose limit it is in words, the count, the bound, and the ids of the permits that count; None for all."""

_NOTHING = Tally(symbol={}, side={}, strategy={})
_NONE: set[str] = set()
_NO_TRADES: dict[str, str] = {}


def reached_limits(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> list[Reason]:
    """The day's limit, then those of the order's symbol, side and strategy."""
    reached = _reached(config, state, order)
    # A new day counts nothing yet: which one it is only matters where the counted day's limits are reached.
    if reached and trading_day(config, state, at) != state["trade_day"]:
        reached = _reached(config, NEW_STATE, order)
    return [
        Reason(
            code=code,
            sentence=f"daily trade limit of {bound} reached{whose}",
            value=count,
            bound=bound,
            clears_at=frees_at(config, state, at, over=count - bound + 1, among=permits) if bound else None,
        )
        for code, whose, count, bound, permits in reached
    ]


def _reached(config: WindowConfig, state: WindowState, order: Order) -> list[_Reached]:
    """By the day that the state counts."""
    reached: list[_Reached] = []
    count, limit = state["trades_today"], config.max_trades_per_day
    if count >= limit:
        reached.append(("DAILY_LIMIT", "", count, limit, None))
    tables = _tables(config)
    if not tables:
        return reached
    tally, permits = state.get("tally", _NOTHING), open_permits(state)
    for kind, code, limits, of_every_other in tables:
        name: str | None = getattr(order, kind)
        bound = None if name is None else limits.get(name, of_every_other)
        if name is None or bound is None:
            continue
        count, held = tally[kind].get(name, 0), _NONE
        if permits:
            held = {one["id"] for one in permits if one[kind] == name and one["trade_day"] == state["trade_day"]}
            count += len(held)
        if count >= bound:
            reached.append((code, f" for {kind} {name}", count, bound, held))
    return reached


@cached_by_identity
def _tables(config: WindowConfig) -> tuple[_Table, ...]:
    """Those that limit anything."""
    limits = ((kind, code, getattr(config, key)) for kind, key, code in _NAMED)
    return tuple((kind, code, table, table.get(EVERY_OTHER)) for kind, code, table in limits if table)


def cooldowns(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> list[Reason]:
    """After any trade, and after one of the order's symbol. A permit that is out cools down as its trade would."""
    of_all, of_symbol, longest = _cooldown_lengths(config)
    if not longest:
        return []
    # No symbol was traded after the last trade of any.
    traded = state.get("last_trades", _NO_TRADES).get(ALL)
    if (traded is None or datetime.fromisoformat(traded) + longest <= at) and not state.get("permits"):
        return []
    reasons = []
    if of_all:
        last = _last_to_end(state, of_all, symbol=None)
        if last is not None and last.end > at:
            reasons.append(_cooling_down("COOLDOWN", of_all, last, "the last trade"))
    if order.symbol is not None and of_symbol:
        last = _last_to_end(state, of_symbol, symbol=order.symbol)
        if last is not None and last.end > at:
            reasons.append(_cooling_down("SYMBOL_COOLDOWN", of_symbol, last, f"the last trade of {order.symbol}"))
    return reasons


@cached_by_identity
def _cooldown_lengths(config: WindowConfig) -> tuple[timedelta, timedelta, timedelta]:
    """After any trade, after one of the same symbol, and the longer of them."""
    overall, of_symbol = timedelta(seconds=config.cooldown_seconds), timedelta(seconds=config.symbol_cooldown_seconds)
    return overall, of_symbol, max(overall, of_symbol)


class _Cooldown(NamedTuple):
    end: datetime
    since: datetime
    """When the trade was, or the permit reserved, that caused it."""


def _cooling_down(code: ReasonCode, length: timedelta, cooldown: _Cooldown, after: str) -> Reason:
    seconds = length // timedelta(seconds=1)
    return Reason(
        code=code,
        sentence=f"cooling down for {seconds} s after {after}",
        value=utc_text(cooldown.since),
        bound=seconds,
        clears_at=cooldown.end,
    )


def _last_to_end(state: WindowState, length: timedelta, *, symbol: str | None) -> _Cooldown | None:
    """None where nothing has caused one."""
    traded = state.get("last_trades", _NO_TRADES).get(symbol or ALL)
    last = None
    if traded is not None:
        since = datetime.fromisoformat(traded)
        last = _Cooldown(since + length, since)
    for permit in open_permits(state):
        if symbol in (None, permit["symbol"]):
            last = max(last or _of_permit(permit, length), _of_permit(permit, length))
    return last


def _of_permit(permit: Permit, length: timedelta) -> _Cooldown:
    """One that expires has caused none."""
    since = datetime.fromisoformat(permit["reserved_at"])
    end = since + length
    if permit["status"] == "pending" and permit["deadline"]:
        end = min(end, datetime.fromisoformat(permit["deadline"]))
    return _Cooldown(end, since)


def too_many_permits(state: WindowState) -> Iterator[Reason]:
    """A window's state must stay small, so the permits that are out are bounded."""
    permits = state.get("permits", {})
    if len(permits) >= MAX_OPEN_PERMITS:
        pending = [permit["deadline"] for permit in permits.values() if permit["status"] == "pending"]
        first = min((deadline for deadline in pending if deadline), default=None)
        yield Reason(
            code="PERMIT_LIMIT",
            sentence=f"{MAX_OPEN_PERMITS} permits are out",
            value=len(permits),
            bound=MAX_OPEN_PERMITS,
            clears_at=None if first is None else datetime.fromisoformat(first),
        )
