# ruff: noqa: ARG001, ARG002
"""What no real server does: a send() that raises, a task that is cancelled at any point, a loop that is gone."""

import asyncio
import gc
import io
import logging
import multiprocessing
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO, cast

import pytest
from flask import Flask
from flask.logging import wsgi_errors_stream
from starlette.types import Message, Scope

from fastapi_app.bridge import Bridge
from fastapi_app.bridge.environ import ErrorLog, environ_of
from fastapi_app.bridge.exchange import Exchange, Limits, ResponseCutError
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


async def test_a_path_forges_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fails(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("on purpose")

    bridge = Bridge(fails, threads=1)
    client = Client()
    asked = {**scope(path="/a\nERROR forged"), "raw_path": b"/a%0AERROR%20forged", "query_string": b"secret=1"}
    await bridge(asked, client.receive, client.send)
    assert "GET /a%0AERROR%20forged failed" in caplog.messages
    await bridge.aclose()


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


async def test_a_scope_of_another_type_is_an_error() -> None:
    client = Client()
    with pytest.raises(ValueError, match="'datagram'"):
        await Bridge(small)({"type": "datagram"}, client.receive, client.send)


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
