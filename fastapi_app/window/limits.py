"""The limits of a trading day and the cooldowns, as reasons to refuse."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

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


def reached_limits(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> Iterator[Reason]:
    """The day's limit, then those of the order's symbol, side and strategy."""
    day = trading_day(config, state, at)
    count, limit = counted_on(day, state), config.max_trades_per_day
    if count >= limit:
        yield Reason(
            code="DAILY_LIMIT",
            sentence=f"daily trade limit of {limit} reached",
            value=count,
            bound=limit,
            clears_at=frees_at(config, state, at, over=count - limit + 1) if limit else None,
        )
    if config.symbol_limits or config.side_limits or config.strategy_limits:
        tally = state.get("tally", _NOTHING) if state["trade_day"] == day else _NOTHING
        permits = [permit for permit in open_permits(state) if permit["trade_day"] == day]
        for kind, key, code in _NAMED:
            name: str | None = getattr(order, kind)
            limits: Mapping[str, int] = getattr(config, key)
            bound = limits.get(name, limits.get(EVERY_OTHER)) if name is not None else None
            if name is None or bound is None:
                continue
            held = {permit["id"] for permit in permits if permit[kind] == name} if permits else _NONE
            count = tally[kind].get(name, 0) + len(held)
            if count >= bound:
                over = count - bound + 1
                yield Reason(
                    code=code,
                    sentence=f"daily trade limit of {bound} reached for {kind} {name}",
                    value=count,
                    bound=bound,
                    clears_at=frees_at(config, state, at, over=over, among=held) if bound else None,
                )


def cooldowns(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> Iterator[Reason]:
    """After any trade, and after one of the order's symbol. A permit that is out cools down as its trade would."""
    if seconds := config.cooldown_seconds:
        end = _end_of_cooldown(state, seconds, symbol=None)
        if end is not None and end > at:
            yield _cooling_down("COOLDOWN", seconds, end, "the last trade")
    if order.symbol is not None and (seconds := config.symbol_cooldown_seconds):
        end = _end_of_cooldown(state, seconds, symbol=order.symbol)
        if end is not None and end > at:
            yield _cooling_down("SYMBOL_COOLDOWN", seconds, end, f"the last trade of {order.symbol}")


def _cooling_down(code: ReasonCode, seconds: int, end: datetime, after: str) -> Reason:
    return Reason(
        code=code,
        sentence=f"cooling down for {seconds} s after {after}",
        value=utc_text(end - timedelta(seconds=seconds)),
        bound=seconds,
        clears_at=end,
    )


def _end_of_cooldown(state: WindowState, seconds: int, *, symbol: str | None) -> datetime | None:
    """Of the one that lasts longest; None where nothing has caused one."""
    length = timedelta(seconds=seconds)
    last = state.get("last_trades", _NO_TRADES).get(symbol or ALL)
    end = None if last is None else datetime.fromisoformat(last) + length
    for permit in open_permits(state):
        if symbol in (None, permit["symbol"]):
            end = max(end or _end_of(permit, length), _end_of(permit, length))
    return end


def _end_of(permit: Permit, length: timedelta) -> datetime:
    """Of the cooldown that a permit causes: one that expires has caused none."""
    end = datetime.fromisoformat(permit["reserved_at"]) + length
    if permit["status"] == "pending" and permit["deadline"]:
        return min(end, datetime.fromisoformat(permit["deadline"]))
    return end


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
