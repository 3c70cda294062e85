"""A primary gets its request as it comes, and answers when it likes; what has come by then is the candidate's, too."""

import asyncio
from typing import Any

import anyio
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, wsgi

VERIFY: dict[str, Any] = {"POST /items": "verify"}
PURE = CutoverSettings(pure=["POST /items"])
CHUNKED = [("Transfer-Encoding", "chunked")]


def sending(app: ASGIApp, parts: "asyncio.Queue[bytes]") -> ASGIApp:
    """The app with a client that sends parts as they are put there; an empty one is the last."""

    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        async def receive() -> Message:
            part = await parts.get()
            return {"type": "http.request", "body": part, "more_body": bool(part)}

        await app(scope, receive, send)

    return serve


async def early(scope: Scope, _receive: Receive, send: Send) -> None:
    """Reads nothing, and answers as `asgi` and `wsgi` do."""
    await asgi()(scope, nothing_more, send)


async def nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_a_primary_that_answers_by_the_head_alone_waits_for_no_body() -> None:
    app = cutover_of(early, wsgi(), VERIFY, settings=PURE)
    never: asyncio.Queue[bytes] = asyncio.Queue()
    answered = await asyncio.wait_for(ask(sending(app, never), "POST", "/items", headers=CHUNKED), timeout=10)
    assert (answered.status, answered.side) == (200, "native")
    assert await counts_of(app) == {"skipped request_unread": 1}


async def test_a_body_that_came_with_its_head_is_the_candidate_s_though_the_primary_does_not_read_it() -> None:
    seen: list[dict[str, Any]] = []
    app = cutover_of(early, wsgi(seen=seen), VERIFY, settings=PURE)
    await ask(app, "POST", "/items", body=b"1234")
    assert await counts_of(app) == {"match": 1}
    assert [environ["body"] for environ in seen] == [b"1234"]


async def test_behind_its_answer_a_primary_is_told_that_its_client_has_left_and_gets_no_body() -> None:
    heard: list[str] = []

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi()(scope, nothing_more, send)
        heard.append((await receive())["type"])

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        is_answered = False

        async def receive_as_a_server() -> Message:
            return {"type": "http.disconnect"} if is_answered else await receive()

        async def send_as_a_server(message: Message) -> None:
            nonlocal is_answered
            is_answered = message["type"] == "http.response.body"
            await send(message)

        await app(scope, receive_as_a_server, send_as_a_server)

    app = cutover_of(native, wsgi(), VERIFY, settings=PURE)
    await ask(serve, "POST", "/items", body=b"1234")
    assert heard == ["http.disconnect"]
    assert await counts_of(app) == {"match": 1}


async def test_nothing_of_a_body_is_lost_where_who_asks_for_it_gives_up() -> None:
    heard: list[bytes] = []

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            try:
                message = await asyncio.wait_for(receive(), timeout=0.01)
            except TimeoutError:
                continue
            heard.append(message["body"])
            more = message["more_body"]
        await asgi()(scope, nothing_more, send)

    seen: list[dict[str, Any]] = []
    app = cutover_of(native, wsgi(seen=seen), VERIFY, settings=PURE)
    parts: asyncio.Queue[bytes] = asyncio.Queue()
    asking = asyncio.create_task(ask(sending(app, parts), "POST", "/items", headers=CHUNKED))
    for part in (b"12", b"34", b""):
        await asyncio.sleep(0.05)
        parts.put_nowait(part)
    assert (await asking).status == 200
    assert heard == [b"12", b"34", b""]
    assert await counts_of(app) == {"match": 1}
    assert [environ["body"] for environ in seen] == [b"1234"]


async def test_an_answer_of_an_app_that_was_cancelled_within_goes_out_whole() -> None:
    """As where a middleware's time is over: a server's `send` doesn't wait, and nothing here may."""

    async def native(scope: Scope, _receive: Receive, send: Send) -> None:
        with anyio.move_on_after(0.01):
            try:
                await anyio.sleep(10)
            finally:
                await asgi(status=504)(scope, nothing_more, send)

    app = cutover_of(native, wsgi(), VERIFY, settings=PURE)
    never: asyncio.Queue[bytes] = asyncio.Queue()
    answered = await ask(sending(app, never), "POST", "/items", headers=CHUNKED)
    assert (answered.status, answered.body) == (504, b"{}")


async def test_a_client_that_is_gone_costs_such_a_primary_nothing() -> None:
    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        async def receive() -> Message:
            raise OSError("the connection is gone")

        await app(scope, receive, send)

    app = cutover_of(early, wsgi(), VERIFY, settings=PURE)
    assert (await ask(serve, "POST", "/items", headers=CHUNKED)).status == 200
    assert await counts_of(app) == {"skipped request_unread": 1}


async def test_a_body_that_is_there_when_a_primary_raises_is_the_candidate_s() -> None:
    async def native(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("by the head alone")

    seen: list[dict[str, Any]] = []
    app = cutover_of(native, wsgi(seen=seen), VERIFY, settings=PURE)
    await ask(app, "POST", "/items", body=b"1234")
    assert await counts_of(app) == {"mismatch": 1}
    assert [environ["body"] for environ in seen] == [b"1234"]


async def test_a_primary_answers_each_part_of_a_body_as_it_comes() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})
            heard.put_nowait(message["body"])

    app = cutover_of(echo, wsgi(b"[1]"), VERIFY, settings=PURE)
    parts: asyncio.Queue[bytes] = asyncio.Queue()
    asking = asyncio.create_task(ask(sending(app, parts), "POST", "/items", headers=CHUNKED))
    for part in (b"[1", b"]"):
        parts.put_nowait(part)
        assert await asyncio.wait_for(heard.get(), timeout=10) == part
    parts.put_nowait(b"")
    assert (await asking).body == b"[1]"
    assert await counts_of(app) == {"match": 1}


@pytest.mark.parametrize(("room", "counts"), [(2_200, {"match": 2}), (1_900, {"match": 1, "skipped queue_full": 1})])
async def test_bodies_of_requests_that_are_under_way_have_a_bound_together(room: int, counts: dict[str, int]) -> None:
    gate = asyncio.Event()

    async def opened() -> None:
        await gate.wait()

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi(first=opened if scope["path"] == "/slow" else None)(scope, receive, send)

    settings = CutoverSettings(pure=["POST /items", "POST /slow"], max_queued_bytes=room)
    app = cutover_of(native, wsgi(), {**VERIFY, "POST /slow": "verify"}, settings=settings)
    slow = asyncio.create_task(ask(app, "POST", "/slow", body=b"1" * 1_000))
    await asyncio.sleep(0.01)
    await ask(app, "POST", "/items", body=b"2" * 1_000)
    gate.set()
    await slow
    assert await counts_of(app) == counts
    # What the first two had is free again.
    await ask(app, "POST", "/items", body=b"3" * 1_000)
    assert (await counts_of(app))["match"] == counts["match"] + 1


async def test_a_stream_that_nobody_compares_holds_no_body() -> None:
    gate = asyncio.Event()

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/items":
            await asgi()(scope, receive, send)
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await gate.wait()
        await send({"type": "http.response.body", "body": b""})

    settings = CutoverSettings(pure=["POST /items", "POST /events"], max_queued_bytes=1_500)
    app = cutover_of(native, wsgi(), {**VERIFY, "POST /events": "verify"}, settings=settings)
    events = asyncio.create_task(ask(app, "POST", "/events", body=b"1" * 1_000))
    await asyncio.sleep(0.01)
    await ask(app, "POST", "/items", body=b"2" * 1_000)
    gate.set()
    await events
    assert await counts_of(app) == {"match": 1, "skipped stream": 1}
