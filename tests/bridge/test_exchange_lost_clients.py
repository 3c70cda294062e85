# ruff: noqa: ARG001, ARG002
"""What no real server does: a send() that raises or never ends, a task cancelled at any point, a loop that is gone."""

import asyncio
import io
import logging
import threading
from collections.abc import Iterable, Iterator

import pytest
from starlette.types import Message

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.environ import ErrorLog, environ_of
from fastapi_app.bridge.exchange import Exchange, Limits
from tests.bridge.clients import PLAIN, POOL, Client, Environ, StartResponse, scope, until
from tests.e2e.servers import DEADLINE_SECONDS


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
    # Its place is free at once, for the thread may not be for a long time.
    assert bridge.figures().queue_length == 0
    await asyncio.sleep(0.01)
    gate.set()
    await stays
    await bridge.aclose()
    assert served == ["/first"]
    assert second.sent == []
    assert (bridge.figures().requests, bridge.figures().abandoned) == (1, 0)


async def test_a_client_that_takes_nothing_frees_the_thread(endless: Endless, caplog: pytest.LogCaptureFixture) -> None:
    bridge = Bridge(endless, threads=1, send_timeout_seconds=0.05)
    client = Client()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()
        await client.send(message)

    async with asyncio.timeout(DEADLINE_SECONDS):
        await bridge(scope(path="/slow"), client.receive, send)
    await endless.until_closed(1)
    assert "GET /slow is cut: its client took nothing for 0.05 s" in caplog.text
    await until(lambda: bridge.figures().threads_busy == 0)
    await bridge.aclose()


async def test_a_timeout_of_the_server_is_not_ours(endless: Endless) -> None:
    bridge = Bridge(endless, threads=1)

    async def send(_: Message) -> None:
        raise TimeoutError("the server's own")

    with pytest.raises(TimeoutError, match="the server's own"):
        await bridge(scope(), Client().receive, send)
    await endless.until_closed(1)
    await bridge.aclose()


def test_a_loop_that_is_gone_leaves_the_thread_free(caplog: pytest.LogCaptureFixture) -> None:
    """As at the end of a process, when nothing is there to cancel the request."""
    made = 0

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        nonlocal made
        start_response("200 OK", PLAIN)
        while True:
            made += 1
            yield b"x" * 10

    async def begin() -> tuple[Exchange, Environ]:
        body, errors = io.BytesIO(), ErrorLog(logging.getLogger("wsgi.errors").error)
        environ = environ_of(scope(), body, errors, multiprocess=False)
        limits = Limits(buffer_bytes=100, header_bytes=100, response_bytes=None, send_seconds=1)
        return Exchange(app, environ, body, errors, limits=limits, done=lambda _: None), environ

    exchange, environ = asyncio.run(begin())
    # It returns, here and in a thread of the pool.
    exchange.run(environ)
    assert (made, exchange.left, exchange.finished) == (2, True, True)
    assert not caplog.records
