# ruff: noqa: ARG001
"""How an app's response reaches the client: no faster than it is taken, whole, cut, and not another's."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.exchange import ResponseCutError
from tests.bridge.clients import PLAIN, POOL, Client, Environ, StartResponse, scope, small, until


async def test_a_send_that_blocks_holds_the_generator_up() -> None:
    made = 0

    def counting(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        nonlocal made
        start_response("200 OK", PLAIN)
        for _ in range(1000):
            made += 1
            yield b"x" * 1000

    bridge = Bridge(counting, threads=1, buffer_bytes=10_000)
    client = Client()
    open_gate = asyncio.Event()

    async def send(message: Message) -> None:
        await open_gate.wait()
        await client.send(message)

    task = asyncio.create_task(bridge(scope(), client.receive, send))
    # One chunk is with the sender, ten fill the buffer, one is in hand.
    await until(lambda: made >= 10)
    await asyncio.sleep(0.05)
    assert made <= 21
    open_gate.set()
    await task
    assert len(client.body) == 1_000_000
    await bridge.aclose()


async def test_a_small_whole_response_crosses_to_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge(small, threads=1)
    loop = asyncio.get_running_loop()
    crossings = 0
    cross = loop.call_soon_threadsafe

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal crossings
        crossings += 1
        return cross(*args, **kwargs)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    client = Client()
    await bridge(scope(path="/once"), client.receive, client.send)
    assert [message["type"] for message in client.sent] == ["http.response.start", "http.response.body"]
    assert client.body == b"/once"
    assert crossings == 1
    await bridge.aclose()


async def test_answers_of_concurrent_requests_are_not_mixed_up() -> None:
    bridge = Bridge(small, threads=POOL)
    clients = [Client() for _ in range(500)]
    async with asyncio.TaskGroup() as group:
        for number, client in enumerate(clients):
            group.create_task(bridge(scope(path=f"/{number:04}"), client.receive, client.send))
    assert [client.body for client in clients] == [b"/%04d" % number for number in range(500)]
    await bridge.aclose()
    figures = bridge.figures()
    assert (figures.requests, figures.refused, figures.abandoned) == (500, 0, 0)


async def test_what_came_before_a_failure_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    def fails(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"one "
        yield b"two"
        raise RuntimeError("on purpose")

    bridge = Bridge(fails, threads=1)
    client = Client()
    with pytest.raises(ResponseCutError, match="failed in the middle") as caught:
        await bridge(scope(), client.receive, client.send)
    # The server logs it, so a traceback of ours would be the second.
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert [(record.getMessage(), record.exc_info) for record in caplog.records] == [
        ("GET / failed in the middle of its response: RuntimeError('on purpose')", None)
    ]
    assert client.body == b"one two"
    assert all(message["more_body"] for message in client.sent[1:])
    await bridge.aclose()


async def test_more_than_content_length_stops_the_generator() -> None:
    """PEP 3333: a server may stop iterating then; an endless generator would else hold its thread for good."""
    closed = threading.Event()

    def longer(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [*PLAIN, ("Content-Length", "3")])
        try:
            while True:
                yield b"ab"
        finally:
            closed.set()

    bridge = Bridge(longer, threads=1)
    client = Client()
    await bridge(scope(), client.receive, client.send)
    assert client.body == b"aba"
    await until(closed.is_set)
    await bridge.aclose()


async def test_what_follows_the_last_chunk_still_runs() -> None:
    after = threading.Event()

    def generator(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [*PLAIN, ("Content-Length", "2")])
        yield b"ab"
        after.set()

    bridge = Bridge(generator, threads=1)
    client = Client()
    await bridge(scope(), client.receive, client.send)
    await until(after.is_set)
    await bridge.aclose()
