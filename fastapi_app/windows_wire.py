"""What the native-only endpoints of windows take and answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fastapi_app.window.decision import Decision
from fastapi_app.window.order import Reduces
from fastapi_app.window.schedule import Turn
from shared.clock import utc_text
from shared.errors import PermitStatus, Reason, ReasonCode
from shared.store.base import LedgerPage
from shared.window import LedgerEntry, Snapshot
from shared.window_config import Instant, Why, WindowConfig
from shared.wire import RecordedTrade
from shared.wire_fields import ExactDecimal, QueryLimit, Side, Strategy, Symbol

_WINDOW_RULE = "a name of 1 to 64 letters a-z, digits, dashes and underscores, which begins with a letter or a digit"

WindowId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description=_WINDOW_RULE)]
QueryInstant = Annotated[
    Instant | None,
    Field(
        description="an instant with its offset, such as 2026-12-24T12:00:00Z or 2026-12-24T13:00:00%2B01:00 (%2B is "
        "how a plus sign is written in a query)"
    ),
]


ShownConfig = Annotated[
    dict[str, Any],
    Field(
        description="the keys that differ from their defaults, and always the four that the old side knows. Of these, "
        "start_hour and end_hour are not in force while there are intervals, whatever they say"
    ),
]


def _truth(text: object) -> object:
    return {"true": True, "false": False}.get(text, text) if isinstance(text, str) else text


def _count(text: object) -> object:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 16 else text


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NewWindow(_Request):
    """A window to make."""

    window_id: WindowId
    config: Annotated[dict[str, Any], Field(description="a table of the config's keys")] = {}


class Fill(_Request):
    """What an order was filled with, where it isn't what the permit says."""

    quantity: Annotated[ExactDecimal | None, Field(description="a decimal greater than 0")] = None
    price: Annotated[ExactDecimal | None, Field(description="a decimal greater than 0")] = None


class Release(_Request):
    """Why there is no trade."""

    reason: Annotated[Why | None, Field(description="a text of 1 to 200 characters")] = None


class WindowsQuery(_Request):
    """A page of windows: those behind `after`, in order."""

    after: Annotated[str | None, Field(max_length=64, description="the id of a window")] = None
    limit: QueryLimit = 50


class DecisionQuery(_Request):
    """The order to judge, as far as it is known, and the instant: now unless given."""

    symbol: Annotated[Symbol | None, Field(description="a symbol such as BTC-USD")] = None
    side: Annotated[Side | None, Field(description='"buy" or "sell"')] = None
    strategy: Strategy = None
    reduces: Annotated[Reduces, BeforeValidator(_truth)] = False
    at: QueryInstant = None


class ScheduleQuery(_Request):
    """From when on, now unless given, and how many opens and closes."""

    at: QueryInstant = None
    limit: QueryLimit = 10


class LedgerPageQuery(_Request):
    """A page of a ledger, newest first: the entries before sequence number `before`, the newest unless given."""

    kind: Annotated[
        Literal["trade", "permit", "halt", "config", "day"] | None,
        Field(description='"trade", "permit", "halt", "config" or "day"'),
    ] = None
    before: Annotated[
        int | None, Field(ge=1, description="a sequence number, a whole number from 1"), BeforeValidator(_count)
    ] = None
    limit: QueryLimit = 50


# Answers


class ReasonAnswer(BaseModel):
    """One rule that fails. `value` was found, `bound` is what it was held against; `clears_at` is null where it isn't
    known when the rule allows the order by itself."""

    code: ReasonCode
    sentence: str
    value: Any
    bound: Any
    clears_at: str | None


class RefusedAnswer(BaseModel):
    """A refusal: `error` is the first reason's sentence, `reasons` has every rule that fails."""

    error: str
    reasons: list[ReasonAnswer]
    clears_at: str | None


class DecisionAnswer(BaseModel):
    """Whether an order may go out at an instant, and every reason why not."""

    allowed: bool
    at: str
    reasons: list[ReasonAnswer]
    clears_at: str | None


class WindowAnswer(BaseModel):
    """A window at one instant. `next_open` and `next_close` are later than that; null where none is known."""

    window_id: str
    version: int
    config: ShownConfig
    is_open: bool
    next_open: str | None
    next_close: str | None
    trade_day: str
    trades_today: int
    max_trades_per_day: int
    remaining_trades: int
    open_permits: int
    in_doubt: int
    halts: dict[str, dict[str, Any]]
    warning: str | None


class WindowsAnswer(BaseModel):
    """`next` goes into `after` for the next page; null at the end."""

    windows: list[str]
    next: str | None


class VersionedConfig(BaseModel):
    """`version` counts the window's configs from 1."""

    config: ShownConfig
    version: int


class TurnAnswer(BaseModel):
    """The window opens or closes at this instant."""

    opens: bool
    at: str


class ScheduleAnswer(BaseModel):
    """`known_until` is the end of what the calendar knows; null without one."""

    is_open: bool
    upcoming: list[TurnAnswer]
    known_until: str | None
    warning: str | None


class PermitModel(BaseModel):
    """A permit. One that reduces takes no slot; at `deadline` a pending one expires, and a sent one is in doubt,
    also that of an order which rests at the broker: until the order has its end, the permit keeps its slot."""

    id: str
    symbol: str | None
    side: str | None
    quantity: str | None
    price: str | None
    strategy: str | None
    reduces: bool
    status: PermitStatus
    trade_day: str
    reserved_at: str
    deadline: str | None
    client_order_id: Annotated[
        str | None, Field(description="there for a permit of an order of the broker's: its client order id")
    ] = None


class PermitStepAnswer(BaseModel):
    permit: PermitModel
    trades_today: int
    remaining_trades: int


class ConfirmedAnswer(PermitStepAnswer):
    trade: RecordedTrade


class PermitsAnswer(BaseModel):
    permits: list[PermitModel]
    count: int


class HaltsAnswer(BaseModel):
    """Halts in force, by symbol; `*` is that of everything."""

    halts: dict[str, dict[str, Any]]


class HaltSetAnswer(HaltsAnswer):
    """`before` is the halt whose place was taken; null where there was none."""

    before: dict[str, Any] | None


class EntryAnswer(BaseModel):
    """One change of a window. `data` depends on the kind; `subject` is what it is one step of: a permit, by its id; for
    a trade that came of an order, that order, by its client order id."""

    sequence: int
    id: str
    kind: str
    instant: str
    trade_day: str | None
    symbol: str | None
    subject: str | None
    data: dict[str, Any]


class LedgerAnswer(BaseModel):
    """`next` goes into `before` for the next page; null at the end."""

    entries: list[EntryAnswer]
    count: int
    next: int | None


def instant_or_none(at: datetime | None) -> str | None:
    return None if at is None else utc_text(at)


def reason_answer(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "sentence": reason.sentence,
        "value": reason.value,
        "bound": reason.bound,
        "clears_at": instant_or_none(reason.clears_at),
    }


def refused_answer(decision: Decision) -> dict[str, Any]:
    return {
        "error": decision.reasons[0].sentence,
        "reasons": [reason_answer(reason) for reason in decision.reasons],
        "clears_at": instant_or_none(decision.clears_at),
    }


def decision_answer(decision: Decision) -> dict[str, Any]:
    return {
        "allowed": decision.allowed,
        "at": utc_text(decision.at),
        "reasons": [reason_answer(reason) for reason in decision.reasons],
        "clears_at": instant_or_none(decision.clears_at),
    }


def versioned_config(window: Snapshot, config: WindowConfig | None = None) -> dict[str, Any]:
    return {"config": (config or window.config).to_json(), "version": window.version}


def turns_answer(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    return [{"opens": turn.opens, "at": utc_text(turn.at)} for turn in turns]


def ledger_answer(page: LedgerPage, limit: int) -> dict[str, Any]:
    """Of the page's first `limit` entries; one more tells that this isn't the end."""
    entries = [entry_answer(entry) for entry in page.entries[:limit]]
    more = len(page.entries) > limit
    return {"entries": entries, "count": len(entries), "next": page.entries[limit - 1].sequence if more else None}


def entry_answer(entry: LedgerEntry) -> Mapping[str, Any]:
    return {
        "sequence": entry.sequence,
        "id": entry.id,
        "kind": entry.kind,
        "instant": utc_text(entry.instant),
        "trade_day": entry.trade_day,
        "symbol": entry.symbol,
        "subject": entry.subject,
        "data": entry.data,
    }
