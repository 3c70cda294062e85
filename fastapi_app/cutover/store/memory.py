"""The cutover's store in memory: for tests, and for one process that needn't remember."""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from types import MappingProxyType

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.base import Change, CountKey, Forgotten, ModeTable
from fastapi_app.cutover.store.rules import Group, Step, changing, forgetting, registering, surplus
from shared.clock import aware
from shared.modes import EndpointMode


class MemoryCutoverStore:
    """A CutoverStore that lasts as long as its object. It keeps mismatches as the SQLite one does."""

    openings = 0

    def __init__(self, *, kept_mismatches: int = 200) -> None:
        self._kept_mismatches = kept_mismatches
        self._lock = threading.Lock()
        self._known: tuple[Endpoint, ...] = ()
        self._table = ModeTable(0, MappingProxyType({}))
        self._log: list[Change] = []
        self._counts: Counter[CountKey] = Counter()
        self._mismatches: dict[int, Mismatch] = {}
        self._newest_id = 0

    def register(
        self, endpoints: Sequence[Endpoint], initial: Mapping[str, EndpointMode], *, at: datetime
    ) -> ModeTable:
        with self._lock:
            step = registering(self._table, endpoints, initial, at=at)
            table = self._take(step)
            # Last: who reads it finds every mode in the table.
            names = {endpoint.name for endpoint in endpoints}
            gone = [replace(endpoint, is_gone=True) for endpoint in self._known if endpoint.name not in names]
            self._known = (*endpoints, *sorted(gone, key=lambda endpoint: endpoint.name))
            return table

    def endpoints(self) -> Sequence[Endpoint]:
        return [endpoint for endpoint in self._known if not endpoint.is_gone]

    def known_endpoints(self) -> Sequence[Endpoint]:
        return self._known

    def table(self) -> ModeTable:
        return self._table

    def version(self) -> int:
        return self._table.version

    def change(
        self,
        changes: Mapping[str, EndpointMode],
        *,
        author: str,
        reason: str,
        at: datetime,
        version: int | None = None,
    ) -> ModeTable:
        with self._lock:
            step = changing(
                self._table,
                self.endpoints(),
                changes,
                author=author,
                reason=reason,
                at=at,
                version=version,
            )
            return self._take(step)

    def log(self, *, limit: int = 50, endpoint: str | None = None) -> Sequence[Change]:
        with self._lock:
            newest = (change for change in reversed(self._log) if endpoint in (None, change.endpoint))
            return list(islice(newest, limit))

    def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        with self._lock:
            first = self._newest_id + 1
            kept = [
                replace(mismatch, id=number, at=aware(mismatch.at))
                for number, mismatch in enumerate(mismatches, start=first)
            ]
            self._counts.update(counts)
            self._newest_id += len(kept)
            ids = range(first, self._newest_id + 1)
            self._mismatches |= zip(ids, kept, strict=True)
            for number in surplus(self._groups(), self._kept_mismatches):
                del self._mismatches[number]
            return list(ids)

    def counts(self) -> Mapping[CountKey, int]:
        with self._lock:
            return dict(self._counts)

    def forget(
        self, endpoints: Collection[str] | None, *, author: str, reason: str, at: datetime
    ) -> Sequence[Forgotten]:
        with self._lock:
            step = forgetting(self._table, endpoints, self._counts, self._groups(), author=author, reason=reason, at=at)
            names = {each.endpoint for each in step.forgotten}
            self._counts = Counter({key: count for key, count in self._counts.items() if key.endpoint not in names})
            self._mismatches = {number: one for number, one in self._mismatches.items() if one.endpoint not in names}
            self._log += step.log
            return step.forgotten

    def mismatches(self, *, limit: int = 20, endpoint: str | None = None) -> Sequence[Mismatch]:
        with self._lock:
            newest = (one for one in reversed(self._mismatches.values()) if endpoint in (None, one.endpoint))
            return list(islice(newest, limit))

    def mismatch(self, mismatch_id: int) -> Mismatch | None:
        return self._mismatches.get(mismatch_id)

    def close(self) -> None:
        """Forgets nothing."""

    def _groups(self) -> Iterable[tuple[int, Group]]:
        """By the ids of mismatches, oldest first."""
        return ((number, Group(one.endpoint, one.mode.mode)) for number, one in self._mismatches.items())

    def _take(self, step: Step) -> ModeTable:
        self._table = replace(step.table, modes=MappingProxyType(dict(step.table.modes)))
        self._log += step.log
        return self._table
