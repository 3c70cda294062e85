"""Candidates that raise, panic, block or hang: they cost neither clients nor other endpoints anything."""

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fastapi_app.cutover.candidates import comparisons, limits
from shared.modes import Mode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import (
    SHADOW,
    asgi,
    ask,
    counts_of,
    cutover_of,
    mode_of,
    never_ends,
    outcomes_of,
    wsgi,
)


async def test_a_candidate_that_raises_is_a_mismatch_and_its_primary_is_untouched() -> None:
    async def fail() -> None:
        raise KeyError("price")

    app = cutover_of(asgi(first=fail), wsgi(), SHADOW)
    assert (await ask(app, "GET", "/items")).status == 200
    assert await counts_of(app) == {"mismatch": 1}
    (mismatch,) = app.store.mismatches()
    assert (mismatch.candidate.answer.status, mismatch.candidate.raised) == (500, "KeyError")


async def test_what_a_candidate_raised_behind_its_answer_is_kept_with_its_place_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def me(_request: Request) -> Response:
        raise RuntimeError("broken: s3cret")

    app = cutover_of(Starlette(routes=[Route("/items", me)]), wsgi(status="401 UNAUTHORIZED"), SHADOW)
    for _ in range(2):
        assert (await ask(app, "GET", "/items")).status == 401
    assert await counts_of(app) == {"mismatch": 2}
    mismatch, _ = app.store.mismatches()
    line = inspect.getsourcelines(me)[1] + 1
    where = f"RuntimeError in me (test_candidates_that_fail_or_hang.py:{line})"
    assert (mismatch.candidate.raised, mismatch.candidate.raised_at) == (None, where)
    assert (mismatch.primary.raised_at, mismatch.candidate.answer.status) == (None, 500)
    (logged,) = [record for record in caplog.records if record.exc_info]
    assert logged.getMessage() == f"GET /items: the candidate raised {where}"
    assert logged.exc_info is not None
    assert str(logged.exc_info[1]) == "broken: s3cret"


async def test_a_side_that_raises_differs_from_one_that_chose_the_same_answer() -> None:
    async def native(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("price")

    def legacy(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("500 INTERNAL SERVER ERROR", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Internal Server Error"]

    app = cutover_of(native, legacy, SHADOW)
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"mismatch": 1}


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
    assert outcomes_of(app) == [("match", "", 1)]


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


async def test_after_its_rest_a_candidate_over_the_limit_is_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOO_LARGE_REST_SECONDS", 0.2)
    monkeypatch.setattr(limits, "HEAVY_SHARE", 1.0)
    app = cutover_of(asgi(b"x" * 1_000), wsgi(), SHADOW, settings=CutoverSettings(max_response_bytes=100))
    await ask(app, "GET", "/items")
    await app.settled()
    await asyncio.sleep(0.25)

    await asyncio.gather(*(ask(app, "GET", "/items") for _ in range(4)))

    assert await counts_of(app) == {"skipped candidate_too_large": 2, "skipped heavy": 3}


async def test_one_that_hangs_after_a_rest_and_hears_nothing_keeps_its_endpoint_from_no_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "TOO_LARGE_REST_SECONDS", 0.05)
    monkeypatch.setattr(comparisons, "CANCEL_SECONDS", 0.05)
    over = asyncio.Event()
    ran = 0

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal ran
        ran += 1
        while ran == 2 and not over.is_set():
            with suppress(asyncio.CancelledError):
                await over.wait()
        await asgi(b"x" * 1_000 if ran == 1 else b"{}")(scope, receive, send)

    settings = CutoverSettings(max_response_bytes=100, timeout_seconds=0.1)
    app = cutover_of(native, wsgi(), SHADOW, settings=settings)
    for _ in range(3):
        await ask(app, "GET", "/items")
        # Longer than the rest, and than one that is given up and let go.
        await asyncio.sleep(0.3)
    assert await counts_of(app) == {"skipped candidate_too_large": 1, "skipped timed_out": 1, "match": 1}
    over.set()


async def test_a_candidate_sees_its_client_leave_once_it_has_its_answer() -> None:
    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi()(scope, receive, send)
        assert await receive() == {"type": "http.disconnect"}

    app = cutover_of(native, wsgi(), SHADOW)
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"match": 1}


async def test_a_candidate_that_goes_on_behind_its_whole_answer_is_compared_by_it() -> None:
    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi(b'{"a":2}')(scope, receive, send)
        await never_ends()

    settings = CutoverSettings(timeout_seconds=0.1, concurrency=4)
    app = cutover_of(native, wsgi(b'{"a":2}'), SHADOW, settings=settings)
    for _ in range(5):
        await ask(app, "GET", "/items")
    assert await counts_of(app) == {"match": 5}
    assert mode_of(app, "GET /items").sample_rate == 1


async def _deaf() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)
            return


@pytest.mark.parametrize("first", [never_ends, _deaf], ids=["awaits", "hears no cancellation at first"])
async def test_a_candidate_that_does_not_end_is_given_up(first: Any) -> None:
    app = cutover_of(asgi(first=first), wsgi(), SHADOW, settings=CutoverSettings(timeout_seconds=0.1))
    assert (await ask(app, "GET", "/items")).status == 200
    assert await counts_of(app) == {"skipped timed_out": 1}


async def test_an_endpoint_whose_candidates_hang_is_compared_no_more() -> None:
    settings = CutoverSettings(timeout_seconds=0.1, concurrency=4)
    app = cutover_of(asgi(first=never_ends), wsgi(), SHADOW, settings=settings)
    for _ in range(4):
        await ask(app, "GET", "/items")
    assert await counts_of(app) == {"skipped timed_out": 4}
    change = app.store.log()[0]
    assert (change.author, change.after.sample_rate) == ("watchdog", 0)
    assert change.reason == "4 candidates in a row took over 0.1 s; it is compared no more"


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
