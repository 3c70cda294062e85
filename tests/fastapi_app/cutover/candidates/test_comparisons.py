"""What is compared and what is kept of it: the candidate is asked as the primary was, once the answer is out."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from shared.modes import EndpointMode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import SHADOW, asgi, ask, counts_of, cutover_of, wsgi


@pytest.mark.parametrize("mode", ["shadow", "verify"])
async def test_sides_that_agree_match(mode: Any) -> None:
    app = cutover_of(asgi(b'{"a": 1}'), wsgi(b'{"a":1}'), {"GET /items": mode})
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"match": 1}
    assert app.store.mismatches() == []


@pytest.mark.parametrize(
    ("mode", "primary", "candidate"), [("shadow", "legacy", "native"), ("verify", "native", "legacy")]
)
async def test_sides_that_differ_are_kept_in_full(mode: Any, primary: str, candidate: str) -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": mode})
    await ask(app, "GET", "/items", headers=[("X-Trace", "7"), ("Authorization", "Bearer secret")])
    assert await counts_of(app) == {"mismatch": 1}
    (mismatch,) = app.store.mismatches()
    assert (mismatch.endpoint, mismatch.mode.mode) == ("GET /items", mode)
    assert (mismatch.request.method, mismatch.request.path) == ("GET", "/items")
    assert ("x-trace", "7") in mismatch.request.headers
    assert "secret" not in repr(mismatch)
    assert (mismatch.primary.side, mismatch.candidate.side) == (primary, candidate)
    values = {"legacy": 1, "native": 2}
    (difference,) = mismatch.differences
    assert (difference.path, difference.primary, difference.candidate) == ("body.a", values[primary], values[candidate])


@pytest.mark.parametrize(("percent", "side"), [(0.0, "legacy"), (100.0, "native")])
async def test_a_canary_compares_both_ways(percent: float, side: str) -> None:
    app = cutover_of(asgi(), wsgi(), {"GET /items": EndpointMode(mode="canary", percent=percent)})
    assert (await ask(app, "GET", "/items")).side == side
    assert await counts_of(app) == {"match": 1}


async def test_head_is_compared_as_its_get_s_endpoint() -> None:
    async def text(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("{}", media_type="application/json")

    app = cutover_of(Starlette(routes=[Route("/items", text)]), wsgi(), SHADOW)
    await ask(app, "HEAD", "/items")
    assert await counts_of(app) == {"match": 1}


@pytest.mark.parametrize(("method", "outcome"), [("GET", "mismatch"), ("HEAD", "match")])
async def test_a_length_without_a_body_is_for_a_head_alone(method: str, outcome: str) -> None:
    async def native(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    app = cutover_of(native, wsgi(b""), SHADOW)
    await ask(app, method, "/items")
    assert await counts_of(app) == {outcome: 1}
    places = [difference.path for mismatch in app.store.mismatches() for difference in mismatch.differences]
    assert places == (["headers.content-length"] if outcome == "mismatch" else [])


async def test_the_candidate_gets_the_request_as_the_primary_got_it() -> None:
    seen_by_native: list[Scope] = []
    seen_by_legacy: list[dict[str, Any]] = []
    bodies: list[bytes] = []

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        seen_by_native.append(scope)
        bodies.append((await receive())["body"])
        await asgi()(scope, _nothing, send)

    app = cutover_of(
        native, wsgi(seen=seen_by_legacy), {"POST /items": "shadow"}, settings=CutoverSettings(pure=["POST /items"])
    )
    await ask(app, "POST", "/items", body=b"whole", headers=[("X-Trace", "7")], state={"lifespan": "state"})
    assert await counts_of(app) == {"match": 1}
    (scope,), (environ,) = seen_by_native, seen_by_legacy
    assert (b"x-trace", b"7") in scope["headers"]
    assert environ["HTTP_X_TRACE"] == "7"
    assert bodies == [environ["body"]] == [b"whole"]
    assert scope["state"] == {"lifespan": "state"}
    assert scope["state"] is not environ["asgi.scope"]["state"]


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_the_candidate_does_not_see_what_the_primary_left_in_a_context_variable() -> None:
    seen: list[str | None] = []
    variable: ContextVar[str | None] = ContextVar("variable", default=None)

    async def note() -> None:
        seen.append(variable.get())

    def legacy(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(variable.get())
        return wsgi()(environ, start_response)

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        variable.set("of native")
        await asgi(first=note)(scope, receive, send)

    app = cutover_of(native, legacy, {"GET /items": "verify"})
    await ask(app, "GET", "/items")
    await app.settled()
    assert seen == ["of native", None]


async def test_the_answer_is_out_before_the_candidate_starts() -> None:
    order: list[str] = []

    async def note() -> None:
        order.append("candidate")

    app = cutover_of(asgi(first=note), wsgi(), SHADOW)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            order.append("answer")

    async def serve(scope: Scope, receive: Receive, _send: Send) -> None:
        await app(scope, receive, send)

    await ask(serve, "GET", "/items")
    await app.settled()
    assert order == ["answer", "candidate"]


async def test_secrets_are_in_neither_log(caplog: pytest.LogCaptureFixture) -> None:
    def legacy(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "session=hunter2")])
        return [b""]

    async def native(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"session=correct-horse")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    app = cutover_of(native, legacy, {"GET /items": "verify"})
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"mismatch": 1}
    told = caplog.text + repr(app.store.log()) + repr(app.store.mismatches())
    assert "set-cookie" in told
    assert "hunter2" not in told
    assert "correct-horse" not in told
