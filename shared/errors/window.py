"""Trading windows, their rules, and their permits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.errors._sentences import cut
from shared.errors.base import TradingWindowError

ReasonCode = Literal[
    "HALTED",
    "OUTSIDE_HOURS",
    "CALENDAR_CLOSED",
    "CALENDAR_UNKNOWN",
    "BLACKOUT",
    "DAILY_LIMIT",
    "SYMBOL_LIMIT",
    "SIDE_LIMIT",
    "STRATEGY_LIMIT",
    "COOLDOWN",
    "SYMBOL_COOLDOWN",
    "PERMIT_LIMIT",
]
"""Why a trade is refused, in the order in which reasons are given."""

PermitStatus = Literal["pending", "sent", "in_doubt", "confirmed", "released", "expired"]
"""A permit's life: the last three are its ends, of which it has exactly one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One rule that a trade fails.

    `code` is stable; `sentence` is for people; `value` is what was found and `bound` what it was held against.
    `clears_at` is the instant from which on this rule allows the trade, if nothing else happens; None where no such
    instant is known.
    """

    code: ReasonCode
    sentence: str
    value: Any
    bound: Any
    clears_at: datetime | None = None


class Refused(TradingWindowError):
    """A trade that the rules refuse. The first of `reasons` is the one that the legacy contract answers with."""

    def __init__(self, first: Reason, *others: Reason) -> None:
        self.reasons = (first, *others)
        super().__init__(first.sentence)


class UnknownWindow(TradingWindowError):
    """The store holds no window of this id."""

    def __init__(self, window_id: str) -> None:
        self.window_id = window_id
        super().__init__(f"no trading window is named {cut(window_id)!r}")


class WindowExists(TradingWindowError):
    """A window that was to be made is known already, with another config."""

    def __init__(self, window_id: str) -> None:
        self.window_id = window_id
        super().__init__(f"a trading window named {cut(window_id)!r} is there already, with another config")


class CalendarUnavailable(TradingWindowError):
    """A window's calendar can't be had in this process, so nobody can say whether the window is open."""

    def __init__(self, code: str, problem: str) -> None:
        self.code = code
        self.problem = problem
        super().__init__(f"the calendar {cut(code)} can't be had: {problem}")


class UnknownPermit(TradingWindowError):
    """The window never gave out a permit of this id."""

    def __init__(self, permit_id: str) -> None:
        self.permit_id = permit_id
        super().__init__(f"no permit is named {cut(permit_id)!r}")


class PermitConflict(TradingWindowError):
    """A step that a permit's status doesn't allow: it has its end, or was sent already."""

    def __init__(self, permit_id: str, status: PermitStatus, wanted: str) -> None:
        self.permit_id = permit_id
        self.status = status
        self.wanted = wanted
        shown = status.replace("_", " ")
        when = "before it is sent" if status == "pending" else "any more"
        super().__init__(f"permit {cut(permit_id)!r} is {shown}, and can't be {wanted} {when}")


class PermitOfOrder(TradingWindowError):
    """A permit that is to be ended by hand, though the broker knows what became of its order."""

    def __init__(self, permit_id: str, order_id: str, order_status: str) -> None:
        self.permit_id = permit_id
        self.order_id = order_id
        self.order_status = order_status
        super().__init__(
            f"permit {cut(permit_id)!r} is of order {cut(order_id)!r}, which the broker shows as {order_status}: "
            "it is ended by what comes of the order"
        )


class ConfigBeyondLegacy(TradingWindowError):
    """A config with keys that the old arithmetic doesn't know, where the old side would have to judge by it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        super().__init__(f"the window's config needs the new side, for the old one doesn't know: {', '.join(keys)}")


class ServedByLegacy(TradingWindowError):
    """A change that can't be while the old side serves, or may serve, these endpoints."""

    def __init__(self, keys: Sequence[str], endpoints: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self.endpoints = tuple(endpoints)
        super().__init__(
            f"the old side doesn't know {', '.join(keys)}, and these endpoints are not in mode native: "
            f"{', '.join(endpoints)}; move them first (tradewindow cutover set ... native), or leave those keys out"
        )
