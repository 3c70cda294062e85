import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.cutover.dispatch import Cutover
from shared.modes import Mode
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, mode_of, wsgi

PATIENCE_SECONDS = 5
ENOUGH = 10_000
"""Chunks of a stream that is to be endless: a test that fails is to end."""

HEAD: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class Client:
    """A client's HEAD at a server that takes no message after the answer's last, as uvicorn does."""

    def __init__(self, *extensions: str) -> None:
        self.sent: list[Message] = []
        self._extensions: dict[str, dict[str, str]] = {name: {} for name in extensions}
        self._request: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        self._answered = asyncio.Event()

    async def _receive(self) -> Message:
        if self._request and not self._answered.is_set():
            return self._request.pop()
        await self._answered.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        assert not self._answered.is_set()
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._answered.set()

    async def asks(self, app: ASGIApp) -> None:
        async def asked(scope: Scope, _receive: Receive, _send: Send) -> None:
            await app({**scope, "extensions": self._extensions}, self._receive, self._send)

        async with asyncio.timeout(PATIENCE_SECONDS):
            await ask(asked, "HEAD", "/items")

    @property
    def answer(self) -> list[tuple[str, bytes | None]]:
        return [(message["type"].removeprefix("http.response."), message.get("body")) for message in self.sent]


BODILESS = [("start", None), ("body", b"")]


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        return await call_next(request)


class Endless:
    """An app of Starlette's whose stream should end with its client, and then its task runs."""

    def __init__(self, *middleware: Any, pause_seconds: float | None) -> None:
        self.ended: list[str] = []
        self._pause_seconds = pause_seconds
        self.app = Starlette(
            routes=[Route("/items", self._answer)], middleware=[Middleware(each) for each in middleware]
        )

    async def _answer(self, _request: Request) -> Response:
        return StreamingResponse(self._chunks(), background=BackgroundTask(self.ended.append, "task"))

    async def _chunks(self) -> AsyncIterator[bytes]:
        for _ in range(ENOUGH):
            if self._pause_seconds is not None:
                await asyncio.sleep(self._pause_seconds)
            yield b"x"
        self.ended.append("stream")


@pytest.mark.parametrize("pause_seconds", [0.01, None], ids=["slow", "quick"])
@pytest.mark.parametrize("middleware", [(), (Passing,)], ids=["alone", "in BaseHTTPMiddleware"])
@pytest.mark.parametrize("mode", ["native", "verify"])
async def test_the_stream_behind_a_head_ends_with_the_head(
    mode: Mode, middleware: tuple[Any, ...], pause_seconds: float | None
) -> None:
    native, client = Endless(*middleware, pause_seconds=pause_seconds), Client()
    app = cutover_of(native.app, wsgi(), {"GET /items": mode})
    await client.asks(app)
    assert client.answer == BODILESS
    assert native.ended == ["task"]


async def test_the_stream_of_a_candidate_ends_with_its_head() -> None:
    native = Endless(pause_seconds=0.01)

    def legacy(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    app = cutover_of(native.app, legacy, {"GET /items": "shadow"})
    await Client().asks(app)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await counts_of(app) == {"match": 1}
    assert native.ended == ["task"]


async def test_outside_of_the_cutover_a_middleware_gets_a_whole_answer() -> None:
    native, client = Endless(pause_seconds=0.01), Client()
    await client.asks(Passing(cutover_of(native.app, wsgi(), {"GET /items": "native"})))
    assert client.answer == BODILESS
    assert native.ended == ["task"]


async def test_what_is_sent_behind_the_answer_to_a_head_goes_nowhere() -> None:
    async def native(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(HEAD)
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send(END)

    client = Client()
    await client.asks(cutover_of(native, wsgi(), {"GET /items": "native"}))
    assert client.answer == BODILESS


@pytest.mark.parametrize("kind", ["pathsend", "zerocopysend"])
async def test_a_file_is_not_sent_behind_a_head(kind: str) -> None:
    async def native(scope: Scope, _receive: Receive, send: Send) -> None:
        assert f"http.response.{kind}" in scope["extensions"]
        await send(HEAD)
        await send({"type": f"http.response.{kind}", "path": "/srv/items.csv"})

    client = Client(f"http.response.{kind}")
    await client.asks(cutover_of(native, wsgi(), {"GET /items": "native"}))
    assert client.answer == BODILESS


async def test_native_that_minds_that_the_client_of_a_head_left_is_not_taken_back() -> None:
    async def native(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        if (await receive())["type"] == "http.disconnect":
            raise ConnectionError("the client is gone")

    app: Cutover = cutover_of(native, wsgi(), {"GET /items": "verify"})
    for _ in range(20):
        await Client().asks(app)
    assert mode_of(app, "GET /items").mode == "verify"


async def test_a_whole_answer_to_a_head_has_its_status_and_headers() -> None:
    answer = await ask(cutover_of(asgi(b"[1]", status=404), wsgi(), {"GET /items": "native"}), "HEAD", "/items")
    assert (answer.status, answer.headers["content-length"], answer.body) == (404, "3", b"")
