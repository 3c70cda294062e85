"""What the sides' effects are compared by: those behind an answer too, and none that a recording lacks."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from starlette.types import Scope

from tests.fastapi_app.cutover.pairs import SHADOW, NoEffects, asgi, ask, counts_of, cutover_of, mode_of, wsgi


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


async def test_a_request_that_is_given_up_while_it_begins_to_be_recorded_is_counted() -> None:
    class Waiting(Broken):
        async def record(self, _scope: Scope) -> Any:
            await asyncio.get_running_loop().create_future()

    app = cutover_of(asgi(), wsgi(), SHADOW, effects=Waiting())
    request = asyncio.create_task(ask(app, "GET", "/items"))
    await asyncio.sleep(0.01)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert await counts_of(app) == {"skipped shutdown": 1}


async def test_a_recording_that_can_not_be_written_does_not_switch_the_guard_off() -> None:
    class Unwritable(NoEffects):
        def to_json(self) -> Mapping[str, Any]:
            raise ValueError("no JSON")

    app = cutover_of(asgi(b'{"a": 1}'), wsgi(), {"GET /items": "verify"}, effects=Unwritable())
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {"mismatch": 1}
    assert mode_of(app, "GET /items").mode == "shadow"
    (kept,) = app.store.mismatches()
    assert (kept.recording, [difference.path for difference in kept.differences]) == (None, ["body.a"])
