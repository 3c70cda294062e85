"""A trading window's config, state and ledger: the values that both stacks read and write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple, TypedDict, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.fields import validated

DEFAULT_WINDOW_ID = "default"
"""The window that the legacy routes serve."""

MAX_TRADES_PER_DAY = 1_000_000

AnswerT = TypeVar("AnswerT")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:
        raise ValueError("unknown time zone") from exc
    return name


StartHour = Annotated[int, Field(ge=0, le=23, description="a whole number from 0 to 23")]
EndHour = Annotated[int, Field(ge=0, le=24, description="a whole number from 0 to 24")]
TradesPerDay = Annotated[
    int, Field(ge=0, le=MAX_TRADES_PER_DAY, description=f"a whole number from 0 to {MAX_TRADES_PER_DAY}")
]
Zone = Annotated[
    str,
    Field(min_length=1, max_length=64, description="a time zone of the IANA database, such as Europe/Stockholm"),
    AfterValidator(_known_zone),
]


class WindowConfig(BaseModel):
    """The rules of a trading window. Keys and defaults are the legacy contract's.

    The window is open while `start_hour <= hour < end_hour` in `timezone`; with start ≥ end it is never open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    start_hour: StartHour = 0
    end_hour: EndHour = 24
    max_trades_per_day: TradesPerDay = 5
    timezone: Zone = "UTC"

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "WindowConfig":
        """Raises InvalidField, which names the first wrong key, its value and its bound."""
        return validated(cls, given)

    def changed(self, changes: Mapping[str, Any]) -> "WindowConfig":
        """This config with some keys replaced, validated whole. Raises InvalidField."""
        return self.parse({**self.model_dump(), **changes})


class Halt(TypedDict):
    """A stop of all new trades, set by a person."""

    reason: str


class WindowState(TypedDict):
    """The small dictionary that changes. JSON values only; a transition makes a new one."""

    trade_day: str | None
    """The day, YYYY-MM-DD in the window's zone, that `trades_today` counts; None before the first trade."""
    trades_today: int
    halt: Halt | None


NEW_STATE = WindowState(trade_day=None, trades_today=0, halt=None)


class Trade(TypedDict):
    """A trade as the ledger keeps it and the wire shows it; without trade data the first six but `id` are None.

    Quantity and price are plain decimal strings, `executed_at` is ISO 8601 UTC with six decimals and a Z,
    `trade_day` the day that the trade counts on.
    """

    id: str
    symbol: str | None
    side: str | None
    quantity: str | None
    price: str | None
    strategy: str | None
    executed_at: str
    trade_day: str


class RegisteredTrade(TypedDict):
    """The answer to a trade that was registered, with the window's count right after it."""

    trade: Trade
    trades_today: int
    remaining_trades: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A ledger entry as a transition drafts it. `data` holds JSON values only."""

    id: str
    kind: str
    data: Mapping[str, Any]
    trade_day: str | None = None
    symbol: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry(Entry):
    """An entry that is written; `sequence` counts from 1 without a gap in each window."""

    sequence: int
    instant: datetime


class Snapshot(NamedTuple):
    """A window at one point of its history. A tuple, since one is made for each request.

    `version` counts its configs from 1; `sequence` is that of its newest ledger entry, 0 for none.
    """

    window_id: str
    config: WindowConfig
    state: WindowState
    version: int
    sequence: int


class Outcome(NamedTuple, Generic[AnswerT]):
    """What a transition asks the store to write, and what to tell the caller once it is written."""

    config: WindowConfig
    state: WindowState
    entries: tuple[Entry, ...]
    answer: AnswerT


Transition = Callable[[WindowConfig, WindowState, datetime], Outcome[AnswerT]]
"""A pure function of config, state and instant. It does no I/O, leaves its arguments as they are, and refuses by
raising, which writes nothing."""
