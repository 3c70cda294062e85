"""The store in memory: nothing survives the process. The default of a window that is used as a library."""

import json
import threading
from bisect import bisect_right
from datetime import datetime

from shared.errors import UnknownWindow
from shared.store.base import (
    Applied,
    IdempotencyKey,
    KeptAnswer,
    LedgerPage,
    LedgerQuery,
    Write,
    carry_out,
    to_json,
)
from shared.window import NEW_STATE, AnswerT, LedgerEntry, Snapshot, Transition, WindowConfig


class MemoryStore:
    """A Store in dictionaries. One lock around each short step keeps threads and event loops apart; since the step
    never waits, an event loop takes it inline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, Snapshot] = {}
        self._ledgers: dict[str, list[LedgerEntry]] = {}
        self._kept: dict[tuple[str, str, str], KeptAnswer] = {}

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        new = Snapshot(window_id=window_id, config=config, state=NEW_STATE, version=1, sequence=0)
        with self._lock:
            self._ledgers.setdefault(window_id, [])
            return self._windows.setdefault(window_id, new)

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot:
        return self.create(window_id, config)

    def snapshot(self, window_id: str) -> Snapshot:
        try:
            return self._windows[window_id]
        except KeyError:
            raise UnknownWindow(window_id) from None

    async def snapshot_async(self, window_id: str) -> Snapshot:
        return self.snapshot(window_id)

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        with self._lock:
            sequence = self.snapshot(window_id).sequence
            ledger = self._ledgers[window_id]
            last = len(ledger) if query.through is None else bisect_right(ledger, query.through, key=_sequence)
            entries: list[LedgerEntry] = []
            for index in range(last - 1, -1, -1):
                if len(entries) == query.limit:
                    break
                if _matches(ledger[index], query):
                    entries.append(ledger[index])
        return LedgerPage(entries=tuple(entries), sequence=sequence)

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        return self.ledger(window_id, query)

    def apply(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        takes_slot: bool = False,
    ) -> Applied[AnswerT]:
        write = Write(window_id=window_id, transition=transition, instant=instant, key=key, takes_slot=takes_slot)
        with self._lock:
            kept_under = (window_id, key.endpoint, key.value) if key else None
            kept = self._kept.get(kept_under) if kept_under else None
            applied = carry_out(write, self.snapshot(window_id), kept)
            if applied.replayed:
                return applied
            _check_is_json(applied)
            if key and kept_under:
                self._kept[kept_under] = KeptAnswer(fingerprint=key.fingerprint, answer_json=json.dumps(applied.answer))
            self._windows[window_id] = applied.after
            self._ledgers[window_id].extend(applied.entries)
        return applied

    async def apply_async(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        takes_slot: bool = False,
    ) -> Applied[AnswerT]:
        return self.apply(window_id, transition, instant=instant, key=key, takes_slot=takes_slot)

    def close(self) -> None:
        """Nothing to let go of; what was written stays readable."""


def _sequence(entry: LedgerEntry) -> int:
    return entry.sequence


def _matches(entry: LedgerEntry, query: LedgerQuery) -> bool:
    return (
        (query.kind is None or entry.kind == query.kind)
        and (query.trade_day is None or entry.trade_day == query.trade_day)
        and (query.symbol is None or entry.symbol == query.symbol)
    )


def _check_is_json(applied: Applied[AnswerT]) -> None:
    """What a durable store could not keep must not pass here either."""
    to_json(applied.after.state)
    for entry in applied.entries:
        to_json(entry.data)
