"""The store in memory: nothing survives the process. The default of a window that is used as a library."""

import json
import threading
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

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
from shared.window import NEW_STATE, AnswerT, Asking, LedgerEntry, Snapshot, Transition
from shared.window_config import WindowConfig


class MemoryStore:
    """A Store in dictionaries. One lock around each short step keeps threads and event loops apart; since the step
    never waits, an event loop takes it inline. State and data are kept as JSON text, as a file keeps them: what
    callers do with their own dictionaries doesn't reach the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, _KeptWindow] = {}
        self._ledgers: dict[str, list[_KeptEntry]] = {}
        self._kept: dict[tuple[str, str, str], KeptAnswer] = {}

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        new = _KeptWindow(config=config, state_json=to_json(NEW_STATE), version=1, sequence=0)
        with self._lock:
            self._ledgers.setdefault(window_id, [])
            self._windows.setdefault(window_id, new)
            return self.snapshot(window_id)

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot:
        return self.create(window_id, config)

    def window_ids(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        with self._lock:
            known = sorted(self._windows)
        return tuple(name for name in known if after is None or name > after)[: None if limit < 0 else limit]

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return self.window_ids(after=after, limit=limit)

    def snapshot(self, window_id: str) -> Snapshot:
        try:
            config, state_json, version, sequence = self._windows[window_id]
        except KeyError:
            raise UnknownWindow(window_id) from None
        return Snapshot(
            window_id=window_id, config=config, state=json.loads(state_json), version=version, sequence=sequence
        )

    async def snapshot_async(self, window_id: str) -> Snapshot:
        return self.snapshot(window_id)

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        with self._lock:
            sequence = self.snapshot(window_id).sequence
            ledger = self._ledgers[window_id]
            newest = sequence if query.through is None else min(sequence, query.through)
            found: list[_KeptEntry] = []
            for index in range(newest - 1, -1, -1):
                if len(found) == query.limit:
                    break
                if query.matches(ledger[index].entry):
                    found.append(ledger[index])
        entries = tuple(replace(entry, data=json.loads(data_json)) for entry, data_json in found)
        return LedgerPage(entries=entries, sequence=sequence)

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        return self.ledger(window_id, query)

    def apply(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        write = Write(window_id=window_id, transition=transition, instant=instant, key=key, asks=asks)
        with self._lock:
            kept_under = (window_id, key.endpoint, key.value) if key else None
            kept = self._kept.get(kept_under) if kept_under else None
            applied = carry_out(write, self.snapshot(window_id), kept)
            if applied.replayed:
                return applied
            # What is no JSON raises here, before anything is written.
            window = _kept_window(applied.after)
            entries = [_KeptEntry(entry, to_json(entry.data)) for entry in applied.entries]
            if key and kept_under:
                self._kept[kept_under] = KeptAnswer(fingerprint=key.fingerprint, answer_json=to_json(applied.answer))
            self._windows[window_id] = window
            self._ledgers[window_id].extend(entries)
        return applied

    async def apply_async(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        return self.apply(window_id, transition, instant=instant, key=key, asks=asks)

    def close(self) -> None:
        """Nothing to let go of; what was written stays readable."""


class _KeptWindow(NamedTuple):
    config: WindowConfig
    state_json: str
    version: int
    sequence: int


class _KeptEntry(NamedTuple):
    entry: LedgerEntry
    data_json: str


def _kept_window(window: Snapshot) -> _KeptWindow:
    return _KeptWindow(
        config=window.config, state_json=to_json(window.state), version=window.version, sequence=window.sequence
    )
