# ruff: noqa: ARG001, ARG002
"""What no real server does: a send() that raises, a task that is cancelled at any point, a loop that is gone."""

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from fastapi_app.bridge import Bridge
from tests.e2e.servers import DEADLINE_SECONDS

POOL = 3
PLAIN = [("Content-Type", "text/plain")]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def scope(method: str = "GET", path: str = "/") -> Scope:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }


class Client:
    """The other end: what it was sent, and a disconnect at will."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self._fails_at = fails_at
        self._asked = False

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) == self._fails_at:
            raise OSError("the connection is gone")
        self.sent.append(message)

    async def until_sent(self) -> None:
        await until(lambda: self.sent)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Endless:
    """An app whose chunks never end; notes how many generators were closed."""

    def __init__(self) -> None:
        self.closed = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        try:
            while True:
                yield b"x" * 1000
        finally:
            self.closed += 1

    async def until_closed(self, count: int) -> None:
        await until(lambda: self.closed == count)


def small(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    return [environ["PATH_INFO"][:5].ljust(5).encode()]


@pytest.fixture
def endless() -> Endless:
    return Endless()


@pytest.mark.parametrize("fails_at", [0, 1, 2, 5])
async def test_row_13_send_that_raises_frees_the_thread(endless: Endless, fails_at: int) -> None:
    bridge = Bridge(endless, threads=POOL)
    for number in range(2 * POOL):
        client = Client(fails_at=fails_at)
        with pytest.raises(OSError, match="the connection is gone"):
            await bridge(scope(), client.receive, client.send)
        await endless.until_closed(number + 1)
    await until(lambda: bridge.figures().threads_busy == 0)
    await bridge.aclose()


async def test_row_16_a_cancelled_task_frees_the_thread(endless: Endless) -> None:
    bridge = Bridge(endless, threads=POOL)
    for number in range(2 * POOL):
        client = Client()
        task = asyncio.create_task(bridge(scope(), client.receive, client.send))
        await client.until_sent()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await endless.until_closed(number + 1)
    await until(lambda: bridge.figures().threads_busy == 0)
    await bridge.aclose()


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


async def test_what_came_before_a_failure_is_sent() -> None:
    def fails(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"one "
        yield b"two"
        raise RuntimeError("on purpose")

    bridge = Bridge(fails, threads=1)
    client = Client()
    with pytest.raises(Exception, match="failed in the middle"):
        await bridge(scope(), client.receive, client.send)
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


async def test_a_client_that_left_in_the_queue_is_not_served() -> None:
    gate = threading.Event()
    served: list[str] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        served.append(environ["PATH_INFO"])
        gate.wait(DEADLINE_SECONDS)
        start_response("200 OK", PLAIN)
        return [b"x"]

    bridge = Bridge(app, threads=1, watch_after_seconds=0, abandon_after_seconds=0)
    first, second = Client(), Client()
    stays = asyncio.create_task(bridge(scope(path="/first"), first.receive, first.send))
    await until(lambda: served)
    leaves = asyncio.create_task(bridge(scope(path="/second"), second.receive, second.send))
    await until(lambda: bridge.figures().queue_length == 1)
    second.left.set()
    await leaves
    await asyncio.sleep(0.01)
    gate.set()
    await stays
    await bridge.aclose()
    assert served == ["/first"]
    assert second.sent == []
    assert bridge.figures().abandoned == 0


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
    late = Client()
    await bridge(scope(), late.receive, late.send)
    assert late.sent[0]["status"] == 503
    gate.set()
    await until(lambda: bridge.figures().threads_busy == 0)


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


async def test_a_websocket_is_refused() -> None:
    client = Client()
    await Bridge(small)({"type": "websocket"}, client.receive, client.send)
    assert client.sent == [{"type": "websocket.close", "code": 1000}]


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


def test_a_loop_that_is_gone_leaves_the_thread_free(endless: Endless) -> None:
    bridge = Bridge(endless, threads=1, drain_timeout_seconds=0)

    async def begin(receive: Receive, send: Send) -> None:
        task = asyncio.create_task(bridge(scope(), receive, send))
        await asyncio.sleep(0.05)
        assert not task.done()

    async def run() -> None:
        client = Client()
        await begin(client.receive, client.send)

    asyncio.run(run())
    for _ in range(1000):
        if bridge.figures().threads_busy == 0:
            break
        threading.Event().wait(0.01)
    assert endless.closed == 1
