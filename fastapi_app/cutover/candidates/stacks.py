"""Both stacks as ASGI apps: for clients, and for requests that are run only to be compared."""

import logging
from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.exchange import WSGIApp
from fastapi_app.cutover.candidates.capture import without_body
from fastapi_app.cutover.candidates.limits import HANGING_ENDPOINTS, max_overdue
from fastapi_app.cutover.inventory.endpoints import Inventory
from shared.modes import Side

logger = logging.getLogger(__name__)


class Stacks:
    """The native app, and the legacy app under a bridge; either may be missing."""

    def __init__(self, native: ASGIApp | None, legacy: WSGIApp | None, bridge_options: Mapping[str, Any]) -> None:
        self.native = native
        self.bridge = None if legacy is None else Bridge(legacy, **bridge_options)
        self.of_the_unclaimed: Side = "native" if legacy is None else "legacy"

    def app(self, side: Side) -> ASGIApp:
        app = self.native if side == "native" else self.bridge
        assert app is not None  # noqa: S101 - no endpoint is served by a side that isn't there
        return app

    def open(self) -> None:
        if self.bridge is not None:
            self.bridge.open()

    async def aclose(self) -> None:
        if self.bridge is not None:
            await self.bridge.aclose()


class CandidateStacks(Stacks):
    """The same two, legacy in threads of its own. A candidate that doesn't end keeps its thread: beside those for whom
    there is a place are as many as `HANGING_ENDPOINTS` may keep, each up to its own bound. They start when needed."""

    def __init__(
        self,
        native: ASGIApp | None,
        legacy: WSGIApp | None,
        bridge_options: Mapping[str, Any],
        *,
        concurrency: int,
    ) -> None:
        self._threads = concurrency + HANGING_ENDPOINTS * max_overdue(concurrency)
        own = {"threads": self._threads, "max_queued": concurrency, "drain_timeout_seconds": 0.0}
        super().__init__(native, legacy, {**bridge_options, **own})

    def are_busy(self, side: Side) -> bool:
        """Whether every place for one is taken by a candidate that doesn't end."""
        return side == "legacy" and self.bridge is not None and self.bridge.figures().threads_busy >= self._threads


def route_path(scope: Scope) -> str:
    """The path below the root path, on a segment boundary: what rules are about."""
    path: str = scope["path"]
    root = scope.get("root_path")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path


def head_follows_get(native: ASGIApp, inventory: Inventory) -> ASGIApp:
    """A HEAD is the GET with its body dropped, for FastAPI answers 405 to it; but for an endpoint of its own."""

    def serve(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # No coroutine of its own: every request comes by here.
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return native(scope, receive, send)
        endpoint = inventory.match("HEAD", route_path(scope))
        if endpoint is not None and endpoint.method == "HEAD":
            return native(scope, receive, send)
        return native({**scope, "method": "GET"}, receive, without_body(send))

    return serve


async def live_with(native: ASGIApp | None, running: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """The native app's lifespan, with the context manager `running` inside: it is entered when the app has started, and
    left before the app ends, which may close what candidates use. An app that raises or returns before it has said a
    word knows no lifespan (ASGI, lifespan protocol): it is served all the same, and `running` is all there is."""
    heard = spoke = False

    async def receive_and_end() -> Message:
        nonlocal heard
        message = await receive()
        heard = True
        if message["type"] == "lifespan.shutdown":
            await running.__aexit__(None, None, None)
        return message

    async def send_and_start(message: Message) -> None:
        nonlocal spoke
        spoke = True
        if message["type"] == "lifespan.startup.complete":
            await running.__aenter__()
        await send(message)

    if native is not None:
        try:
            await native(scope, receive_and_end, send_and_start)
        except Exception:
            if spoke:
                raise
            if heard:
                logger.warning("native knows no lifespan, or can't start: it is served all the same", exc_info=True)
    if not spoke:
        if not heard:
            await receive_and_end()
        await send_and_start({"type": "lifespan.startup.complete"})
        await receive_and_end()
        await send({"type": "lifespan.shutdown.complete"})
