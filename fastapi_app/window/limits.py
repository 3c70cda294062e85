"""The limits of a trading day and the cooldowns, as reasons to refuse."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from fastapi_app.window.by_identity import cached_by_identity
from fastapi_app.window.order import Order
from fastapi_app.window.slots import counted_on, frees_at, open_permits, trading_day
from shared.clock import utc_text
from shared.errors import Reason, ReasonCode
from shared.window import ALL, MAX_OPEN_PERMITS, Permit, Tally, WindowState
from shared.window_config import EVERY_OTHER, WindowConfig

Named = Literal["symbol", "side", "strategy"]

_NAMED: tuple[tuple[Named, str, ReasonCode], ...] = (
    ("symbol", "symbol_limits", "SYMBOL_LIMIT"),
    ("side", "side_limits", "SIDE_LIMIT"),
    ("strategy", "strategy_limits", "STRATEGY_LIMIT"),
)


_NOTHING = Tally(symbol={}, side={}, strategy={})
_NONE: set[str] = set()
_NO_TRADES: dict[str, str] = {}


def reached_limits(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> list[Reason]:
    """The day's limit, then those of the order's symbol, side and strategy."""
    day = trading_day(config, state, at)
    count, limit = counted_on(day, state), config.max_trades_per_day
    reasons: list[Reason] = []
    if count >= limit:
        reasons.append(
            Reason(
                code="DAILY_LIMIT",
                sentence=f"daily trade limit of {limit} reached",
                value=count,
                bound=limit,
                clears_at=frees_at(config, state, at, over=count - limit + 1) if limit else None,
            )
        )
    tables = _tables(config)
    if not tables:
        return reasons
    tally = state.get("tally", _NOTHING) if state["trade_day"] == day else _NOTHING
    permits = open_permits(state)
    if permits:
        permits = [permit for permit in permits if permit["trade_day"] == day]
    for kind, limits, code in tables:
        name: str | None = getattr(order, kind)
        if name is None:
            continue
        bound = limits.get(name)
        if bound is None and (bound := limits.get(EVERY_OTHER)) is None:
            continue
        held = {permit["id"] for permit in permits if permit[kind] == name} if permits else _NONE
        count = tally[kind].get(name, 0) + len(held)
        if count >= bound:
            over = count - bound + 1
            reasons.append(
                Reason(
                    code=code,
                    sentence=f"daily trade limit of {bound} reached for {kind} {name}",
                    value=count,
                    bound=bound,
                    clears_at=frees_at(config, state, at, over=over, among=held) if bound else None,
                )
            )
    return reasons


@cached_by_identity
def _tables(config: WindowConfig) -> tuple[tuple[Named, Mapping[str, int], ReasonCode], ...]:
    """Those that limit anything."""
    tables = ((kind, getattr(config, key), code) for kind, key, code in _NAMED)
    return tuple(table for table in tables if table[1])


def cooldowns(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> list[Reason]:
    """After any trade, and after one of the order's symbol. A permit that is out cools down as its trade would."""
    of_all, of_symbol, longest = _cooldown_lengths(config)
    # No symbol was traded after the last trade of any.
    last = _last_to_end(state, longest, symbol=None) if longest else None
    if last is None or last.end <= at:
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
