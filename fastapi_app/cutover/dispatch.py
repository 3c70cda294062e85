"""Sends each request to the side that serves its endpoint."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.cutover.endpoints import Endpoint, Side

SIDE_HEADER = b"x-cutover-side"


class Cutover:
    """An ASGI app over the two sides of a service.

    HEAD follows its GET. Every request that no native endpoint claims goes to legacy: OPTIONS, 404, 405 and slash
    redirects are its own. Other scopes (lifespan, WebSocket) are the native app's.
    """

    def __init__(self, native: ASGIApp, legacy: ASGIApp, *, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._native = native
        self._legacy = legacy
        native_endpoints = [endpoint for endpoint in self.endpoints if endpoint.mode == "native"]
        self._native_paths = {(endpoint.method, endpoint.rule) for endpoint in native_endpoints}
        self._native_patterns = [
            (endpoint.method, pattern) for endpoint in native_endpoints if (pattern := endpoint.pattern())
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._native(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        if self._is_native(method, path):
            await self._native(scope, receive, _naming(send, "native"))
        elif method == "HEAD" and self._is_native("GET", path):
            get_scope = {**scope, "method": "GET"}
            await self._native(get_scope, receive, _naming(_without_body(send), "native"))
        else:
            await self._legacy(scope, receive, _naming(send, "legacy"))

    def _is_native(self, method: str, path: str) -> bool:
        return (method, path) in self._native_paths or any(
            method == native_method and pattern.fullmatch(path) for native_method, pattern in self._native_patterns
        )


def _naming(send: Send, side: Side) -> Send:
    header = (SIDE_HEADER, side.encode())

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), header]
        await send(message)

    return named


def _without_body(send: Send) -> Send:
    async def bodiless(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bodiless
