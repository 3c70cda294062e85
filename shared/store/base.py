"""The store's contract: what every backend promises, and the one step that all of them carry out."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol

from shared.clock import aware
from shared.errors import KeyReused, Refused
from shared.halts import halt_reasons
from shared.upkeep import day_turned, noted, upkept
from shared.window import AnswerT, Asking, Entry, LedgerEntry, Snapshot, Transition
from shared.window_config import WindowConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotencyKey:
    """A client's name for one request: `value` per window and endpoint; `fingerprint` tells equal bodies."""

    endpoint: str
    value: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAnswer:
    """What the store keeps with the trade that a key was answered with."""

    fingerprint: str
    answer_json: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerQuery:
    """Which entries to read, newest first: at most `limit`, none after sequence `through` (None: all so far)."""

    kind: str | None = None
    trade_day: str | None = None
    symbol: str | None = None
    subject: str | None = None
    through: int | None = None
    limit: int = 50

    def matches(self, entry: Entry) -> bool:
        """Whether kind, trade day, symbol and subject are as asked for."""
        return (
            (self.kind is None or entry.kind == self.kind)
            and (self.trade_day is None or entry.trade_day == self.trade_day)
            and (self.symbol is None or entry.symbol == self.symbol)
            and (self.subject is None or entry.subject == self.subject)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerPage:
    """Entries, newest first, and the sequence number of the newest entry of the window when they were read."""

    entries: tuple[LedgerEntry, ...]
    sequence: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Write(Generic[AnswerT]):
    """One `apply`, as it is handed to a backend."""

    window_id: str
    transition: Transition[AnswerT]
    instant: datetime
    key: IdempotencyKey | None
    asks: Asking | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied(Generic[AnswerT]):
    """A write that is durable. With `replayed` nothing was written: the key's first answer is given again."""

    answer: AnswerT
    before: Snapshot
    after: Snapshot
    entries: tuple[LedgerEntry, ...] = ()
    own_from: int = 0
    """The place of the first entry that the transition drafted; a key's answer is kept with it."""
    replayed: bool = False


class Store(Protocol):
    """Windows and their ledgers, durable. Each method has two faces on one engine: called, it blocks its thread;
    with `_async`, it is awaited from any event loop. All of them may be called from any thread.

    Every method raises StoreUnavailable when the store can't answer, and then nothing is written; every method but
    `create` raises UnknownWindow for a window that was never created.
    """

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        """Makes the window unless it is known, and answers with what is stored: a known window keeps its config."""
        ...

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot: ...

    def window_ids(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        """The ids of the windows that were created, in order: those behind `after`, at most `limit`; with a negative
        one all of them."""
        ...

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]: ...

    def snapshot(self, window_id: str) -> Snapshot:
        """The window as of its newest durable write."""
        ...

    async def snapshot_async(self, window_id: str) -> Snapshot: ...

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        """Entries and the window's sequence number, read together."""
        ...

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage: ...

    def apply(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        """Runs the transition on the window as it is, writes its outcome atomically and durably, then answers.

        A transition that raises writes nothing, and its error is the caller's. With `key`, which needs an answer of
        JSON values, the first answer is kept with the entries and given again to an equal request; an unequal one
        raises KeyReused. With `asks` a halted window raises Refused, with the reasons of the transition behind.
        """
        ...

    async def apply_async(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        """As `apply`. A caller that is cancelled once its write is handed over doesn't undo it."""
        ...

    def close(self) -> None:
        """Writes what was handed over, then lets go of files and threads. A closed store opens again when used."""
        ...


def carry_out(write: Write[AnswerT], before: Snapshot, kept: KeptAnswer | None) -> Applied[AnswerT]:
    """The step between reading a window and writing it, the same for every backend. Does no I/O.

    The transition gets the state as it is at the write's instant; what time did to it by then, and a day that turns,
    are entries of the same write, in front of the transition's own.
    """
    if write.key is not None and kept is not None:
        if kept.fingerprint != write.key.fingerprint:
            raise KeyReused(write.key.value)
        return Applied(answer=json.loads(kept.answer_json), before=before, after=before, replayed=True)
    instant = aware(write.instant)
    found, due = upkept(before.state, instant)
    halted = halt_reasons(found, write.asks.symbol, instant) if write.asks else ()
    try:
        config, state, drafts, answer = write.transition(before.config, found, instant)
    except Refused as refusal:
        if halted:
            raise Refused(*halted, *refusal.reasons) from None
        raise
    if halted:
        raise Refused(*halted)
    if write.key is not None and not drafts:
        raise ValueError("a write with an idempotency key needs a ledger entry to keep the answer with")
    due += day_turned(found, state)
    entries = tuple(
        LedgerEntry(
            id=draft.id,
            kind=draft.kind,
            data=draft.data,
            trade_day=draft.trade_day,
            symbol=draft.symbol,
            subject=draft.subject,
            sequence=before.sequence + position,
            instant=instant,
        )
        for position, draft in enumerate((*due, *drafts), start=1)
    )
    after = Snapshot(
        window_id=before.window_id,
        config=config,
        state=noted(found, state, drafts, instant),
        version=before.version + (config is not before.config and config != before.config),
        sequence=before.sequence + len(entries),
    )
    return Applied(answer=answer, before=before, after=after, entries=entries, own_from=len(due))


def to_json(value: Any) -> str:
    """Compact JSON as the store keeps it. Raises ValueError or TypeError for what JSON can't hold."""
    return _ENCODE(value)


_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
