"""What is not compared: each is answered as ever, and counted with its reason."""

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from shared.modes import EndpointMode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import SHADOW, asgi, ask, counts_of, cutover_of, never_ends, outcomes_of, wsgi


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (CutoverSettings(), "unsafe"),
        (CutoverSettings(pure=["POST /items"], costly=["POST /items"]), "costly"),
        (CutoverSettings(pure=["POST /items"], max_request_bytes=4), "request_too_large"),
        (CutoverSettings(pure=["POST /items"], max_response_bytes=4), "response_too_large"),
        (CutoverSettings(pure=["POST /items"], max_queued=0), "queue_full"),
        (CutoverSettings(max_queued=0), "unsafe"),
        (CutoverSettings(pure=["POST /items"], max_queued_bytes=10), "queue_full"),
    ],
)
async def test_what_is_not_compared_is_answered_and_counted_with_its_reason(
    settings: CutoverSettings, reason: str
) -> None:
    seen: list[Scope] = []
    app = cutover_of(asgi(seen=seen), wsgi(b'{"a":1}'), {"POST /items": "shadow"}, settings=settings)
    assert (await ask(app, "POST", "/items", body=b"12345")).body == b'{"a":1}'
    assert await counts_of(app) == {f"skipped {reason}": 1}
    assert seen == []


async def test_a_chunked_body_over_the_limit_reaches_the_primary_whole() -> None:
    seen: list[dict[str, Any]] = []
    app = cutover_of(
        asgi(),
        wsgi(seen=seen),
        {"POST /items": "shadow"},
        settings=CutoverSettings(pure=["POST /items"], max_request_bytes=5),
    )
    parts = [b"1234", b"5678", b"90"]

    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        inbox = [{"type": "http.request", "body": part, "more_body": part != b"90"} for part in parts]

        async def receive() -> Message:
            return inbox.pop(0)

        await app(scope, receive, send)

    await ask(serve, "POST", "/items", headers=[("Transfer-Encoding", "chunked")])
    assert seen[0]["body"] == b"1234567890"
    assert await counts_of(app) == {"skipped request_too_large": 1}


async def test_server_sent_events_are_not_compared() -> None:
    def events(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return [b"data: 1\n\n"]

    seen: list[Scope] = []
    app = cutover_of(asgi(seen=seen), events, SHADOW)
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"skipped stream": 1}
    assert seen == []


async def test_of_server_sent_events_nothing_is_held() -> None:
    async def events(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(9):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        held.append(tracemalloc.get_traced_memory()[0])
        await send({"type": "http.response.body", "body": b""})

    async def to_nobody(_message: Message) -> None: ...

    async def serve(scope: Scope, receive: Receive, _send: Send) -> None:
        await app(scope, receive, to_nobody)

    held: list[int] = []
    app = cutover_of(events, wsgi(), {"GET /items": "verify"})
    tracemalloc.start()
    await ask(serve, "GET", "/items")
    tracemalloc.stop()
    assert held[0] < 400_000
    assert await counts_of(app) == {"skipped stream": 1}


async def test_an_endless_candidate_is_cut_at_the_limit() -> None:
    sent = 0

    async def endless(_request: Request) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 1
                yield b"x" * 1024
                await asyncio.sleep(0)

        return StreamingResponse(chunks())

    app = cutover_of(
        Starlette(routes=[Route("/items", endless)]),
        wsgi(),
        SHADOW,
        settings=CutoverSettings(max_response_bytes=10_240),
    )
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"skipped candidate_too_large": 1}
    assert sent <= 12


async def test_a_client_that_leaves_is_counted() -> None:
    async def never_read(scope: Scope, _receive: Receive, send: Send) -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        await app(scope, receive, send)

    app = cutover_of(asgi(), wsgi(), {"POST /items": "shadow"}, settings=CutoverSettings(pure=["POST /items"]))
    await ask(never_read, "POST", "/items")
    assert await counts_of(app) == {"skipped client_left": 1}


async def test_who_waits_for_leave_to_send_a_body_is_not_compared() -> None:
    app = cutover_of(asgi(), wsgi(), {"POST /items": "shadow"}, settings=CutoverSettings(pure=["POST /items"]))
    await ask(app, "POST", "/items", body=b"1", headers=[("Expect", "100-continue")])
    assert await counts_of(app) == {"skipped expect_continue": 1}


async def test_the_bridge_s_own_503_is_no_answer_of_legacy_s() -> None:
    over = threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            over.wait(10)
        return wsgi()(environ, start_response)

    app = cutover_of(
        asgi(),
        slow,
        {"GET /items": "shadow", "GET /slow": "legacy"},
        bridge_options={"threads": 1, "max_queued": 0},
    )
    busy = asyncio.create_task(ask(app, "GET", "/slow"))
    while app.health()["bridge"]["threads_busy"] == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert (await ask(app, "GET", "/items")).status == 503
    over.set()
    await busy
    assert await counts_of(app) == {"skipped primary_busy": 1}


async def test_those_that_wait_are_not_run_once_their_endpoint_is_legacy_s() -> None:
    seen: list[Scope] = []
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    app = cutover_of(asgi(seen=seen, first=wait), wsgi(), SHADOW, settings=CutoverSettings(concurrency=1))
    for _ in range(3):
        await ask(app, "GET", "/items")
    await app.change({"GET /items": EndpointMode(mode="legacy")}, author="ada", reason="back")
    gate.set()
    assert await counts_of(app) == {"match": 1, "skipped stopped": 2}
    assert len(seen) == 1


async def test_what_waits_when_the_process_stops_is_counted() -> None:
    app = cutover_of(
        asgi(first=never_ends), wsgi(), SHADOW, settings=CutoverSettings(concurrency=1, timeout_seconds=0.1)
    )
    async with app.running():
        for _ in range(3):
            await ask(app, "GET", "/items")
    assert sorted(outcomes_of(app)) == [("skipped", "shutdown", 2), ("skipped", "timed_out", 1)]
