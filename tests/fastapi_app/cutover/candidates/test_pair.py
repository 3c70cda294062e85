import threading
from typing import Any

import pytest
from flask import Flask, request
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Scope

from fastapi_app.cutover.candidates.pair import scope_of_candidate
from shared.modes import Mode
from tests.fastapi_app.cutover.pairs import ask, counts_of, cutover_of


def scope(**more: Any) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "headers": [(b"host", b"bot.example")],
        "state": {"ports": object()},
        **more,
    }


def test_what_the_primary_writes_into_the_scope_s_containers_is_its_own() -> None:
    given = scope(session={"cart": [1]}, seen=[{"a": 1}], flags={"a"}, extensions={"tls": {}})
    candidate = scope_of_candidate(given)
    expected = {"session": {"cart": [1]}, "seen": [{"a": 1}], "flags": {"a"}}
    given["session"]["cart"].append(2)
    given["seen"][0]["a"] = 2
    given["flags"].add("b")
    given["state"]["user"] = given["extensions"]["own"] = 1
    given["headers"].clear()
    assert {key: candidate[key] for key in expected} == expected
    assert list(candidate["state"]) == ["ports"]
    assert candidate["extensions"] == {"tls": {}}
    assert candidate["headers"] == [(b"host", b"bot.example")]


def test_what_is_no_plain_container_or_can_not_be_copied_is_the_same_one() -> None:
    lock, app = {"lock": threading.Lock()}, object()
    given = scope(lock=lock, app=app)
    candidate = scope_of_candidate(given)
    assert candidate["lock"] is lock
    assert candidate["app"] is app
    # What hangs on the state may be large, or a connection.
    assert candidate["state"]["ports"] is given["state"]["ports"]


@pytest.mark.parametrize("mode", ["shadow", "verify"])
async def test_the_session_of_a_middleware_outside_is_each_side_s_own(mode: Mode) -> None:
    legacy = Flask("legacy")

    @legacy.get("/visits")
    def visits() -> dict[str, int]:
        session = request.environ["asgi.scope"]["session"]
        session["visits"] = session.get("visits", 0) + 1
        return {"visits": session["visits"]}

    async def count(asked: Request) -> JSONResponse:
        asked.session["visits"] = asked.session.get("visits", 0) + 1
        return JSONResponse({"visits": asked.session["visits"]})

    cutover = cutover_of(Starlette(routes=[Route("/visits", count)]), legacy, {"GET /visits": mode})
    await ask(SessionMiddleware(cutover, secret_key="s3cret"), "GET", "/visits")
    assert await counts_of(cutover) == {"match": 1}
