"""Ports that answer from a recording and write nowhere: the world as another side's request met it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared._notes import (
    ApplyNote,
    CallNote,
    LedgerNote,
    WindowNotes,
    again,
    as_json,
    copied_answer,
    copied_window,
)
from shared._side_effects import SideEffects, as_far_as
from shared.errors import KeyReused, TradingWindowError, UnknownWindow
from shared.ports import Ports
from shared.recording import Recording
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


class UnrecordedRead(TradingWindowError):
    """A question that the recording can't answer. The replay keeps the first one, whatever becomes of the error."""

    def __init__(self, question: str) -> None:
        self.question = question
        super().__init__(f"the recording can't answer {question}")


class Replay:
    """One run of another side on a recording. `ports` are for the one request of that run.

    What that side writes is seen by itself alone. A write is judged by the window as the recorded side's write of the
    same number found it, as long as both sides left the same; from then on by what this side left.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._left = SideEffects()
        self._unrecorded = _Unrecorded(self._left)
        if recording.unfinished:
            self._unrecorded.meet(f"what came of {recording.unfinished}")
        self.ports = Ports(
            clock=_ReplayingClock(recording, self._unrecorded),
            ids=_ReplayingIds(recording),
            store=_ReplayingStore(recording, self._left, self._unrecorded),
            outbound=_ReplayingOutbound(recording, self._left, self._unrecorded),
        )

    def effects(self) -> Mapping[str, Any]:
        """What the side would have left, in the form of the recording's own."""
        return self._left.to_json()

    def unrecorded_read(self) -> str | None:
        """What the side asked for first that the recording can't answer, as a clause; None where there is nothing."""
        return self._unrecorded.first

    def until_unrecorded(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What the recorded side and this one had left when this one first asked what the recording can't answer. Only
        what nothing that comes later can make equal: entries and calls, place by place, and windows that the recorded
        side never wrote."""
        return as_far_as(self._unrecorded.left, self._recording.left)


class _Unrecorded:
    """Keeps what was met first, and what was left by then."""

    def __init__(self, left: SideEffects) -> None:
        self.first: str | None = None
        self.left = left

    def meet(self, question: str) -> UnrecordedRead:
        if self.first is None:
            self.first = question
            self.left = self.left.copied()
        return UnrecordedRead(question)


class _ReplayingClock:
    def __init__(self, recording: Recording, unrecorded: _Unrecorded) -> None:
        self._instant = recording.instant
        self._unrecorded = unrecorded

    def now(self) -> datetime:
        if self._instant is None:
            raise self._unrecorded.meet("what time it was")
        return self._instant


class _ReplayingIds:
    def __init__(self, recording: Recording) -> None:
        self._recorded = recording.ids
        self._drawn: dict[str, int] = {}

    def new(self, kind: str) -> str:
        number = self._drawn[kind] = self._drawn.get(kind, 0) + 1
        recorded = self._recorded.get(kind, ())
        return recorded[number - 1] if number <= len(recorded) else f"unrecorded-{kind}-{number}"


class _ReplayedWindow:
    """A window as the side that is run on the recording makes and finds it."""

    def __init__(self, notes: WindowNotes) -> None:
        self.notes = notes
        self.sights = 0
        self.creates = 0
        self.reads = 0
        self.applies = 0
        self.current: Snapshot | None = None
        """As this side left it last; None while it hasn't."""
        self.expected: Snapshot | None = None
        """As the recorded side left it at the same point."""
        self.entries: list[LedgerEntry] = []
        self.kept: dict[tuple[str, str], KeptAnswer] = {}

    def next_note(self) -> ApplyNote | None:
        self.applies += 1
        return self.notes.applies[self.applies - 1] if self.applies <= len(self.notes.applies) else None

    def goes_on_as_recorded(self) -> bool:
        return self.current == self.expected

    def answer_to(self, key: IdempotencyKey | None, note: ApplyNote | None) -> KeptAnswer | None:
        """Raises KeyReused where the recorded side met that: nobody knows for which request the key was used."""
        if key is None:
            return None
        if own := self.kept.get((key.endpoint, key.value)):
            return own
        recorded = self.notes.use_of(key, at=note)
        if recorded is not None and recorded.reused:
            raise KeyReused(key.value)
        return recorded.kept if recorded else None


class _ReplayingStore:
    """Asks the live store for nothing but ledger entries, which never change."""

    def __init__(self, recording: Recording, left: SideEffects, unrecorded: _Unrecorded) -> None:
        self._recording = recording
        self._left = left
        self._unrecorded = unrecorded
        self._windows: dict[str, _ReplayedWindow] = {}

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        window = self._window(window_id)
        notes, number = window.notes, window.creates
        window.creates += 1
        recorded = notes.created[number] if number < len(notes.created) else None
        if isinstance(recorded, Exception):
            raise again(recorded)
        if number != notes.made_at:
            known = recorded if recorded and window.goes_on_as_recorded() else window.current or self._known(window)
            if known is not None:
                return copied_window(known)
        window.current, window.expected = Snapshot(window_id, config, NEW_STATE.copy(), 1, 0), recorded
        self._left.create(window.current)
        return copied_window(window.current)

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot:
        return self.create(window_id, config)

    def window_ids(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:  # noqa: ARG002
        raise self._unrecorded.meet("which windows there are")

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return self.window_ids(after=after, limit=limit)

    def snapshot(self, window_id: str) -> Snapshot:
        window = self._window(window_id)
        # After a refusal the recorded side may have looked anew.
        looks_anew = window.goes_on_as_recorded() and window.sights < len(window.notes.snapshots)
        return copied_window(self._seen(window) if looks_anew or window.current is None else window.current)

    async def snapshot_async(self, window_id: str) -> Snapshot:
        return self.snapshot(window_id)

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        reading = self._reading(window_id, query)
        if reading.page() is None and self._recording.store is not None:
            try:
                reading.note(self._recording.store.ledger(window_id, reading.wider_query()))
            except Exception as error:
                raise self._unread(window_id, f": {error}") from error
        return self._answered(reading)

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        reading = self._reading(window_id, query)
        if reading.page() is None and self._recording.store is not None:
            try:
                reading.note(await self._recording.store.ledger_async(window_id, reading.wider_query()))
            except Exception as error:
                raise self._unread(window_id, f": {error}") from error
        return self._answered(reading)

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
        window = self._window(window_id)
        note = window.next_note()
        if note and note.error:
            raise again(note.error)
        kept = window.answer_to(key, note)
        found = note.found if note and note.found and window.goes_on_as_recorded() else None
        found = found or window.current or self._seen(window)
        window.current = found
        if note is None or not note.reused:
            window.expected = note.left if note else None
        applied = carry_out(write, copied_window(found), kept)
        if not applied.replayed:
            self._write(window, found, applied, key)
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
        """The live store is its owner's to close."""

    def _write(
        self, window: _ReplayedWindow, found: Snapshot, applied: Applied[Any], key: IdempotencyKey | None
    ) -> None:
        # What is no JSON raises here, as it does in a store that writes.
        to_json([applied.after.state, *(entry.data for entry in applied.entries)])
        if key is not None:
            kept = KeptAnswer(fingerprint=key.fingerprint, answer_json=to_json(applied.answer))
            window.kept[key.endpoint, key.value] = kept
        window.current = copied_window(applied.after)
        window.entries.extend(applied.entries)
        self._left.apply(found, window.current, applied, key)

    def _window(self, window_id: str) -> _ReplayedWindow:
        window = self._windows.get(window_id)
        if window is None:
            window = self._windows[window_id] = _ReplayedWindow(self._recording.window(window_id))
        return window

    def _seen(self, window: _ReplayedWindow) -> Snapshot:
        """The window as the recorded side saw it before it wrote."""
        notes = window.notes
        sight = notes.sight(window.sights)
        window.sights += 1
        if sight is None:
            raise self._unrecorded.meet(f"a read of window {notes.window_id!r}")
        if isinstance(sight, Exception):
            raise again(sight)
        return sight

    def _known(self, window: _ReplayedWindow) -> Snapshot | None:
        """The window as a `create` finds it that the recorded side didn't make; None where it would be new."""
        sight = window.notes.sight(window.sights)
        if isinstance(sight, Exception) and not isinstance(sight, UnknownWindow):
            raise again(sight)
        return sight if isinstance(sight, Snapshot) else None

    def _reading(self, window_id: str, query: LedgerQuery) -> "_LedgerRead":
        window = self._window(window_id)
        number, errors = window.reads, window.notes.ledger_errors
        window.reads += 1
        if number < len(errors) and (error := errors[number]):
            raise again(error)
        through = self.snapshot(window_id).sequence if query.through is None else query.through
        return _LedgerRead(window, query, through)

    def _answered(self, reading: "_LedgerRead") -> LedgerPage:
        page = reading.page()
        if page is None:
            raise self._unread(reading.window.notes.window_id)
        return page

    def _unread(self, window_id: str, why: str = "") -> UnrecordedRead:
        return self._unrecorded.meet(f"a read of the ledger of window {window_id!r}{why}")


class _LedgerRead:
    """One question to the ledger of a window: the side's own entries, and those of others as of the query's `through`.

    The entries that the recorded side wrote are nobody's here: this side has its own in their place.
    """

    def __init__(self, window: _ReplayedWindow, query: LedgerQuery, through: int) -> None:
        self.window = window
        self._query = replace(query, through=through)
        self._through = through
        self._theirs = window.notes.written()
        self._hidden = self._theirs | {entry.sequence for entry in window.entries}
        self._own = [entry for entry in window.entries if self._is_seen(entry)]

    def wider_query(self) -> LedgerQuery:
        """So wide that enough is left without the hidden entries."""
        return replace(self._query, limit=self._query.limit + len(self._hidden))

    def note(self, page: LedgerPage) -> None:
        self.window.notes.reads.append(LedgerNote.of(self.wider_query(), page, self._theirs))

    def page(self) -> LedgerPage | None:
        """The answer, newest first; None where the notes don't hold enough for it."""
        limit = self._query.limit
        for note in reversed(self.window.notes.reads):
            if note.covers(self._query):
                others = (entry for entry in note.entries if entry.sequence not in self._hidden)
                found = sorted([*self._own, *filter(self._is_seen, others)], key=_sequence, reverse=True)
                if note.down_to == 0 or (len(found) >= limit and found[limit - 1].sequence >= note.down_to):
                    return LedgerPage(entries=tuple(found[:limit]), sequence=self._through)
        return None

    def _is_seen(self, entry: LedgerEntry) -> bool:
        return entry.sequence <= self._through and self._query.matches(entry)


class _ReplayingOutbound:
    """The nth equal call gets the nth answer. A call with an effect that the recorded side didn't make is answered
    with None, and shows in the effects."""

    def __init__(self, recording: Recording, left: SideEffects, unrecorded: _Unrecorded) -> None:
        self._unanswered = list(recording.calls)
        self._left = left
        self._unrecorded = unrecorded

    def effect(self, port: str, method: str, /, **arguments: Any) -> Any:
        call = CallNote("effect", port, method, as_json(arguments))
        self._left.call(call)
        return self._answer(self._recorded(call) or call)

    async def effect_async(self, port: str, method: str, /, **arguments: Any) -> Any:
        return self.effect(port, method, **arguments)

    def read(self, port: str, method: str, /, **arguments: Any) -> Any:
        recorded = self._recorded(CallNote("read", port, method, as_json(arguments)))
        if recorded is None:
            raise self._unrecorded.meet(f"a call of {port}.{method}({_shown(arguments)})")
        return self._answer(recorded)

    async def read_async(self, port: str, method: str, /, **arguments: Any) -> Any:
        return self.read(port, method, **arguments)

    def _recorded(self, call: CallNote) -> CallNote | None:
        for index, recorded in enumerate(self._unanswered):
            if recorded[:4] == call[:4]:
                return self._unanswered.pop(index)
        return None

    def _answer(self, recorded: CallNote) -> Any:
        if recorded.error is not None:
            raise again(recorded.error)
        return copied_answer(recorded.answer)


def _shown(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _sequence(entry: LedgerEntry) -> int:
    return entry.sequence
