"""What becomes of a mismatch whose redaction takes long, and of comparisons that would hold up the event loop."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.types import Scope

from fastapi_app.cutover.comparing.observation import Mismatch, Observation
from fastapi_app.cutover.comparing.verdict import Verdict, compare
from fastapi_app.cutover.evidence.redaction import redacted
from shared.modes import EndpointMode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, mode_of, wsgi

SHADOW, VERIFY = EndpointMode(mode="shadow"), EndpointMode(mode="verify")


@pytest.fixture
def redaction(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every redaction takes until this is set."""
    through = threading.Event()

    def slowly(found: Mismatch, **options: Any) -> Mismatch:
        through.wait(10)
        return redacted(found, **options)

    monkeypatch.setattr("fastapi_app.cutover.candidates.judging.redacted", slowly)
    yield through
    through.set()


async def _until_shadow(app: Any) -> None:
    while mode_of(app, "GET /items") != SHADOW:  # noqa: ASYNC110 - it is a table that is swapped
        await asyncio.sleep(0.01)


async def test_the_guard_does_not_wait_for_a_long_redaction(redaction: threading.Event) -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY})
    async with app.running():
        await ask(app, "GET", "/items")
        await asyncio.wait_for(_until_shadow(app), 0.9)
        redaction.set()
        assert await counts_of(app) == {"mismatch": 1}
    full, bare = app.store.mismatches()
    assert app.store.log()[0].reason == f"mismatch {bare.id}: body.a"
    assert (full.differences[0].primary, full.differences[0].candidate) == (2, 1)


async def test_what_is_being_redacted_when_the_process_stops_is_kept_without_its_content(
    redaction: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi_app.cutover.candidates.comparisons.CLOSING_SECONDS", 0.05)
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": SHADOW})
    async with app.running():
        await ask(app, "GET", "/items")
        await asyncio.sleep(0)
    redaction.set()
    assert await counts_of(app) == {"mismatch": 1}
    (mismatch,) = app.store.mismatches()
    assert mismatch.differences[0].path == "body.a"
    assert mismatch.primary.answer.body == b""


async def test_an_endpoint_is_moved_while_mismatches_are_being_redacted(redaction: threading.Event) -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": SHADOW})
    async with app.running():
        for _ in range(4):
            await ask(app, "GET", "/items")
        await asyncio.sleep(0.05)
        await asyncio.wait_for(app.change({"GET /items": VERIFY}, author="ada", reason="a test"), 1)
        redaction.set()


async def test_what_the_guard_needs_no_more_is_kept_at_the_pace_of_shadow() -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": VERIFY})
    await asyncio.gather(*(ask(app, "GET", "/items") for _ in range(80)))
    assert await counts_of(app) == {"mismatch": 80}
    running, at_once, more = CutoverSettings().concurrency, 20, 5
    assert len(app.store.mismatches(limit=100)) <= running + at_once + more


async def test_bodies_that_take_long_to_compare_do_not_hold_up_the_loop() -> None:
    ours, theirs = (
        json.dumps([[index * step % 3 for index in range(100)] for _ in range(90)]).encode() for step in (1, 2)
    )
    app = cutover_of(asgi(theirs), wsgi(ours), {"GET /items": SHADOW})
    await ask(app, "GET", "/items")
    loop, longest = asyncio.get_running_loop(), 0.0
    while app.health()["comparisons"]["running"]:
        begun = loop.time()
        await asyncio.sleep(0)
        longest = max(longest, loop.time() - begun)
    assert longest < 0.2
    assert await counts_of(app) == {"mismatch": 1}


class Many:
    """Effects of many calls, of which the candidate leaves one out."""

    def __init__(self, *, unrecorded_read: str | None) -> None:
        self._calls = [f"call {index}" for index in range(1_000)]
        self._unrecorded_read = unrecorded_read

    async def record(self, _scope: Scope) -> Any:
        return self

    def from_json(self, _recording: Mapping[str, Any]) -> Any:
        raise AssertionError

    def replay(self, _scope: Scope) -> Any:
        return Many._Replay(self)

    def effects(self) -> Mapping[str, Any]:
        return {"calls": self._calls}

    def to_json(self) -> Mapping[str, Any]:
        return {}

    class _Replay:
        def __init__(self, recorded: "Many") -> None:
            self._recorded = recorded

        def effects(self) -> Mapping[str, Any]:
            return {"calls": self._recorded._calls[1:]}

        def unrecorded_read(self) -> str | None:
            return self._recorded._unrecorded_read

        def until_unrecorded(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
            return self._recorded.effects(), self.effects()


@pytest.mark.parametrize("unrecorded_read", [None, "what time it was"])
async def test_effects_that_take_long_to_compare_do_not_hold_up_the_loop(
    unrecorded_read: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared_in: list[threading.Thread] = []

    def noted(*observations: Observation, **options: Any) -> Verdict:
        compared_in.append(threading.current_thread())
        return compare(*observations, **options)

    monkeypatch.setattr("fastapi_app.cutover.candidates.judging.compare", noted)
    app = cutover_of(asgi(), wsgi(), {"GET /items": SHADOW}, effects=Many(unrecorded_read=unrecorded_read))
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"mismatch": 1}
    assert app.store.mismatches()[0].differences[0].path == "effects.calls[0]"
    assert compared_in
    assert threading.current_thread() not in compared_in
