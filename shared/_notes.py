"""What one request did, noted call by call, and the JSON form in which that travels to another process."""

import builtins
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any, Literal, NamedTuple

from shared.errors import TradingWindowError, UnknownWindow
from shared.store.base import IdempotencyKey, KeptAnswer, LedgerPage, LedgerQuery
from shared.window import LedgerEntry, Snapshot
from shared.window_config import WindowConfig

CallKind = Literal["effect", "read"]
Json = dict[str, Any]


class ApplyNote(NamedTuple):
    """One `apply`. `found` is the window as it was judged, `left` as it was then; equal where nothing was written.

    `kept` is the answer that the key already had; `reused` says that it had one for another request. `error` is the
    store's, not one that the transition raised. Where nobody looked at the window, `found` is None.
    """

    found: Snapshot | None = None
    left: Snapshot | None = None
    key: IdempotencyKey | None = None
    kept: KeptAnswer | None = None
    reused: bool = False
    error: Exception | None = None

    def to_json(self) -> Json:
        return {
            "found": self.found and _snapshot_to_json(self.found),
            "left": self.left and _snapshot_to_json(self.left),
            "key": self.key and {name: getattr(self.key, name) for name in _KEY},
            "kept": self.kept and {name: getattr(self.kept, name) for name in _KEPT},
            "reused": self.reused,
            "error": self.error and error_to_json(self.error),
        }

    @classmethod
    def from_json(cls, window_id: str, note: Mapping[str, Any]) -> "ApplyNote":
        return cls(
            found=note["found"] and _snapshot_from_json(window_id, note["found"]),
            left=note["left"] and _snapshot_from_json(window_id, note["left"]),
            key=note["key"] and IdempotencyKey(**note["key"]),
            kept=note["kept"] and KeptAnswer(**note["kept"]),
            reused=note["reused"],
            error=note["error"] and error_from_json(note["error"]),
        )


class LedgerNote(NamedTuple):
    """One read of the ledger: the entries of others that it found, newest first.

    Nothing that the query asks for is missing from sequence number `down_to` up. The entries are the handler's own, not
    copies: they are frozen, and a page may be long.
    """

    query: LedgerQuery
    entries: tuple[LedgerEntry, ...]
    down_to: int

    @classmethod
    def of(cls, query: LedgerQuery, page: LedgerPage, own: set[int]) -> "LedgerNote":
        """Without the entries of the sequence numbers that are the request's own."""
        others = tuple(entry for entry in page.entries if entry.sequence not in own) if own else page.entries
        is_cut = page.entries and len(page.entries) >= query.limit
        return cls(query, others, down_to=page.entries[-1].sequence if is_cut else 0)

    def covers(self, query: LedgerQuery) -> bool:
        """Whether what the other query asks for is among what this one asked for, but for the limit."""
        return _through(self.query) >= _through(query) and all(
            mine is None or mine == other
            for mine, other in (
                (self.query.kind, query.kind),
                (self.query.trade_day, query.trade_day),
                (self.query.symbol, query.symbol),
                (self.query.subject, query.subject),
            )
        )

    def to_json(self) -> Json:
        return {
            "query": {name: getattr(self.query, name) for name in _QUERY},
            "entries": [
                {name: getattr(entry, name) for name in _ENTRY} | {"instant": entry.instant.isoformat()}
                for entry in self.entries
            ],
            "down_to": self.down_to,
        }

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> "LedgerNote":
        return cls(
            query=LedgerQuery(**note["query"]),
            entries=tuple(
                LedgerEntry(**{**entry, "instant": datetime.fromisoformat(entry["instant"])})
                for entry in note["entries"]
            ),
            down_to=note["down_to"],
        )


class CallNote(NamedTuple):
    """One call of a service: its arguments as JSON, its answer as it was given."""

    kind: CallKind
    port: str
    method: str
    arguments: Json
    answer: Any = None
    error: Exception | None = None

    def to_json(self) -> Json:
        return {**self._asdict(), "error": self.error and error_to_json(self.error)}

    @classmethod
    def from_json(cls, note: Mapping[str, Any]) -> "CallNote":
        return cls(**{**note, "error": note["error"] and error_from_json(note["error"])})


class WindowNotes:
    """What one request did to one window, in order. `start` is the window before the request touched it.

    `ledger_errors` has one place for each read of the ledger, None where it was answered; `reads` has the answers,
    those that candidates were given too. `made_at` is the number, from 0, of the `create` that made the window, rather
    than found it.
    """

    __slots__ = ("applies", "created", "ledger_errors", "made_at", "reads", "snapshots", "start", "window_id")

    def __init__(self, window_id: str) -> None:
        self.window_id = window_id
        self.start: Snapshot | Exception | None = None
        self.snapshots: list[Snapshot | Exception] = []
        self.applies: list[ApplyNote] = []
        self.reads: list[LedgerNote] = []
        self.ledger_errors: list[Exception | None] = []
        self.created: list[Snapshot | Exception] = []
        self.made_at: int | None = None

    def sight(self, number: int) -> Snapshot | Exception | None:
        """What a side gets that looks at the window for the `number`th time, from 0, without having written it."""
        if number < len(self.snapshots):
            return self.snapshots[number]
        if self.made_at is not None:
            return UnknownWindow(self.window_id)
        found = next((note.found for note in self.applies if note.found), None)
        # Where the store failed the primary, it would have failed the candidate too.
        return found or next(self._errors(), None) or next(iter(self.created), self.start)

    def use_of(self, key: IdempotencyKey, *, at: ApplyNote | None) -> ApplyNote | None:
        """The `apply` with this key: `at`, if it is one, else the first."""
        for note in (at, *self.applies):
            if note and note.key and not note.error and _place(note.key) == _place(key):
                return note
        return None

    def written(self) -> set[int]:
        """The sequence numbers of the request's own entries."""
        return {
            sequence
            for note in self.applies
            if note.found and note.left
            for sequence in range(note.found.sequence + 1, note.left.sequence + 1)
        }

    def _errors(self) -> Iterator[Exception]:
        yield from (note.error for note in self.applies if note.error)
        yield from (sight for sight in self.snapshots if isinstance(sight, Exception))
        yield from filter(None, self.ledger_errors)

    def to_json(self) -> Json:
        return {
            "start": _sight_to_json(self.start),
            "snapshots": [_sight_to_json(sight) for sight in self.snapshots],
            "applies": [note.to_json() for note in self.applies],
            "reads": [note.to_json() for note in self.reads],
            "ledger_errors": [error and error_to_json(error) for error in self.ledger_errors],
            "created": [_sight_to_json(sight) for sight in self.created],
            "made_at": self.made_at,
        }

    @classmethod
    def from_json(cls, window_id: str, given: Mapping[str, Any]) -> "WindowNotes":
        notes = cls(window_id)
        notes.start = _sight_from_json(window_id, given["start"])
        notes.snapshots = [sight for each in given["snapshots"] if (sight := _sight_from_json(window_id, each))]
        notes.applies = [ApplyNote.from_json(window_id, each) for each in given["applies"]]
        notes.reads = [LedgerNote.from_json(each) for each in given["reads"]]
        notes.ledger_errors = [error and error_from_json(error) for error in given["ledger_errors"]]
        notes.created = [sight for each in given["created"] if (sight := _sight_from_json(window_id, each))]
        notes.made_at = given["made_at"]
        return notes


def copied(value: Any) -> Any:
    """JSON values anew, so that what their owner does to them later doesn't reach the notes."""
    if isinstance(value, dict):
        # Most values are plain, and a call for each would take longer than all the rest.
        return {name: each if type(each) in _PLAIN else copied(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [copied(each) for each in value]
    return value


def copied_answer(value: Any) -> Any:
    """As `copied`, of whatever a service may answer with; what can't be copied is shared."""
    try:
        return deepcopy(value)
    except Exception:
        return value


def as_json(value: Any) -> Any:
    """The value as it comes out of JSON text; what JSON can't hold as a string."""
    try:
        return json.loads(json.dumps(value, default=str))
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def copied_window(window: Snapshot) -> Snapshot:
    return Snapshot(window.window_id, window.config, copied(window.state), window.version, window.sequence)


def again(error: Exception) -> Exception:
    """The error without its traceback, which would keep a whole request alive; fit to be raised once more."""
    try:
        return _error(type(error), error.args, vars(error))
    except Exception:
        # Of a type that can't be made by others, such as pydantic's ValidationError.
        return RuntimeError(f"{type(error).__name__}: {error}")


def error_to_json(error: Exception) -> Json:
    return {"type": type(error).__name__, "arguments": list(error.args), "attributes": vars(error)}


def error_from_json(given: Mapping[str, Any]) -> Exception:
    """Of the type by that name, among the language's and this distribution's; else a RuntimeError that names it."""
    kind = next((kind for kind in _kinds(TradingWindowError) if kind.__name__ == given["type"]), None)
    kind = kind or getattr(builtins, given["type"], None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return RuntimeError(": ".join([given["type"], *map(str, given["arguments"])]))
    return _error(kind, given["arguments"], given["attributes"])


def _kinds(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def _error(kind: type[Exception], arguments: Sequence[Any], attributes: Mapping[str, Any]) -> Exception:
    # Not by `__init__`, whose parameters need not be the error's `args`.
    error = kind.__new__(kind, *arguments)
    error.args = tuple(arguments)
    vars(error).update(attributes)
    return error


_PLAIN = frozenset({str, int, float, bool, type(None)})
_KEY = ("endpoint", "value", "fingerprint")
_KEPT = ("fingerprint", "answer_json")
_QUERY = ("kind", "trade_day", "symbol", "subject", "through", "limit")
_ENTRY = ("id", "kind", "data", "trade_day", "symbol", "subject", "sequence")


def _place(key: IdempotencyKey) -> tuple[str, str]:
    return key.endpoint, key.value


def _through(query: LedgerQuery) -> float:
    return float("inf") if query.through is None else query.through


def _sight_to_json(sight: Snapshot | Exception | None) -> Json | None:
    if sight is None:
        return None
    return {"error": error_to_json(sight)} if isinstance(sight, Exception) else _snapshot_to_json(sight)


def _sight_from_json(window_id: str, sight: Mapping[str, Any] | None) -> Snapshot | Exception | None:
    if sight is None:
        return None
    return error_from_json(sight["error"]) if "error" in sight else _snapshot_from_json(window_id, sight)


def _snapshot_to_json(window: Snapshot) -> Json:
    return {
        "config": window.config.to_json(),
        "state": window.state,
        "version": window.version,
        "sequence": window.sequence,
    }


def _snapshot_from_json(window_id: str, given: Mapping[str, Any]) -> Snapshot:
    return Snapshot(window_id, WindowConfig.parse(given["config"]), given["state"], given["version"], given["sequence"])
