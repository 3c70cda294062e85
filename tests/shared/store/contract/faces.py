"""The backends that the suite runs on, and what a test reads of a store. A new backend is one more line in BACKENDS."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.store.base import Applied, IdempotencyKey, LedgerPage, LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import AnswerT, Asking, Snapshot, Transition, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.helpers import CONFIG, DEADLINE_SECONDS, INSTANT, in_thread, raising, with_outcome

BACKENDS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _folder: MemoryStore(),
    "sqlite": lambda folder: SQLiteStore(folder / "state.db"),
}
"""Each opens a store on the state in a folder of the test's own."""
DURABLE = ["sqlite"]

OpenStore = Callable[[], Store]

UNTOUCHED: WindowState = {"trade_day": None, "trades_today": 0, "halt": None}
HALTED: WindowState = {"trade_day": None, "trades_today": 0, "halt": {"reason": "fat finger"}}
ALL = LedgerQuery(limit=10_000)

NEVER: Transition[Any] = raising(AssertionError("the transition ran"))


class Face:
    """A store through one of its two faces, so that a test is written once. Gives up at the deadline."""

    def __init__(self, store: Store, *, awaited: bool) -> None:
        self._store = store
        self._awaited = awaited

    async def create(self, window_id: str = "w", config: WindowConfig = CONFIG) -> Snapshot:
        method: Callable[..., Any] = self._store.create_async if self._awaited else self._store.create
        found: Snapshot = await self._call(method, window_id, config)
        return found

    async def snapshot(self, window_id: str = "w") -> Snapshot:
        method: Callable[..., Any] = self._store.snapshot_async if self._awaited else self._store.snapshot
        found: Snapshot = await self._call(method, window_id)
        return found

    async def window_ids(self, **options: Any) -> tuple[str, ...]:
        method: Callable[..., Any] = self._store.window_ids_async if self._awaited else self._store.window_ids
        found: tuple[str, ...] = await self._call(method, **options)
        return found

    async def ledger(self, query: LedgerQuery = ALL, window_id: str = "w") -> LedgerPage:
        method: Callable[..., Any] = self._store.ledger_async if self._awaited else self._store.ledger
        found: LedgerPage = await self._call(method, window_id, query)
        return found

    async def apply(
        self,
        transition: Transition[AnswerT],
        *,
        window_id: str = "w",
        instant: datetime = INSTANT,
        key: IdempotencyKey | None = None,
        asks: Asking | None = None,
    ) -> Applied[AnswerT]:
        method: Callable[..., Any] = self._store.apply_async if self._awaited else self._store.apply
        applied: Applied[AnswerT] = await self._call(method, window_id, transition, instant=instant, key=key, asks=asks)
        return applied

    async def halt(self) -> None:
        await self.apply(with_outcome(answer=None, halt={"reason": "fat finger"}))

    async def _call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if self._awaited:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await method(*arguments, **options)
        return in_thread(method, *arguments, **options).result(DEADLINE_SECONDS)


def ids_of(page: LedgerPage) -> list[str]:
    return [entry.id for entry in page.entries]


async def expect_untouched(face: Face) -> None:
    assert await face.snapshot() == Snapshot(window_id="w", config=CONFIG, state=UNTOUCHED, version=1, sequence=0)
    assert await face.ledger() == LedgerPage(entries=(), sequence=0)
