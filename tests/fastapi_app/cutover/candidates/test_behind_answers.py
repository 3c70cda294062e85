"""What legacy does behind its answer, in `close()`, belongs to the request, whichever side is the primary."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from shared.modes import EndpointMode
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, mode_of


class Notes:
    """Effects of an app that leaves notes, in a list that travels in its scope. A replay that is begun before all of
    them are recorded knows no answer to the others."""

    def __init__(self, recorded: int | None = None) -> None:
        self.left: list[str] = []
        self.recorded = recorded

    async def record(self, scope: Scope) -> "Notes":
        notes = Notes()
        scope["state"]["notes"] = notes.left
        return notes

    def from_json(self, _recording: Mapping[str, Any]) -> "Notes":
        raise AssertionError

    def effects(self) -> Mapping[str, Any]:
        return {"calls": list(self.left)}

    def replay(self, scope: Scope) -> "Notes":
        notes = Notes(recorded=len(self.left))
        scope["state"]["notes"] = notes.left
        return notes

    def unrecorded_read(self) -> str | None:
        return None if self.recorded is None or len(self.left) <= self.recorded else "a note"

    def until_unrecorded(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return {}, {}

    def to_json(self) -> Mapping[str, Any]:
        return {}


def legacy_that_closes_for(seconds: float) -> Any:
    class Closing:
        def __init__(self, notes: list[str]) -> None:
            self._notes = notes

        def __iter__(self) -> Iterator[bytes]:
            yield b"{}"

        def close(self) -> None:
            time.sleep(seconds)
            self._notes.append("thanks")

    def legacy(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return Closing(environ["asgi.scope"]["state"]["notes"])

    return legacy


async def native(scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"]["notes"].append("thanks")
    await asgi()(scope, receive, send)


MODES = [EndpointMode(mode="canary", percent=0), EndpointMode(mode="verify")]


@pytest.mark.parametrize("mode", MODES, ids=str)
async def test_it_is_waited_for_by_whichever_comes_second(mode: EndpointMode) -> None:
    app = cutover_of(native, legacy_that_closes_for(0.1), {"POST /items": mode}, effects=Notes())
    await ask(app, "POST", "/items")
    assert await counts_of(app) == {"match": 1}
    assert mode_of(app, "POST /items") == mode


@pytest.mark.parametrize(("mode", "reason"), [(MODES[0], "unfinished"), (MODES[1], "timed_out")], ids=str)
async def test_one_that_takes_longer_than_a_candidate_may_is_no_mismatch(mode: EndpointMode, reason: str) -> None:
    settings = CutoverSettings(timeout_seconds=0.1)
    app = cutover_of(native, legacy_that_closes_for(0.5), {"POST /items": mode}, effects=Notes(), settings=settings)
    await ask(app, "POST", "/items")
    assert await counts_of(app) == {f"skipped {reason}": 1}
    assert mode_of(app, "POST /items") == mode


async def test_a_candidate_that_goes_on_behind_its_answer_and_hears_no_cancellation_is_counted_once() -> None:
    ended = asyncio.Event()

    async def goes_on(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi()(scope, receive, send)
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            try:
                await asyncio.sleep(until - time.monotonic())
            except asyncio.CancelledError:
                continue
        ended.set()

    def legacy(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    app = cutover_of(goes_on, legacy, {"GET /items": "shadow"}, settings=CutoverSettings(timeout_seconds=0.1))
    async with app.running():
        await ask(app, "GET", "/items")
        await asyncio.wait_for(ended.wait(), timeout=10)
        await asyncio.sleep(0.01)
        assert await counts_of(app) == {"skipped timed_out": 1}
