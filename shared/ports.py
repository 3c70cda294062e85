"""The one door through which a request handler of either stack reaches anything with an effect."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from shared.clock import Clock, SystemClock, aware
from shared.ids import Ids, SystemIds
from shared.outbound import Outbound, Services
from shared.store.base import Applied, IdempotencyKey, LedgerPage, LedgerQuery, Store
from shared.upkeep import upkept
from shared.window import AnswerT, Asking, Snapshot, Transition
from shared.window_config import WindowConfig

SCOPE_KEY = "ports"


class Foundation(NamedTuple):
    """What a request's ports stand on: the live ones, frozen ones, or ones that record or replay."""

    clock: Clock
    ids: Ids
    store: Store
    outbound: Outbound


class Ports:
    """One request's ports: one instant, and one snapshot of each window, taken at its first touch.

    `outbound` calls the services that the process was given. Not for use by two tasks at once.
    """

    __slots__ = ("_clock", "_ids", "_instant", "outbound", "windows")

    def __init__(self, *, clock: Clock, ids: Ids, store: Store, outbound: Outbound | None = None) -> None:
        self._clock = clock
        self._ids = ids
        self._instant: datetime | None = None
        self.outbound = outbound or _NO_SERVICES
        self.windows = Windows(store, self.instant)

    def instant(self) -> datetime:
        """The request's instant, in UTC: drawn once, then always the same. A naive clock raises ValueError."""
        if self._instant is None:
            self._instant = aware(self._clock.now())
        return self._instant

    def drawn_instant(self) -> datetime | None:
        """The request's instant, if it was drawn by now."""
        return self._instant

    def new_id(self, kind: str) -> str:
        return self._ids.new(kind)

    def foundation(self) -> Foundation:
        return Foundation(self._clock, self._ids, self.windows._store, self.outbound)

    def stand_on(self, foundation: Foundation) -> None:
        """From here on these are used. What was touched before stays as it was seen."""
        self._clock, self._ids, self.windows._store, self.outbound = foundation


class Windows:
    """The trading windows as one request sees them.

    Reads answer from the request's snapshot, until the request writes: then from what it left. `apply` judges the
    window as it is by then. Each method has a blocking face and an awaited one; see `Store` for errors.
    """

    __slots__ = ("_instant", "_snapshots", "_store")

    def __init__(self, store: Store, instant: Callable[[], datetime]) -> None:
        self._store = store
        self._instant = instant
        self._snapshots: dict[str, Snapshot] = {}

    def create(self, window_id: str, config: WindowConfig) -> Snapshot:
        return self._keep(self._store.create(window_id, config))

    async def create_async(self, window_id: str, config: WindowConfig) -> Snapshot:
        return self._keep(await self._store.create_async(window_id, config))

    def window_ids(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return self._store.window_ids(after=after, limit=limit)

    async def window_ids_async(self, *, after: str | None = None, limit: int = 50) -> tuple[str, ...]:
        return await self._store.window_ids_async(after=after, limit=limit)

    def snapshot(self, window_id: str) -> Snapshot:
        return self._snapshots.get(window_id) or self._keep(self._store.snapshot(window_id))

    async def snapshot_async(self, window_id: str) -> Snapshot:
        return self._snapshots.get(window_id) or self._keep(await self._store.snapshot_async(window_id))

    def ledger(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        as_of = self.snapshot(window_id).sequence
        page = self._store.ledger(window_id, _up_to(as_of, query))
        return LedgerPage(entries=page.entries, sequence=as_of)

    async def ledger_async(self, window_id: str, query: LedgerQuery) -> LedgerPage:
        as_of = (await self.snapshot_async(window_id)).sequence
        page = await self._store.ledger_async(window_id, _up_to(as_of, query))
        return LedgerPage(entries=page.entries, sequence=as_of)

    def apply(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        applied = self._store.apply(window_id, transition, instant=self._instant(), key=key, asks=asks)
        self._keep(applied.after)
        return applied

    async def apply_async(
        self,
        window_id: str,
        transition: Transition[AnswerT],
        *,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        applied = await self._store.apply_async(window_id, transition, instant=self._instant(), key=key, asks=asks)
        self._keep(applied.after)
        return applied

    def touched(self) -> tuple[Snapshot, ...]:
        """Each window that the request has touched by now, as it would read it."""
        return tuple(self._snapshots.values())

    def _keep(self, snapshot: Snapshot) -> Snapshot:
        """As it is at the request's instant: what is past its time is over, though nobody has written so yet."""
        state = snapshot.state
        if "permits" in state or state["halt"] is not None or "symbol_halts" in state:
            snapshot = snapshot._replace(state=upkept(state, self._instant())[0])
        self._snapshots[snapshot.window_id] = snapshot
        return snapshot


@runtime_checkable
class Closable(Protocol):
    """A service that holds something."""

    def close(self) -> None: ...


class LivePorts:
    """What a process's requests share, `services` by their names as ports. Makes the ports of one request."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock | None = None,
        ids: Ids | None = None,
        services: Mapping[str, object] | None = None,
    ) -> None:
        self.store = store
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        self._services = dict(services or {})
        self._outbound = Services(self._services) if services else _NO_SERVICES

    def for_request(self) -> Ports:
        return Ports(clock=self._clock, ids=self._ids, store=self.store, outbound=self._outbound)

    def close(self) -> None:
        """Lets go of what store and services hold. They open again when used."""
        with ExitStack() as closing:
            closing.callback(self.store.close)
            for service in self._services.values():
                if isinstance(service, Closable):
                    closing.callback(service.close)


def ports_of_scope(scope: MutableMapping[str, Any]) -> Ports | None:
    """The ports that travel with a request at `scope["state"]["ports"]`; None where nobody put any."""
    ports = scope.get("state", {}).get(SCOPE_KEY)
    return ports if isinstance(ports, Ports) else None


def _up_to(sequence: int, query: LedgerQuery) -> LedgerQuery:
    return replace(query, through=sequence if query.through is None else min(sequence, query.through))


_NO_SERVICES = Services({})
