"""A trading window's state and ledger: the values that both stacks read and write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

from shared.window_config import WindowConfig

DEFAULT_WINDOW_ID = "default"
"""The window that the legacy routes serve."""

AnswerT = TypeVar("AnswerT")


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
