"""What is compared, what is skipped and why, and that clients never notice."""

import asyncio
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fastapi_app.cutover.dispatch import Cutover
from shared.modes import EndpointMode, Mode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, mode_of, wsgi

SHADOW: dict[str, Mode] = {"GET /items": "shadow"}


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


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (CutoverSettings(), "unsafe"),
        (CutoverSettings(pure=["POST /items"], costly=["POST /items"]), "costly"),
        (CutoverSettings(pure=["POST /items"], max_request_bytes=4), "request_too_large"),
        (CutoverSettings(pure=["POST /items"], max_response_bytes=4), "response_too_large"),
        (CutoverSettings(pure=["POST /items"], max_queued=0), "queue_full"),
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

    await ask(serve, "POST", "/items")
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


async def _awaiting() -> None:
    await asyncio.Event().wait()


async def _deaf() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)
            return


@pytest.mark.parametrize("first", [_awaiting, _deaf], ids=["awaits", "hears no cancellation at first"])
async def test_a_candidate_that_does_not_end_is_given_up(first: Any) -> None:
    app = cutover_of(asgi(first=first), wsgi(), SHADOW, settings=CutoverSettings(timeout_seconds=0.1))
    assert (await ask(app, "GET", "/items")).status == 200
    assert await counts_of(app) == {"skipped timed_out": 1}


class Hanging:
    """A legacy app that hangs but at /others, until `over` is set."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/others":
            self.over.wait(20)
        return wsgi()(environ, start_response)


async def test_a_legacy_candidate_that_hangs_is_given_up_and_others_are_compared() -> None:
    legacy = Hanging()
    settings = CutoverSettings(timeout_seconds=0.1, concurrency=1)
    app = cutover_of(asgi(), legacy, {"GET /items": "verify", "GET /others": "verify"}, settings=settings)
    for _ in range(4):
        assert (await ask(app, "GET", "/items")).status == 200
        await app.settled()
    assert mode_of(app, "GET /items").sample_rate == 0
    await ask(app, "GET", "/others")
    assert await counts_of(app) == {"skipped timed_out": 4, "match": 1}
    legacy.over.set()


async def test_endpoints_whose_legacy_candidates_hang_leave_threads_to_the_others() -> None:
    legacy = Hanging()
    settings = CutoverSettings(timeout_seconds=0.1, concurrency=1)
    hanging = ["/items", "/orders", "/users"]
    modes: dict[str, Mode] = {f"GET {path}": "verify" for path in (*hanging, "/others")}
    app = cutover_of(asgi(), legacy, modes, settings=settings)
    for path in hanging * 4:
        await ask(app, "GET", path)
        await app.settled()
    await ask(app, "GET", "/others")
    assert await counts_of(app) == {"skipped timed_out": 12, "match": 1}
    legacy.over.set()


async def test_an_endpoint_whose_legacy_candidates_hang_now_and_then_keeps_so_many_threads_and_no_more() -> None:
    legacy = Hanging()
    settings = CutoverSettings(timeout_seconds=0.1, concurrency=1)
    app = cutover_of(asgi(), legacy, {"GET /<name>": "verify"}, settings=settings)
    for path in ("/items", "/others") * 5:
        await ask(app, "GET", path)
        await app.settled()
    assert await counts_of(app) == {"skipped timed_out": 4, "match": 3, "skipped candidates_busy": 3}
    legacy.over.set()


async def test_health_says_that_legacy_candidates_hang_in_every_thread() -> None:
    legacy = Hanging()
    settings = CutoverSettings(timeout_seconds=0.1, concurrency=1)
    hanging = [f"/items/{number}" for number in range(6)]
    modes: dict[str, Mode] = {f"GET {path}": "verify" for path in (*hanging, "/others")}
    app = cutover_of(asgi(), legacy, modes, settings=settings)
    async with app.running():
        # One and four times four.
        for path in (hanging * 3)[:17]:
            assert app.health()["status"] == "ok"
            await ask(app, "GET", path)
            await app.settled()
        assert app.health()["problems"] == [
            "legacy candidates hang in every thread there is for them: none is compared until they end"
        ]
        await ask(app, "GET", "/others")
        assert await counts_of(app) == {"skipped timed_out": 17, "skipped candidates_busy": 1}
        legacy.over.set()


async def test_a_candidate_that_raises_is_a_mismatch_and_its_primary_is_untouched() -> None:
    async def fail() -> None:
        raise KeyError("price")

    app = cutover_of(asgi(first=fail), wsgi(), SHADOW)
    assert (await ask(app, "GET", "/items")).status == 200
    assert await counts_of(app) == {"mismatch": 1}
    (mismatch,) = app.store.mismatches()
    assert (mismatch.candidate.answer.status, mismatch.candidate.raised) == (500, "KeyError")


async def test_a_candidate_that_cancels_its_own_task_is_a_mismatch() -> None:
    async def cancels_itself(_scope: Scope, _receive: Receive, _send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    app = cutover_of(cancels_itself, wsgi(), SHADOW, settings=CutoverSettings(concurrency=1))
    for _ in range(3):
        await ask(app, "GET", "/items")
    assert await counts_of(app) == {"mismatch": 3}


async def test_a_side_that_raises_differs_from_one_that_chose_the_same_answer() -> None:
    async def native(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("price")

    def legacy(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("500 INTERNAL SERVER ERROR", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Internal Server Error"]

    app = cutover_of(native, legacy, SHADOW)
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"mismatch": 1}


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


async def test_a_candidate_that_sends_on_past_its_limit_leaves_the_loop_to_others() -> None:
    async def stubborn(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b"x" * 1_000, "more_body": True})

    settings = CutoverSettings(timeout_seconds=0.1, max_response_bytes=10_000)
    app = cutover_of(stubborn, wsgi(), SHADOW, settings=settings)
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"skipped timed_out": 1}


async def test_a_client_that_leaves_is_counted() -> None:
    async def never_read(scope: Scope, _receive: Receive, send: Send) -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        await app(scope, receive, send)

    app = cutover_of(asgi(), wsgi(), {"POST /items": "shadow"}, settings=CutoverSettings(pure=["POST /items"]))
    await ask(never_read, "POST", "/items")
    assert await counts_of(app) == {"skipped client_left": 1}


async def test_what_waits_when_the_process_stops_is_counted() -> None:
    app = cutover_of(
        asgi(first=_awaiting), wsgi(), SHADOW, settings=CutoverSettings(concurrency=1, timeout_seconds=0.1)
    )
    async with app.running():
        for _ in range(3):
            await ask(app, "GET", "/items")
    assert sorted(_outcomes(app)) == [("skipped", "shutdown", 2), ("skipped", "timed_out", 1)]


def _outcomes(app: Cutover) -> list[tuple[str, str, int]]:
    return [(key.outcome, key.reason, count) for key, count in app.store.counts().items()]


class Broken:
    """Effects whose recording fails."""

    async def record(self, _scope: Scope) -> Any:
        raise RuntimeError("a fault of the recording")

    def from_json(self, _recording: Mapping[str, Any]) -> Any:
        raise AssertionError


async def test_a_recording_that_fails_costs_the_client_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = cutover_of(asgi(), wsgi(), SHADOW, effects=Broken())
    assert (await ask(app, "GET", "/items")).status == 200
    assert await counts_of(app) == {"skipped fault": 1}
    assert "a fault of the recording" in caplog.text


async def test_head_is_compared_as_its_get_s_endpoint() -> None:
    async def text(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("{}", media_type="application/json")

    app = cutover_of(Starlette(routes=[Route("/items", text)]), wsgi(), SHADOW)
    await ask(app, "HEAD", "/items")
    assert await counts_of(app) == {"match": 1}


async def test_a_candidate_that_blocks_the_loop_is_named_and_compared_no_more() -> None:
    async def block() -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - that is the fault

    app = cutover_of(asgi(first=block), wsgi(), SHADOW, settings=CutoverSettings(block_seconds=0.1, poll_seconds=0.05))
    async with app.running():
        await ask(app, "GET", "/items")
        await app.settled()
        mode = mode_of(app, "GET /items")
        assert mode is not None
        assert (mode.mode, mode.sample_rate) == ("shadow", 0.0)
        await ask(app, "GET", "/items")
        await app.settled()
        change = app.store.log()[0]
    assert (change.endpoint, change.author) == ("GET /items", "watchdog")
    assert "blocked the event loop for 0.1 s" in change.reason
    assert _outcomes(app) == [("match", "", 1)]


class Panic(BaseException):
    """As an extension in another language raises it."""


async def test_a_candidate_s_panic_costs_no_place() -> None:
    async def panic() -> None:
        raise Panic("in an extension")

    app = cutover_of(asgi(first=panic), wsgi(), SHADOW, settings=CutoverSettings(concurrency=1))
    for _ in range(3):
        await ask(app, "GET", "/items")
        await app.settled()
    assert await counts_of(app) == {"mismatch": 3}
    assert app.health()["comparisons"] == {"queued": 0, "queued_bytes": 0, "running": 0}


async def test_an_endpoint_whose_candidates_hang_is_compared_no_more() -> None:
    settings = CutoverSettings(timeout_seconds=0.1, concurrency=4)
    app = cutover_of(asgi(first=_awaiting), wsgi(), SHADOW, settings=settings)
    for _ in range(4):
        await ask(app, "GET", "/items")
    assert await counts_of(app) == {"skipped timed_out": 4}
    change = app.store.log()[0]
    assert (change.author, change.after.sample_rate) == ("watchdog", 0)
    assert change.reason == "4 candidates in a row took over 0.1 s; it is compared no more"


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


async def test_effects_behind_a_legacy_answer_are_waited_for() -> None:
    left: list[str] = []

    class Late:
        def __iter__(self) -> Any:
            yield b"{}"

        def close(self) -> None:
            time.sleep(0.05)
            left.append("notified")

    def legacy(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return Late()

    class Noting:
        """Effects that are what stands in `left` when they are asked for."""

        async def record(self, _scope: Scope) -> Any:
            return self

        def from_json(self, _recording: Mapping[str, Any]) -> Any:
            raise AssertionError

        def effects(self) -> Mapping[str, Any]:
            return {"calls": list(left)}

        def replay(self, _scope: Scope) -> Any:
            return Native()

        def to_json(self) -> Mapping[str, Any]:
            return {}

    class Native:
        def effects(self) -> Mapping[str, Any]:
            return {"calls": ["notified"]}

        def unrecorded_read(self) -> None:
            return None

    app = cutover_of(asgi(), legacy, SHADOW, effects=Noting())
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"match": 1}


@pytest.mark.parametrize(
    ("left_before", "comes_to"), [("notified", "skipped unrecorded_read"), ("ordered", "mismatch")]
)
async def test_a_read_that_was_not_recorded_hides_no_effect_before_it(left_before: str, comes_to: str) -> None:
    class Noting:
        async def record(self, _scope: Scope) -> Any:
            return self

        def from_json(self, _recording: Mapping[str, Any]) -> Any:
            raise AssertionError

        def effects(self) -> Mapping[str, Any]:
            return {"calls": ["notified", "ordered"]}

        def replay(self, _scope: Scope) -> Any:
            return Asking()

        def to_json(self) -> Mapping[str, Any]:
            return {}

    class Asking:
        def effects(self) -> Mapping[str, Any]:
            return {"calls": [left_before]}

        def unrecorded_read(self) -> str:
            return "what time it was"

        def until_unrecorded(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
            return {"calls": ["notified"]}, {"calls": [left_before]}

    app = cutover_of(asgi(status=500), wsgi(), SHADOW, effects=Noting())
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {comes_to: 1}
    paths = [difference.path for mismatch in app.store.mismatches() for difference in mismatch.differences]
    # The status is what an app makes of a question without an answer.
    assert paths == (["effects.calls[0]"] if comes_to == "mismatch" else [])


async def test_who_waits_for_leave_to_send_a_body_is_not_compared() -> None:
    app = cutover_of(asgi(), wsgi(), {"POST /items": "shadow"}, settings=CutoverSettings(pure=["POST /items"]))
    await ask(app, "POST", "/items", body=b"1", headers=[("Expect", "100-continue")])
    assert await counts_of(app) == {"skipped expect_continue": 1}


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
