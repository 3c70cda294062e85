# ruff: noqa: ARG001
"""What becomes of a request: which are refused, what its app is given and logs, and that nothing of it outlives it."""

import asyncio
import gc
import io
import logging
import multiprocessing
import weakref
from collections.abc import Iterable
from typing import TextIO, cast

import pytest
from flask import Flask
from flask.logging import wsgi_errors_stream
from starlette.types import Message

from fastapi_app.bridge import Bridge
from tests.bridge.clients import Client, Environ, StartResponse, scope, small, until
from tests.e2e.servers import DEADLINE_SECONDS


async def test_nothing_of_a_request_outlives_it() -> None:
    """Without the garbage collector: what a request held is free when it ends."""
    held: list[weakref.ref[object]] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        held.append(weakref.ref(environ["wsgi.input"]))
        held.append(weakref.ref(environ["wsgi.errors"]))
        return small(environ, start_response)

    bridge = Bridge(app, threads=1)
    gc.collect()
    gc.disable()
    try:
        client = Client()
        await bridge(scope(), client.receive, client.send)
        await until(lambda: all(ref() is None for ref in held))
    finally:
        gc.enable()
    await bridge.aclose()


@pytest.mark.parametrize("errors", [None, io.StringIO()])
async def test_an_app_may_do_without_its_error_log(errors: io.StringIO | None) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.errors"].write("begun")
        if errors is None:
            del environ["wsgi.errors"]
        else:
            environ["wsgi.errors"] = errors
        return small(environ, start_response)

    bridge = Bridge(app, threads=1, drain_timeout_seconds=2 * DEADLINE_SECONDS)
    client = Client()
    await bridge(scope(), client.receive, client.send)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await bridge.aclose()
    assert bridge.figures().threads_busy == 0


async def test_flasks_documented_logging_does_not_recurse(capsys: pytest.CaptureFixture[str]) -> None:
    flask = Flask(__name__)

    @flask.get("/")
    def index() -> str:
        logging.getLogger("app").error("said once")
        return "fine"

    handler = logging.StreamHandler(cast("TextIO", wsgi_errors_stream))
    logging.getLogger().addHandler(handler)
    bridge = Bridge(flask, threads=1)
    client = Client()
    try:
        await bridge(scope(), client.receive, client.send)
    finally:
        logging.getLogger().removeHandler(handler)
    assert client.body == b"fine"
    assert capsys.readouterr().err == "said once\n"
    await bridge.aclose()


async def test_a_path_forges_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fails(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("on purpose")

    bridge = Bridge(fails, threads=1)
    client = Client()
    asked = {**scope(path="/a\nERROR forged"), "raw_path": b"/a%0AERROR%20forged", "query_string": b"secret=1"}
    await bridge(asked, client.receive, client.send)
    assert "GET /a%0AERROR%20forged failed" in caplog.messages
    await bridge.aclose()


@pytest.mark.parametrize("parent", [None, object()])
async def test_a_process_that_multiprocessing_started_is_one_of_several(
    parent: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    said: list[object] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        said.append(environ["wsgi.multiprocess"])
        return small(environ, start_response)

    for given in (None, True, False):
        bridge = Bridge(app, threads=1, multiprocess=given)
        client = Client()
        await bridge(scope(), client.receive, client.send)
        await bridge.aclose()
    assert said == [parent is not None, True, False]


async def test_a_body_past_the_files_that_may_be_is_answered_503() -> None:
    bridge = Bridge(small, threads=1, body_memory_bytes=10, max_body_files=0, retry_after_seconds=2.5)
    client = Client()
    for size, status in ((10, 200), (11, 503)):
        client = Client()
        body = b"0" * size

        async def receive(body: bytes = body) -> Message:
            return {"type": "http.request", "body": body}

        await bridge(scope("POST"), receive, client.send)
        assert client.sent[0]["status"] == status
    assert {(b"retry-after", b"3"), (b"connection", b"close")} <= set(client.sent[0]["headers"])
    await bridge.aclose()


@pytest.mark.parametrize(("announced", "read"), [(None, 5), (100, 0)])
async def test_who_was_told_to_go_on_is_read_to_the_end(announced: int | None, read: int) -> None:
    """To close on a client that still sends would cost it the answer; one that waits for 100 Continue sends nothing."""
    length = [] if announced is None else [(b"content-length", b"%d" % announced)]
    asked = {**scope("POST"), "headers": [(b"expect", b"100-continue"), *length]}
    bridge = Bridge(small, threads=1, max_body_bytes=10)
    received = 0

    async def receive() -> Message:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"0" * 8, "more_body": received < 5}

    client = Client()
    await bridge(asked, receive, client.send)
    assert client.sent[0]["status"] == 413
    assert received == read
    await bridge.aclose()


async def test_a_scope_of_another_type_is_an_error() -> None:
    client = Client()
    with pytest.raises(ValueError, match="'datagram'"):
        await Bridge(small)({"type": "datagram"}, client.receive, client.send)


async def test_a_websocket_is_refused() -> None:
    client = Client()
    await Bridge(small)({"type": "websocket"}, client.receive, client.send)
    assert client.sent == [{"type": "websocket.close", "code": 1000}]
