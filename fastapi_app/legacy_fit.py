"""The old arithmetic knows a part of a window's rules. While it may judge, the window `default` keeps to that part."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi_app.judging_endpoints import served_by_legacy
from fastapi_app.window.config_check import checked
from shared.errors import ServedByLegacy
from shared.modes import EndpointMode
from shared.window import DEFAULT_WINDOW_ID, Snapshot

Modes = Callable[[], Awaitable[Mapping[str, EndpointMode]]]


class LegacyFit:
    """Refuses a config of the window `default` that the old side would have to judge by and doesn't know.

    `modes` are those in force; without them there is no old side. Between this look and the write an endpoint may be
    moved back: the old side then answers 503 rather than judge by a part of the rules.
    """

    def __init__(self, modes: Modes | None = None) -> None:
        self._modes = modes

    async def check_config(self, window: Snapshot, changes: Mapping[str, Any]) -> None:
        """Raises ServedByLegacy, InvalidField."""
        if self._modes is None or window.window_id != DEFAULT_WINDOW_ID:
            return
        keys = (await checked(window.config, changes)).beyond_legacy
        if keys and (endpoints := served_by_legacy(await self._modes())):
            raise ServedByLegacy(keys, endpoints)
