"""The single ASGI app: `uvicorn --factory fastapi_app.app:create_app`."""

import asyncio
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from fastapi_app.cutover.dispatch import Cutover
from fastapi_app.cutover.endpoints import pair
from fastapi_app.legacy import bridged, create_legacy
from fastapi_app.native import create_native
from fastapi_app.requests import json_answer
from shared.entry import exits_with_a_sentence
from shared.ports import SCOPE_KEY, LivePorts
from shared.request_id import RequestId, request_id
from shared.settings import Settings, load_settings
from shared.store.opening import open_store


def create_app(settings: Settings | None = None, *, live_ports: LivePorts | None = None) -> "TradingWindowApp":
    """Both stacks behind one door, on one state.

    Without settings, which is how a process starts it, it reads them, and ends the process with one sentence where
    that fails. Without ports it opens a store of its own. Raises SettingsError, StoreUnavailable.
    """
    if settings is None:
        with exits_with_a_sentence():
            return create_app(load_settings())
    return TradingWindowApp(settings, live_ports or LivePorts(store=open_store(settings)))


class TradingWindowApp:
    """The native app, the legacy app and the cutover between them; gives each request its ports."""

    def __init__(self, settings: Settings, live_ports: LivePorts) -> None:
        self._live_ports = live_ports
        self.legacy = create_legacy(settings, live_ports)
        self.bridge = bridged(self.legacy, settings)
        self.native = create_native(
            live_ports, max_body_bytes=settings.limits.max_body_bytes, before_close=self.bridge.aclose
        )
        self.cutover = Cutover(
            self.native,
            self.bridge,
            endpoints=pair(self.native, self.legacy, settings.cutover.modes),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Ports that a test handed in stay.
            scope.setdefault("state", {}).setdefault(SCOPE_KEY, self._live_ports.for_request())
            request_id.set(RequestId(scope["headers"]))
        try:
            await self.cutover(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            # The server's drain time is over. Who has no answer yet gets this one; to send it after the start of
            # another is an error, and then the server cuts the connection.
            with suppress(RuntimeError):
                await json_answer({"error": "the server is shutting down"}, 503)(scope, receive, send)
