"""A client that leaves proves nothing against the side that answers it, and its comparison is counted."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from shared.modes import EndpointMode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, mode_of, wsgi

VERIFY = EndpointMode(mode="verify")


async def _answers_who_left(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    assert (await receive())["type"] == "http.disconnect"
    await send({"type": "http.response.start", "status": 499, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _raises_when_left(_scope: Scope, receive: Receive, _send: Send) -> None:
    await receive()
    assert (await receive())["type"] == "http.disconnect"
    raise RuntimeError("nobody is there")


@pytest.mark.parametrize("native", [_answers_who_left, _raises_when_left])
async def test_what_native_makes_of_a_client_that_left_is_no_mismatch(native: Any) -> None:
    app = cutover_of(native, wsgi(), {"GET /items": VERIFY})
    inbox: list[Message] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return inbox.pop(0)

    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    await ask(serve, "GET", "/items")
    assert await counts_of(app) == {"skipped client_left": 1}
    assert mode_of(app, "GET /items") == VERIFY


async def test_an_app_that_is_told_after_its_answer_is_compared() -> None:
    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi(b'{"a":2}')(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    app = cutover_of(native, wsgi(b'{"a":2}'), {"GET /items": VERIFY})
    inbox: list[Message] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return inbox.pop(0)

    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    await ask(serve, "GET", "/items")
    assert await counts_of(app) == {"match": 1}


async def test_a_request_that_the_server_gives_up_while_its_body_comes_is_counted() -> None:
    app = cutover_of(asgi(), wsgi(), {"POST /items": "shadow"}, settings=CutoverSettings(pure=["POST /items"]))

    async def receive() -> Message:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("it never comes")

    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    request = asyncio.create_task(ask(serve, "POST", "/items", body=b"12345"))
    await asyncio.sleep(0.01)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert await counts_of(app) == {"skipped shutdown": 1}
