"""What the tests of recording and replaying share: a world to record in, and stores that say what is done to them."""

import json
from datetime import UTC, datetime
from typing import Any

from shared.clock import FrozenClock
from shared.ids import FrozenIds
from shared.ports import LivePorts, Ports
from shared.recording import Recording, record
from shared.replaying import Replay
from shared.store.base import Applied, LedgerPage, LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.window import Snapshot, Transition
from shared.window_config import WindowConfig

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
CONFIG = WindowConfig(max_trades_per_day=5)


class Face:
    """A request's windows and services through one of their two faces, so that a test is written once."""

    def __init__(self, ports: Ports, *, awaited: bool) -> None:
        self._ports = ports
        self._awaited = awaited

    async def create(self, window_id: str, config: WindowConfig = CONFIG) -> Snapshot:
        windows = self._ports.windows
        return await windows.create_async(window_id, config) if self._awaited else windows.create(window_id, config)

    async def snapshot(self, window_id: str = "default") -> Snapshot:
        windows = self._ports.windows
        return await windows.snapshot_async(window_id) if self._awaited else windows.snapshot(window_id)

    async def ledger(self, query: LedgerQuery | None = None, window_id: str = "default") -> LedgerPage:
        query, windows = query or LedgerQuery(), self._ports.windows
        return await windows.ledger_async(window_id, query) if self._awaited else windows.ledger(window_id, query)

    async def apply(self, transition: Transition[Any], window_id: str = "default", **options: Any) -> Applied[Any]:
        windows = self._ports.windows
        if self._awaited:
            return await windows.apply_async(window_id, transition, **options)
        return windows.apply(window_id, transition, **options)

    async def effect(self, port: str, method: str, **arguments: Any) -> Any:
        outbound = self._ports.outbound
        if self._awaited:
            return await outbound.effect_async(port, method, **arguments)
        return outbound.effect(port, method, **arguments)

    async def read(self, port: str, method: str, **arguments: Any) -> Any:
        outbound = self._ports.outbound
        if self._awaited:
            return await outbound.read_async(port, method, **arguments)
        return outbound.read(port, method, **arguments)


class Breakable:
    """A store that can be told to fail: whatever is asked, or one method by its name."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.error: Exception | None = None
        self.method: str | None = None

    def __getattr__(self, name: str) -> Any:
        if self.error is not None and self.method in (None, name.removesuffix("_async")):
            raise self.error
        return getattr(self.store, name)


class LedgerOnly:
    """A store that can only be asked for ledger entries: nothing can be written."""

    def __init__(self, store: Store) -> None:
        self.ledger = store.ledger
        self.ledger_async = store.ledger_async

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the live store's {name} was used")


class World:
    """The window `default` in a store that may fail, noon, ids that count, and services."""

    def __init__(self, *, services: dict[str, object] | None = None, store: Store | None = None) -> None:
        self.store = store or MemoryStore()
        self.store.create("default", CONFIG)
        self.breakable = Breakable(self.store)
        self.clock = FrozenClock(NOON)
        self.live = LivePorts(store=self.breakable, clock=self.clock, ids=FrozenIds(), services=services)

    async def record(self) -> tuple[Ports, Recording]:
        ports = self.live.for_request()
        return ports, await record(ports)

    def others(self, transition: Transition[Any], window_id: str = "default", *, instant: datetime = NOON) -> None:
        """Somebody else's write."""
        self.store.apply(window_id, transition, instant=instant)


def replay_here(recording: Recording) -> Replay:
    """On the live store, of which only the ledger can be read."""
    if recording.store is not None and not isinstance(recording.store, LedgerOnly):
        store: Any = LedgerOnly(recording.store)
        recording.store = store
    return Replay(recording)


def replay_elsewhere(recording: Recording) -> Replay:
    """As another process does, from text, without a store."""
    return Replay(Recording.from_json(json.loads(json.dumps(recording.to_json()))))


def ids_of(page: LedgerPage) -> list[str]:
    return [entry.id for entry in page.entries]
