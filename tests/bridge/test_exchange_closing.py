"""What a bridge that closes waits for, drops and abandons, and what runs on behind its answer."""

import asyncio
import logging
import threading
from collections.abc import Iterable, Iterator

import pytest
from starlette.types import Message

from fastapi_app.bridge import Bridge
from tests.bridge.clients import PLAIN, POOL, Client, Environ, StartResponse, scope, small, until
from tests.e2e.servers import DEADLINE_SECONDS


async def test_row_18_closing_says_what_it_abandons_and_takes_no_more(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    def never(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        gate.wait(DEADLINE_SECONDS)
        return small(environ, start_response)

    bridge = Bridge(never, threads=POOL, drain_timeout_seconds=0.05)
    client = Client()
    task = asyncio.create_task(bridge(scope(path="/never"), client.receive, client.send))
    await until(lambda: bridge.figures().threads_busy == 1)
    with caplog.at_level(logging.WARNING):
        await bridge.aclose()
    await task
    assert "GET /never is abandoned: the drain time is over" in caplog.text
    assert bridge.figures().abandoned == 1
    assert client.sent[0]["status"] == 503
    late = Client()
    await bridge(scope(), late.receive, late.send)
    assert late.sent[0]["status"] == 503
    gate.set()
    await until(lambda: bridge.figures().threads_busy == 0)


async def test_those_in_the_queue_are_answered_when_the_bridge_closes(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    def never(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        gate.wait(DEADLINE_SECONDS)
        return small(environ, start_response)

    bridge = Bridge(never, threads=1, drain_timeout_seconds=0.05)
    client, waiting, cancelled = Client(), Client(), Client()
    task = asyncio.create_task(bridge(scope(), client.receive, client.send))
    await until(lambda: bridge.figures().threads_busy == 1)
    in_queue = asyncio.create_task(bridge(scope(path="/waits"), waiting.receive, waiting.send))
    to_cancel = asyncio.create_task(bridge(scope(path="/cancelled"), cancelled.receive, cancelled.send))
    await until(lambda: bridge.figures().queue_length == 2)
    to_cancel.cancel()
    with pytest.raises(asyncio.CancelledError):
        await to_cancel
    assert bridge.figures().queue_length == 1
    await bridge.aclose()
    await asyncio.gather(task, in_queue)
    assert waiting.sent[0]["status"] == 503
    assert (b"retry-after", b"1") in waiting.sent[0]["headers"]
    assert "GET /waits is dropped: no thread was free" in caplog.text
    assert "GET /cancelled is dropped: no thread was free" in caplog.text
    gate.set()
    await until(lambda: bridge.figures().threads_busy == 0)
    assert bridge.figures().requests == 1


async def test_closing_waits_for_what_ends_in_time() -> None:
    gate = threading.Event()

    def slow(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        gate.wait(DEADLINE_SECONDS)
        return small(environ, start_response)

    bridge = Bridge(slow, threads=POOL)
    client = Client()
    task = asyncio.create_task(bridge(scope(path="/slow"), client.receive, client.send))
    await until(lambda: bridge.figures().threads_busy == 1)
    closing = asyncio.create_task(bridge.aclose())
    await asyncio.sleep(0)
    gate.set()
    await closing
    await task
    assert client.body == b"/slow"
    assert bridge.figures().abandoned == 0


async def test_what_runs_on_behind_its_answer_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    class Stuck:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"done"])

        def close(self) -> None:
            gate.wait(DEADLINE_SECONDS)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [*PLAIN, ("Content-Length", "4")])
        return [b"done"] if environ["PATH_INFO"] == "/fine" else Stuck()

    bridge = Bridge(app, threads=2, abandon_after_seconds=0.05, drain_timeout_seconds=0)
    for path in ("/stuck", "/fine"):
        client = Client()
        await bridge(scope(path=path), client.receive, client.send)
        assert client.body == b"done"
    await until(lambda: bridge.figures().abandoned == 1)
    assert "GET /stuck is abandoned: its answer is out, and it runs on" in caplog.text
    gate.set()
    await until(lambda: bridge.figures().threads_busy == 0)
    await bridge.aclose()
    assert bridge.figures().abandoned == 1


async def test_the_lifespan_closes_the_bridge() -> None:
    bridge = Bridge(small)
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(messages)

    client = Client()
    await bridge({"type": "lifespan"}, receive, client.send)
    assert [message["type"] for message in client.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    late = Client()
    await bridge(scope(), late.receive, late.send)
    assert late.sent[0]["status"] == 503
