"""The limits of a trading day and the cooldowns, as reasons to refuse."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

from fastapi_app.window.order import Order
from fastapi_app.window.slots import counted_on, frees_at, open_permits, trading_day
from shared.clock import utc_text
from shared.errors import Reason, ReasonCode
from shared.window import ALL, MAX_OPEN_PERMITS, Permit, WindowState
from shared.window_config import EVERY_OTHER, WindowConfig

Named = Literal["symbol", "side", "strategy"]

_NAMED: tuple[tuple[Named, ReasonCode], ...] = (
    ("symbol", "SYMBOL_LIMIT"),
    ("side", "SIDE_LIMIT"),
    ("strategy", "STRATEGY_LIMIT"),
)


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
    for kind, code in _NAMED:
        limits: Mapping[str, int] = getattr(config, f"{kind}_limits")
        if limits:
            yield from _reached_by_name(
                config, state, at, kind=kind, code=code, limits=limits, name=getattr(order, kind)
            )


def _reached_by_name(
    config: WindowConfig,
    state: WindowState,
    at: datetime,
    *,
    kind: Named,
    code: ReasonCode,
    limits: Mapping[str, int],
    name: str | None,
) -> Iterator[Reason]:
    limit = limits.get(name, limits.get(EVERY_OTHER)) if name is not None else None
    if name is None or limit is None:
        return
    day = trading_day(config, state, at)

    def counts(permit: Permit) -> bool:
        named: Mapping[str, str | None] = {kind: permit[kind]}
        return named[kind] == name and permit["trade_day"] == day

    traded = state["tally"][kind].get(name, 0) if "tally" in state and state["trade_day"] == day else 0
    count = traded + sum(counts(permit) for permit in open_permits(state))
    if count >= limit:
        yield Reason(
            code=code,
            sentence=f"daily trade limit of {limit} reached for {kind} {name}",
            value=count,
            bound=limit,
            clears_at=frees_at(config, state, at, over=count - limit + 1, counts=counts) if limit else None,
        )


def cooldowns(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> Iterator[Reason]:
    """After any trade, and after one of the order's symbol. A permit that is out cools down as its trade would."""
    if config.cooldown_seconds:
        yield from _cooldown(state, at, config.cooldown_seconds, code="COOLDOWN", of=ALL, counts=lambda _permit: True)
    if config.symbol_cooldown_seconds and order.symbol is not None:
        yield from _cooldown(
            state,
            at,
            config.symbol_cooldown_seconds,
            code="SYMBOL_COOLDOWN",
            of=order.symbol,
            counts=lambda permit: permit["symbol"] == order.symbol,
        )


def _cooldown(
    state: WindowState,
    at: datetime,
    seconds: int,
    *,
    code: ReasonCode,
    of: str,
    counts: Callable[[Permit], bool],
) -> Iterator[Reason]:
    length = timedelta(seconds=seconds)
    ends = [_ends(permit, length) for permit in open_permits(state) if counts(permit)]
    if last := state.get("last_trades", {}).get(of):
        ends.append(datetime.fromisoformat(last) + length)
    end = max(ends, default=at)
    if end > at:
        whose = "" if of == ALL else f" of {of}"
        yield Reason(
            code=code,
            sentence=f"cooling down for {seconds} s after the last trade{whose}",
            value=utc_text(end - length),
            bound=seconds,
            clears_at=end,
        )


def _ends(permit: Permit, length: timedelta) -> datetime:
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
