"""Ports that note what a request does through them, so that another side can be run from its notes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic

from shared._notes import (
    ApplyNote,
    CallKind,
    CallNote,
    LedgerNote,
    WindowNotes,
    again,
    as_json,
    copied,
    copied_answer,
    copied_window,
)
from shared._side_effects import SideEffects
from shared.clock import Clock
from shared.errors import KeyReused, Refused, StoreUnavailable, UnknownWindow
from shared.ids import Ids
from shared.outbound import Outbound
from shared.ports import Foundation, Ports
from shared.store.base import Applied, IdempotencyKey, KeptAnswer, LedgerPage, LedgerQuery, Store, to_json
from shared.window import DEFAULT_WINDOW_ID, NEW_STATE, AnswerT, Asking, Outcome, Snapshot, Transition, WindowState
from shared.window_config import WindowConfig


class Recording:
    """The notes of one request, complete once it has ended. `store` is where its ledger reads went; None in a process
    that has only the notes."""

    __slots__ = ("calls", "ids", "instant", "left", "store", "unfinished", "windows")

    def __init__(self, store: Store | None = None) -> None:
        self.store = store
        self.instant: datetime | None = None
        self.ids: dict[str, list[str]] = {}
        self.windows: dict[str, WindowNotes] = {}
        self.calls: list[CallNote] = []
        self.left = SideEffects()
        self.unfinished: str | None = None
        """What the request was cut off in, so that nobody can say what came of it."""

    def effects(self) -> Mapping[str, Any]:
        """What the request left: `windows` that it wrote, its `ledger` entries, its `calls` with an effect."""
        return self.left.to_json()

    def window(self, window_id: str) -> WindowNotes:
        notes = self.windows.get(window_id)
        if notes is None:
            notes = self.windows[window_id] = WindowNotes(window_id)
        return notes

    def to_json(self) -> Mapping[str, Any]:
        """The notes, with what candidates have read of the ledger by then."""
        notes: Mapping[str, Any] = as_json(
            {
                "instant": self.instant and self.instant.isoformat(),
                "ids": self.ids,
                "windows": {window_id: notes.to_json() for window_id, notes in self.windows.items()},
                "calls": [call.to_json() for call in self.calls],
                "effects": self.effects(),
                "unfinished": self.unfinished,
            }
        )
        return notes

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Recording":
        recording = cls()
        recording.instant = given["instant"] and datetime.fromisoformat(given["instant"])
        recording.ids = given["ids"]
        recording.windows = {
            window_id: WindowNotes.from_json(window_id, notes) for window_id, notes in given["windows"].items()
        }
        recording.calls = [CallNote.from_json(call) for call in given["calls"]]
        recording.left = SideEffects.from_json(given["effects"])
        recording.unfinished = given["unfinished"]
        return recording


async def record(ports: Ports) -> Recording:
    """From here on the ports note what is done through them, and what the request touched before is noted too.

    A request that never asks for the time or the default window is noted with those of now: a candidate may ask.
    Nothing that goes wrong here is the request's: it will meet it by itself, or never.
    """
    live = ports.foundation()
    recording = Recording(live.store)
    try:
        recording.instant = ports.drawn_instant() or live.clock.now()
    except Exception:
        recording.instant = None
    for snapshot in ports.windows.touched():
        recording.window(snapshot.window_id).snapshots.append(copied_window(snapshot))
    if DEFAULT_WINDOW_ID not in recording.windows:
        notes = recording.window(DEFAULT_WINDOW_ID)
        try:
            notes.start = await live.store.snapshot_async(DEFAULT_WINDOW_ID)
        except Exception as error:
            notes.start = again(error)
    ports.stand_on(
        Foundation(
            clock=_RecordingClock(live.clock, recording),
            ids=_RecordingIds(live.ids, recording),
            store=_RecordingStore(live.store, recording),
            outbound=_RecordingOutbound(live.outbound, recording),
        )
    )
    return recording


class _RecordingClock:
    __slots__ = ("_clock", "_recording")

    def __init__(self, clock: Clock, recording: Recording) -> None:
        self._clock = clock
        self._recording = recording

    def now(self) -> datetime:
        instant = self._recording.instant = self._clock.now()
        return instant


class _RecordingIds:
    __slots__ = ("_ids", "_recording")

    def __init__(self, ids: Ids, recording: Recording) -> None:
        self._ids = ids
        self._recording = recording

    def new(self, kind: str) -> str:
        drawn = self._ids.new(kind)
        self._recording.ids.setdefault(kind, []).append(drawn)
        return drawn


class _RecordingStore:
    """What the store answers, and what it raises, is the request's, unchanged."""

    __slots__ = ("_recording", "_store")

    def __init__(self, store: Store, recording: Recording) -> None:
        self._store = store
        self._recording = recording

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        try:
            window = self._store.create(window_id, config)
        except BaseException as error:
            self._note_failed_create(window_id, error)
            raise
        return self._note_create(window, config)

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot:
        try:
            window = await self._store.create_async(window_id, config)
        except BaseException as error:
            self._note_failed_create(window_id, error)
            raise
        return self._note_create(window, config)

    def window_ids(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return self._store.window_ids(after=after, limit=limit)

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return await self._store.window_ids_async(after=after, limit=limit)

    def snapshot(self, window_id: str) -> Snapshot:
        try:
            window = self._store.snapshot(window_id)
        except Exception as error:
            self._recording.window(window_id).snapshots.append(again(error))
            raise
        self._recording.window(window_id).snapshots.append(copied_window(window))
        return window

    async def snapshot_async(self, window_id: str) -> Snapshot:
        try:
            window = await self._store.snapshot_async(window_id)
        except Exception as error:
            self._recording.window(window_id).snapshots.append(again(error))
            raise
        self._recording.window(window_id).snapshots.append(copied_window(window))
        return window

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        try:
            page = self._store.ledger(window_id, query)
        except Exception as error:
            self._recording.window(window_id).ledger_errors.append(again(error))
            raise
        return self._note_page(window_id, query, page)

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        try:
            page = await self._store.ledger_async(window_id, query)
        except Exception as error:
            self._recording.window(window_id).ledger_errors.append(again(error))
            raise
        return self._note_page(window_id, query, page)

    def apply(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        attempt = _Attempt(transition)
        try:
            applied = self._store.apply(window_id, attempt, instant=instant, key=key, asks=asks)
        except BaseException as error:
            self._note_failed_apply(window_id, attempt, key, error)
            raise
        return self._note_apply(attempt, key, applied)

    async def apply_async(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        instant: datetime,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        attempt = _Attempt(transition)
        try:
            applied = await self._store.apply_async(window_id, attempt, instant=instant, key=key, asks=asks)
        except BaseException as error:
            self._note_failed_apply(window_id, attempt, key, error)
            raise
        return self._note_apply(attempt, key, applied)

    def close(self) -> None:
        self._store.close()

    def _note_create(self, window: Snapshot, config: WindowConfig) -> Snapshot:
        notes = self._recording.window(window.window_id)
        known = any(isinstance(sight, Snapshot) for sight in (notes.start, *notes.snapshots, *notes.created))
        if not known and window == Snapshot(window.window_id, config, NEW_STATE, 1, 0):
            notes.made_at = len(notes.created)
            self._recording.left.create(window)
        notes.created.append(copied_window(window))
        return window

    def _note_failed_create(self, window_id: str, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._recording.window(window_id).created.append(again(error))
        else:
            self._recording.unfinished = f"the making of window {window_id!r}"

    def _note_page(self, window_id: str, query: LedgerQuery, page: LedgerPage) -> LedgerPage:
        notes = self._recording.window(window_id)
        notes.reads.append(LedgerNote.of(query, page, notes.written()))
        notes.ledger_errors.append(None)
        return page

    def _note_apply(
        self, attempt: "_Attempt[AnswerT]", key: IdempotencyKey | None, applied: Applied[AnswerT]
    ) -> Applied[AnswerT]:
        notes = self._recording.window(applied.before.window_id)
        if applied.replayed and key is not None:
            found = copied_window(applied.before)
            kept = KeptAnswer(fingerprint=key.fingerprint, answer_json=to_json(applied.answer))
            notes.applies.append(ApplyNote(found=found, left=found, key=key, kept=kept))
            return applied
        # What time did to the window is done again in a replay, which so needs it as it was before.
        found = attempt.found(applied.before) if attempt.saw(applied.before) else copied_window(applied.before)
        left = copied_window(applied.after)
        notes.applies.append(ApplyNote(found=found, left=left, key=key))
        self._recording.left.apply(found, left, applied, key)
        return applied

    def _note_failed_apply(
        self, window_id: str, attempt: "_Attempt[Any]", key: IdempotencyKey | None, error: BaseException
    ) -> None:
        if not isinstance(error, Exception):
            self._recording.unfinished = f"a write to window {window_id!r}"
            return
        notes = self._recording.window(window_id)
        found = attempt.found(_newest_known(notes)) if attempt.ran else None
        if attempt.caused(error):
            note = ApplyNote(found=found, left=found, key=key)
        elif isinstance(error, KeyReused):
            note = ApplyNote(key=key, reused=True)
        else:
            note = ApplyNote(found=found, key=key, error=again(error))
        notes.applies.append(note)


class _Attempt(Generic[AnswerT]):
    """A transition on its way to the store, which notes what it finds there: a refusal doesn't say. A store may run it
    more than once; the last time counts."""

    __slots__ = ("_config", "_given", "_state", "_transition", "raised", "ran")

    def __init__(self, transition: Transition[AnswerT]) -> None:
        self._transition = transition
        self.ran = False
        self.raised = False

    def __call__(self, config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[AnswerT]:
        self._config = config
        self._given = state
        self._state = copied(state)
        self.ran = self.raised = True
        outcome = self._transition(config, state, instant)
        self.raised = False
        return outcome

    def found(self, near: Snapshot) -> Snapshot:
        """The window as the transition found it. A refusal hides version and sequence number: they are `near`'s."""
        return Snapshot(near.window_id, self._config, self._state, near.version, near.sequence)

    def saw(self, window: Snapshot) -> bool:
        """Whether it was given this very state."""
        return self._given is window.state

    def caused(self, error: Exception) -> bool:
        """Whether the error comes of the transition, by itself or by what it left, and so not of the store."""
        if not self.ran or isinstance(error, StoreUnavailable | UnknownWindow):
            return False
        return self.raised or isinstance(error, Refused | TypeError | ValueError | RecursionError)


class _RecordingOutbound:
    __slots__ = ("_outbound", "_recording")

    def __init__(self, outbound: Outbound, recording: Recording) -> None:
        self._outbound = outbound
        self._recording = recording

    def effect(self, port: str, method: str, /, **arguments: Any) -> Any:
        call = self._begin("effect", port, method, arguments)
        try:
            answer = self._outbound.effect(port, method, **arguments)
        except BaseException as error:
            self._note_failed(call, error)
            raise
        return self._note(call, answer)

    async def effect_async(self, port: str, method: str, /, **arguments: Any) -> Any:
        call = self._begin("effect", port, method, arguments)
        try:
            answer = await self._outbound.effect_async(port, method, **arguments)
        except BaseException as error:
            self._note_failed(call, error)
            raise
        return self._note(call, answer)

    def read(self, port: str, method: str, /, **arguments: Any) -> Any:
        call = self._begin("read", port, method, arguments)
        try:
            answer = self._outbound.read(port, method, **arguments)
        except BaseException as error:
            self._note_failed(call, error)
            raise
        return self._note(call, answer)

    async def read_async(self, port: str, method: str, /, **arguments: Any) -> Any:
        call = self._begin("read", port, method, arguments)
        try:
            answer = await self._outbound.read_async(port, method, **arguments)
        except BaseException as error:
            self._note_failed(call, error)
            raise
        return self._note(call, answer)

    def _begin(self, kind: CallKind, port: str, method: str, arguments: dict[str, Any]) -> CallNote:
        call = CallNote(kind, port, method, as_json(arguments))
        self._recording.left.call(call)
        return call

    def _note(self, call: CallNote, answer: Any) -> Any:
        self._recording.calls.append(call._replace(answer=copied_answer(answer)))
        return answer

    def _note_failed(self, call: CallNote, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._recording.calls.append(call._replace(error=again(error)))
        else:
            self._recording.unfinished = f"a call of {call.port}.{call.method}"


def _newest_known(notes: WindowNotes) -> Snapshot:
    """For the version and the sequence number near which a refusal came."""
    known = [*(note.left for note in reversed(notes.applies)), *notes.snapshots, *notes.created, notes.start]
    return next(
        (window for window in known if isinstance(window, Snapshot)),
        Snapshot(notes.window_id, WindowConfig(), NEW_STATE, 1, 0),
    )
