"""What one side of a comparison leaves behind, in the one form in which two sides are held against each other."""

from typing import Any

from shared._notes import CallNote, copied
from shared.store.base import Applied, IdempotencyKey
from shared.window import Snapshot


class SideEffects:
    """Windows as they were left, ledger entries, calls with an effect. JSON values only; a read leaves nothing."""

    __slots__ = ("calls", "ledger", "windows")

    def __init__(self) -> None:
        self.windows: dict[str, Any] = {}
        self.ledger: dict[str, list[dict[str, Any]]] = {}
        self.calls: list[dict[str, Any]] = []

    def create(self, made: Snapshot) -> None:
        self._leave(made)

    def apply(self, found: Snapshot, left: Snapshot, applied: Applied[Any], key: IdempotencyKey | None) -> None:
        """A write that was durable. The answer counts where it is kept with a key."""
        drafts = [
            {
                "id": entry.id,
                "kind": entry.kind,
                "trade_day": entry.trade_day,
                "symbol": entry.symbol,
                "subject": entry.subject,
                "data": copied(entry.data),
                "key": None,
            }
            for entry in applied.entries
        ]
        if drafts and key is not None:
            drafts[applied.own_from]["key"] = {
                "endpoint": key.endpoint,
                "value": key.value,
                "fingerprint": key.fingerprint,
                "answer": copied(applied.answer),
            }
        if drafts:
            self.ledger.setdefault(left.window_id, []).extend(drafts)
        if drafts or left.config != found.config or left.state != found.state:
            self._leave(left)

    def call(self, note: CallNote) -> None:
        if note.kind == "effect":
            self.calls.append({"port": note.port, "method": note.method, "arguments": note.arguments})

    def to_json(self) -> dict[str, Any]:
        return {"windows": self.windows, "ledger": self.ledger, "calls": self.calls}

    def copied(self) -> "SideEffects":
        return self.from_json(copied(self.to_json()))

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "SideEffects":
        effects = cls()
        effects.windows, effects.ledger, effects.calls = given["windows"], given["ledger"], given["calls"]
        return effects

    def _leave(self, window: Snapshot) -> None:
        self.windows[window.window_id] = {
            "config": window.config.to_json(),
            "state": copied(window.state),
        }


def as_far_as(begun: SideEffects, whole: SideEffects) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `whole` and `begun` leave, as far as `begun` goes: the entries and the calls at the same places. Of windows
    only those that `whole` never wrote, for the others may still change."""
    ledger = {window_id: whole.ledger.get(window_id, [])[: len(entries)] for window_id, entries in begun.ledger.items()}
    windows = {window_id: left for window_id, left in begun.windows.items() if window_id not in whole.windows}
    return (
        {"windows": {}, "ledger": ledger, "calls": whole.calls[: len(begun.calls)]},
        {"windows": windows, "ledger": begun.ledger, "calls": begun.calls},
    )
