"""An endpoint whose native side proves wrong while clients get its answers goes back by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.modes import EndpointMode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, mode_of, wsgi

CANARY = EndpointMode(mode="canary", percent=100)
VERIFY = EndpointMode(mode="verify")


@pytest.mark.parametrize("mode", [CANARY, VERIFY])
async def test_a_mismatch_takes_an_endpoint_back_to_shadow_and_is_kept(mode: EndpointMode) -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": mode})
    assert (await ask(app, "GET", "/items")).side == "native"
    await app.settled()
    assert (await ask(app, "GET", "/items")).side == "legacy"
    (mismatch, *_) = reversed(app.store.mismatches())
    change = app.store.log()[0]
    assert (change.endpoint, change.author) == ("GET /items", "guard")
    assert (change.before, change.after) == (mode, EndpointMode(mode="shadow"))
    assert change.reason == f"mismatch {mismatch.id}: body.a: native 2, legacy 1"


async def test_it_holds_in_this_process_before_it_is_written() -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY})
    await ask(app, "GET", "/items")
    await app._comparisons.settled()
    assert (await ask(app, "GET", "/items")).side == "legacy"
    assert app.store.table().modes["GET /items"] == VERIFY


async def test_the_sample_rate_stays() -> None:
    mode = EndpointMode(mode="verify", sample_rate=0.999999)
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": mode})
    await ask(app, "GET", "/items")
    await app.settled()
    assert mode_of(app, "GET /items") == EndpointMode(mode="shadow", sample_rate=0.999999)


@pytest.mark.parametrize("mode", ["shadow", "legacy", "native"])
async def test_other_modes_stay(mode: Any) -> None:
    app = cutover_of(asgi(b'{"a":2}', status=500), wsgi(b'{"a":1}'), {"GET /items": mode})
    for _ in range(8):
        await ask(app, "GET", "/items")
    await app.settled()
    assert mode_of(app, "GET /items") == EndpointMode(mode=mode)


async def test_there_is_no_flapping() -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY})
    for _ in range(5):
        await ask(app, "GET", "/items")
        await app.settled()
    assert [change.author for change in app.store.log()].count("guard") == 1
    assert mode_of(app, "GET /items") == EndpointMode(mode="shadow")


async def test_a_person_may_move_it_forward_again_and_the_guard_acts_again() -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY})
    await ask(app, "GET", "/items")
    await app.settled()
    await app.change({"GET /items": VERIFY}, author="ada", reason="mended")
    assert (await ask(app, "GET", "/items")).side == "native"
    await app.settled()
    assert [change.author for change in app.store.log()][:3] == ["guard", "ada", "guard"]


async def test_more_errors_than_the_limit_take_it_back_also_where_nothing_is_sampled() -> None:
    mode = EndpointMode(mode="canary", percent=100, sample_rate=0)
    app = cutover_of(asgi(status=503), wsgi(), {"GET /items": mode}, settings=CutoverSettings(max_native_errors=2))
    for _ in range(2):
        await ask(app, "GET", "/items")
    assert mode_of(app, "GET /items") == mode
    await ask(app, "GET", "/items")
    await app.settled()
    assert mode_of(app, "GET /items") == EndpointMode(mode="shadow", sample_rate=0)
    assert app.store.log()[0].reason == "native failed 3 times, more than 2"


async def exits() -> None:
    raise SystemExit(3)


async def awaits_what_it_has_cancelled() -> None:
    task = asyncio.ensure_future(asyncio.sleep(10))
    task.cancel()
    await task


@pytest.mark.parametrize("handler", [exits, awaits_what_it_has_cancelled])
@pytest.mark.parametrize("mode", [CANARY, VERIFY])
async def test_one_that_ends_by_no_exception_is_a_mismatch_as_any_other(
    mode: EndpointMode, handler: Callable[[], Awaitable[None]]
) -> None:
    app = cutover_of(asgi(first=handler), wsgi(), {"GET /items": mode})
    with pytest.raises((SystemExit, asyncio.CancelledError)) as raised:
        await ask(app, "GET", "/items")
    await app.settled()
    assert mode_of(app, "GET /items") == EndpointMode(mode="shadow")
    assert await counts_of(app) == {"mismatch": 1}
    [mismatch] = app.store.mismatches()
    assert mismatch.primary.raised is not None
    assert mismatch.primary.raised.startswith(raised.typename)


@pytest.mark.parametrize("handler", [exits, awaits_what_it_has_cancelled])
async def test_it_counts_as_an_error_where_nothing_is_sampled(handler: Callable[[], Awaitable[None]]) -> None:
    mode = EndpointMode(mode="verify", sample_rate=0)
    settings = CutoverSettings(max_native_errors=2)
    app = cutover_of(asgi(first=handler), wsgi(), {"GET /items": mode}, settings=settings)
    for _ in range(3):
        with pytest.raises((SystemExit, asyncio.CancelledError)):
            await ask(app, "GET", "/items")
    await app.settled()
    assert app.store.log()[0].reason == "native failed 3 times, more than 2"


async def test_errors_of_native_candidates_count_as_well() -> None:
    app = cutover_of(
        asgi(status=500),
        wsgi(status="500 INTERNAL SERVER ERROR"),
        {"GET /items": EndpointMode(mode="canary", percent=0)},
        settings=CutoverSettings(max_native_errors=2),
    )
    for _ in range(3):
        assert mode_of(app, "GET /items").mode == "canary"
        assert (await ask(app, "GET", "/items")).side == "legacy"
        await app.settled()
    assert mode_of(app, "GET /items").mode == "shadow"
    assert app.store.log()[0].reason == "native failed 3 times, more than 2"


async def test_errors_are_counted_anew_in_a_new_mode() -> None:
    canary = EndpointMode(mode="canary", percent=100, sample_rate=0)
    app = cutover_of(asgi(status=503), wsgi(), {"GET /items": canary}, settings=CutoverSettings(max_native_errors=2))
    for _ in range(2):
        await ask(app, "GET", "/items")
    wider = EndpointMode(mode="verify", sample_rate=0)
    await app.change({"GET /items": wider}, author="ada", reason="on")
    for _ in range(2):
        await ask(app, "GET", "/items")
    assert mode_of(app, "GET /items") == wider


async def test_errors_of_an_earlier_time_in_the_mode_do_not_count() -> None:
    settings = CutoverSettings(max_native_errors=2)
    quiet = EndpointMode(mode="verify", sample_rate=0)
    app = cutover_of(asgi(status=503), wsgi(), {"GET /items": quiet}, settings=settings)
    for mode in (EndpointMode(mode="legacy"), quiet):
        for _ in range(2):
            await ask(app, "GET", "/items")
        await app.change({"GET /items": mode}, author="ada", reason="mended")
    await ask(app, "GET", "/items")
    assert mode_of(app, "GET /items") == quiet


async def test_what_was_found_before_a_person_s_move_does_not_undo_it() -> None:
    app = cutover_of(
        asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY}, settings=CutoverSettings(concurrency=1)
    )
    before = app.plan("GET /items")
    await app.change({"GET /items": EndpointMode(mode="legacy")}, author="ada", reason="back")
    await app.change({"GET /items": VERIFY}, author="ada", reason="mended")
    assert before is not None
    for _ in range(9):
        app._guard.native_failed(before)
    assert mode_of(app, "GET /items") == VERIFY


async def test_what_was_found_before_a_stay_elsewhere_that_this_process_did_not_see_counts_no_more() -> None:
    store = MemoryCutoverStore()
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY}, store=store)
    before = app.plan("GET /items")
    assert before is not None
    for mode in (EndpointMode(mode="legacy"), VERIFY):
        store.change({"GET /items": mode}, author="ada", reason="mended", at=datetime.now(UTC))
    await app.settled()
    for _ in range(9):
        app._guard.native_failed(before)
    assert mode_of(app, "GET /items") == VERIFY


async def test_a_change_of_another_endpoint_takes_nothing_from_what_was_found() -> None:
    app = cutover_of(asgi(), wsgi(), {"GET /items": VERIFY, "GET /others": "legacy"})
    before = app.plan("GET /items")
    await app.change({"GET /others": VERIFY}, author="ada", reason="look")
    assert app.plan("GET /items") is before


async def test_clients_that_leave_are_no_errors_of_native() -> None:
    async def reading(_scope: Scope, receive: Receive, _send: Send) -> None:
        if (await receive())["type"] == "http.disconnect":
            raise ClientDisconnect

    app = cutover_of(reading, wsgi(), {"POST /items": EndpointMode(mode="canary", percent=100)})

    async def leaving(scope: Scope, _receive: Receive, send: Send) -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        await app(scope, receive, send)

    for _ in range(9):
        await ask(leaving, "POST", "/items")
    assert mode_of(app, "POST /items").mode == "canary"


async def _returns_without_an_answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
    return


async def _returns_amid_its_answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})


@pytest.mark.parametrize("native", [_returns_without_an_answer, _returns_amid_its_answer])
@pytest.mark.parametrize("sample_rate", [0.0, 1.0])
async def test_a_native_side_that_gives_no_whole_answer_is_taken_back(native: Any, sample_rate: float) -> None:
    app = cutover_of(native, wsgi(), {"GET /items": EndpointMode(mode="verify", sample_rate=sample_rate)})
    for _ in range(6):
        await ask(app, "GET", "/items")
        await app.settled()
    assert mode_of(app, "GET /items").mode == "shadow"
    assert (await counts_of(app)).keys() <= {"mismatch"}
    (change,) = app.store.log(limit=1)
    assert ("native failed 6 times" if not sample_rate else "mismatch 1") in change.reason


async def test_a_file_that_the_server_sends_is_a_whole_answer() -> None:
    async def native(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/files/a"})

    app = cutover_of(native, wsgi(), {"GET /items": VERIFY})
    for _ in range(7):
        assert (await ask(app, "GET", "/items")).status == 200
    assert await counts_of(app) == {"skipped response_too_large": 7}
    assert mode_of(app, "GET /items") == VERIFY


@pytest.mark.parametrize("mode", [CANARY, VERIFY])
async def test_what_the_watchdog_finds_in_native_takes_clients_back_too(mode: EndpointMode) -> None:
    app = cutover_of(asgi(), wsgi(), {"GET /items": mode})
    app._stop_comparing("GET /items", "native", "it hangs")
    await app.settled()
    assert mode_of(app, "GET /items") == EndpointMode(mode="shadow", sample_rate=0)
    (change,) = app.store.log(limit=1)
    assert (change.author, change.reason) == ("watchdog", "it hangs; it is compared no more")


async def test_what_it_finds_in_legacy_leaves_clients_with_native_and_health_says_that_nobody_watches() -> None:
    app = cutover_of(asgi(), wsgi(), {"GET /items": VERIFY})
    assert not any("sample rate" in problem for problem in app.health()["problems"])
    app._stop_comparing("GET /items", "legacy", "it hangs")
    await app.settled()
    assert mode_of(app, "GET /items") == EndpointMode(mode="verify", sample_rate=0)
    sentence = "GET /items is in verify at a sample rate of 0: no wrong answer of native's takes it back"
    assert sentence in app.health()["problems"]


async def test_what_a_person_did_meanwhile_stands() -> None:
    store = MemoryCutoverStore()
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY}, store=store)
    await ask(app, "GET", "/items")
    await app._comparisons.settled()
    store.change({"GET /items": EndpointMode(mode="legacy")}, author="ada", reason="off", at=datetime.now(UTC))
    await app.settled()
    assert mode_of(app, "GET /items") == EndpointMode(mode="legacy")
    assert store.log()[0].author == "ada"


async def test_an_accepted_difference_takes_nothing_back() -> None:
    rule = AcceptedDifference(
        name="newer", endpoint="GET /items", path="body.a", reason="counts differ on purpose", expires=date(2999, 1, 1)
    )
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY}, accepted=[rule])
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"accepted newer": 1}
    assert mode_of(app, "GET /items") == VERIFY
