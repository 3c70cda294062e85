"""A trading window's state and ledger: the values that both stacks read and write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, NotRequired, TypedDict, TypeVar

from shared.errors import PermitStatus
from shared.window_config import WindowConfig

DEFAULT_WINDOW_ID = "default"
"""The window that the legacy routes serve."""

AnswerT = TypeVar("AnswerT")


ALL = "*"
"""Every symbol."""

MAX_OPEN_PERMITS = 1_000
"""How many permits of a window may be out at once. They are part of its state, which each write writes."""


class Halt(TypedDict):
    """A stop of all new trades, or of one symbol's, set by a person. Instants are ISO 8601 UTC."""

    reason: str
    author: NotRequired[str]
    since: NotRequired[str]
    until: NotRequired[str | None]
    """When it ends by itself; None or not there: never."""


class Permit(TypedDict):
    """A slot that is reserved for an order; part of the window's state until it has its end.

    `quantity` and `price` are plain decimal strings, instants ISO 8601 UTC. One that only reduces a position takes no
    slot. At `deadline` one that is pending expires, and one that is sent becomes in doubt.
    """

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
    client_order_id: NotRequired[str]
    """The name under which the broker knows the order, by which its outcome can be asked for."""


class Tally(TypedDict):
    """The trades of `trade_day` by name; those that only reduce are not in it."""

    symbol: dict[str, int]
    side: dict[str, int]
    strategy: dict[str, int]


class WindowState(TypedDict):
    """The small dictionary that changes. JSON values only; a transition makes a new one. What isn't there is empty."""

    trade_day: str | None
    """The trading day, YYYY-MM-DD, that `trades_today` counts; None before the first trade."""
    trades_today: int
    """Occupied slots: confirmed, pending, in doubt."""
    halt: Halt | None
    symbol_halts: NotRequired[dict[str, Halt]]
    permits: NotRequired[dict[str, Permit]]
    """Those without an end, by id."""
    tally: NotRequired[Tally]
    last_trades: NotRequired[dict[str, str]]
    """When a symbol was traded last, and under `*` any; ISO 8601 UTC, for cooldowns."""


NEW_STATE = WindowState(trade_day=None, trades_today=0, halt=None)


class Trade(TypedDict):
    """A trade as the ledger keeps it and the wire shows it; without trade data the first six but `id` are None.

    Quantity and price are plain decimal strings, `executed_at` is ISO 8601 UTC with six decimals and a Z,
    `trade_day` the day that the trade counts on. `reduces` is there, and true, for one that only reduced a position.
    """

    id: str
    symbol: str | None
    side: str | None
    quantity: str | None
    price: str | None
    strategy: str | None
    executed_at: str
    trade_day: str
    reduces: NotRequired[bool]


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
    subject: str | None = None
    """What the entry is one step of: the id of a permit, or, for a trade, the client order id of its order."""


class Asking(NamedTuple):
    """That a write asks for leave to trade, which a halt refuses; the symbol where it is known."""

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
