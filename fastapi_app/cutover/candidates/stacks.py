"""Both stacks as ASGI apps: for clients, and for requests that are run only to be compared."""

from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.exchange import WSGIApp
from fastapi_app.cutover.candidates.capture import without_body
from fastapi_app.cutover.candidates.limits import HANGING_ENDPOINTS, max_overdue
from fastapi_app.cutover.inventory.endpoints import Inventory
from shared.modes import Side


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
