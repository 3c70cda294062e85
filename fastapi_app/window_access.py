"""How a trading window is reached: by the ports of one request, or by a store of its own."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from fastapi_app.window.calendars import load_calendar
from shared.clock import Clock
from shared.ids import Ids
from shared.ports import LivePorts, Ports
from shared.store.base import Store
from shared.store.memory import MemoryStore
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig


class WindowAccess:
    """One window, for what is asked of it: `TradingWindowAsync` says what the arguments mean."""

    def __init__(
        self,
        config: Mapping[str, Any] | WindowConfig | None = None,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        ports: Ports | None = None,
        window_id: str = DEFAULT_WINDOW_ID,
    ) -> None:
        self._window_id = window_id
        self._given_ports = ports
        self._own = None if ports is not None else _OwnWindow(config, store, clock, ids, window_id)

    async def ports(self) -> Ports:
        """Those that were given, of one request; else those of a new one, once the store knows the window."""
        if self._given_ports is not None:
            return self._given_ports
        assert self._own is not None  # noqa: S101 - one of the two is always there
        return await self._own.ports()


class _OwnWindow:
    """The store and the seed of a window that was not handed the ports of a request."""

    def __init__(
        self,
        config: Mapping[str, Any] | WindowConfig | None,
        store: Store | None,
        clock: Clock | None,
        ids: Ids | None,
        window_id: str,
    ) -> None:
        self._seed = config if isinstance(config, WindowConfig) else WindowConfig.parse(config or {})
        if self._seed.calendar is not None:
            load_calendar(self._seed.calendar)
        self._live = LivePorts(store=store or MemoryStore(), clock=clock, ids=ids)
        self._window_id = window_id
        self._seeded = False
        self._mutex = threading.Lock()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def ports(self) -> Ports:
        """The ports of a new request, once the store knows the window."""
        if not self._seeded:
            async with self._lock_of_this_loop():
                if not self._seeded:
                    await self._live.store.create_async(self._window_id, self._seed)
                    self._seeded = True
            with self._mutex:
                # A lock that was waited for holds on to its loop.
                self._locks.clear()
        return self._live.for_request()

    def _lock_of_this_loop(self) -> asyncio.Lock:
        """An asyncio.Lock belongs to one event loop, and a window may be used from several."""
        with self._mutex:
            return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
