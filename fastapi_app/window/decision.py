"""Whether an order may go out: allowed, or every reason why not, and when each clears."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, TypedDict

from fastapi_app.window.limits import cooldowns, reached_limits
from fastapi_app.window.order import Order
from fastapi_app.window.schedule import Closure, schedule_of
from shared.clock import utc_text
from shared.errors import Reason
from shared.halts import halt_reasons
from shared.window import Permit, RegisteredTrade, WindowState
from shared.window_config import WindowConfig


class PermitAnswer(TypedDict):
    """A permit after a step of its life, and the window's count right after it."""

    permit: Permit
    trades_today: int
    remaining_trades: int


class Decision(NamedTuple):
    """What came of asking: allowed, or every one of the `reasons` why not.

    `at` is the instant that was judged. Where a slot was asked for and given, `registered` is the trade that took it,
    or `reserved` the permit that holds it.
    """

    at: datetime
    reasons: tuple[Reason, ...] = ()
    registered: RegisteredTrade | None = None
    reserved: PermitAnswer | None = None

    @property
    def allowed(self) -> bool:
        return not self.reasons

    @property
    def permit(self) -> Permit | None:
        return None if self.reserved is None else self.reserved["permit"]

    @property
    def clears_at(self) -> datetime | None:
        """From when on none of these reasons is left, if nothing else happens; None if allowed, or where that isn't
        known. Another rule may deny by then: after the hours' end the exchange may be closed."""
        instants = [reason.clears_at for reason in self.reasons]
        known = [instant for instant in instants if instant is not None]
        return max(known) if known and len(known) == len(instants) else None


def decide(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> Decision:
    """By halts, too. Does no I/O."""
    return Decision(at, halt_reasons(state, order.symbol, at) + tuple(failing(config, state, at, order)))


def failing(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> list[Reason]:
    """Every rule by which an order would be refused at this instant, in the contract's order; halts are the store's.
    An order that only reduces a position passes them all."""
    if order.reduces:
        return []
    closures = schedule_of(config).closures(at)
    reasons = _closed(closures, at) if closures else []
    reasons += reached_limits(config, state, at, order)
    reasons += cooldowns(config, state, at, order)
    return reasons


_SENTENCES = {
    "OUTSIDE_HOURS": "outside the trading window {}",
    "CALENDAR_CLOSED": "the exchange {} is closed",
    "CALENDAR_UNKNOWN": "nobody knows yet whether the exchange {} is open",
    "BLACKOUT": "blackout: {}",
}


def _closed(closures: Iterable[Closure], at: datetime) -> list[Reason]:
    judged = utc_text(at)
    return [
        Reason(
            code=closure.code,
            sentence=_SENTENCES[closure.code].format(closure.detail),
            value=judged,
            bound=closure.detail,
            clears_at=closure.clears_at,
        )
        for closure in closures
    ]
