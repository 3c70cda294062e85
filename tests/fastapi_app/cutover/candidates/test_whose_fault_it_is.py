"""What holds up the event loop, or computes, is laid at the door of the candidate that does it, and of no other."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fastapi_app.cutover.candidates import watchdog
from shared.modes import EndpointMode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import SHADOW, asgi, ask, counts_of, cutover_of, mode_of, wsgi


async def test_a_stretch_in_which_a_client_s_request_holds_up_the_loop_is_no_candidate_s_fault() -> None:
    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/blocks":
            time.sleep(1.1)  # noqa: ASYNC251 - that is the fault
        await asgi()(scope, receive, send)

    def legacy(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        time.sleep(0.02)
        return wsgi()(environ, start_response)

    settings = CutoverSettings(timeout_seconds=1.0, concurrency=4)
    app = cutover_of(native, legacy, {"GET /items": "verify", "GET /blocks": "native"}, settings=settings)
    await asyncio.gather(*(ask(app, "GET", "/items") for _ in range(8)))
    await asyncio.sleep(0.005)
    await ask(app, "GET", "/blocks")
    assert await counts_of(app) == {"match": 8}
    assert mode_of(app, "GET /items") == EndpointMode(mode="verify")


async def test_what_computes_in_a_task_of_the_candidate_s_is_the_candidate_s() -> None:
    """As behind `@app.middleware("http")` of Starlette and FastAPI."""

    async def computes(_request: Request) -> Response:
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            pass
        return Response(b"{}", media_type="application/json")

    async def pass_on(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    middleware = [Middleware(BaseHTTPMiddleware, dispatch=pass_on)]
    app = cutover_of(Starlette(routes=[Route("/items", computes)], middleware=middleware), wsgi(), SHADOW)
    for _ in range(4):
        await ask(app, "GET", "/items")
        await app.settled()
    assert await counts_of(app) == {"match": 2, "skipped heavy": 2}


async def test_what_a_task_does_long_after_the_candidate_that_started_it_is_not_the_candidate_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "BLAME_SECONDS", 0.05)
    jobs: asyncio.Queue[float] = asyncio.Queue()
    keepers: list[asyncio.Task[None]] = []

    async def keep() -> None:
        while True:
            time.sleep(await jobs.get())  # noqa: ASYNC251 - that is the fault

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        if not keepers:
            # Lazily, for all requests, as clients of databases do.
            keepers.append(asyncio.create_task(keep()))
        if scope["path"] == "/job":
            jobs.put_nowait(0.7)
        await asgi(first=pause)(scope, receive, send)

    async def pause() -> None:
        await asyncio.sleep(0.1)

    settings = CutoverSettings(block_seconds=0.3)
    app = cutover_of(native, wsgi(), {**SHADOW, "GET /job": "native"}, settings=settings)
    async with app.running():
        await ask(app, "GET", "/items")
        await app.settled()
        await asyncio.sleep(0.1)
        await ask(app, "GET", "/items")  # one runs, so that the watchdog looks
        await ask(app, "GET", "/job")
        await app.settled()
        assert mode_of(app, "GET /items").sample_rate == 1
        keepers[0].cancel()
