"""A WSGI app as an ASGI app."""

import asyncio
import contextvars
import logging
import math
import multiprocessing
import threading
import time
from dataclasses import dataclass
from functools import partial

from starlette.types import Receive, Scope, Send

from fastapi_app.bridge.body import (
    FRAMING,
    WHOLE_BODY,
    AnnouncedTooLargeError,
    BadBodyError,
    BodyFilesFullError,
    ClientLeftError,
    Framing,
    discard_body,
    read_body,
)
from fastapi_app.bridge.environ import ErrorLog, environ_of
from fastapi_app.bridge.exchange import Exchange, Limits, WSGIApp
from fastapi_app.bridge.pool import Job, PoolFullError, WorkerPool
from fastapi_app.bridge.trace import trace_of
from shared.errors import BodyTooLarge

logger = logging.getLogger(__name__)
app_errors = logging.getLogger("wsgi.errors")

BUSY = "The server is busy."
DRAIN_POLL_SECONDS = 0.02
# What a thread may take between the end of its answer and its own, whatever the settings say.
MOMENT_SECONDS = 0.1
# How long a thread gets to close its generator once it is told to stop.
CLOSING_SECONDS = 0.5
# What a client that was refused may still send, and for how long, so that it gets to read the answer.
DISCARD_BYTES = 64 * 2**20
DISCARD_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BridgeFigures:
    """What the bridge counts; the first two are of this moment, the others since the start.

    `requests` reached a thread, `refused` found the pool full, `abandoned` ran on for a while after their client left,
    after their answer was out or after the end of the drain time.
    """

    threads_busy: int
    queue_length: int
    requests: int
    refused: int
    abandoned: int
    queue_seconds_total: float
    queue_seconds_max: float


class Bridge:
    """Serves a WSGI app under an ASGI server, on a2wsgi's environ and with threads of its own.

    A request is read whole before it takes a thread: to memory, past `body_memory_bytes` to a temporary file, of which
    there are `max_body_files`. A response streams, with at most about `buffer_bytes` under way. When all threads are
    busy, up to `max_queued` requests wait. What finds no place is answered 503.

    A client that leaves, or takes nothing for `send_timeout_seconds`, frees its thread at the app's next chunk or read;
    a request that reaches neither within `abandon_after_seconds`, or doesn't end when its answer is out, is logged and
    counted. `aclose` waits `drain_timeout_seconds` for what runs, and logs what it abandons. The lifespan calls it
    where the bridge is the whole app; who mounts the bridge in another calls it in that one's. An ASGI server gets
    there once its own patience with open connections is at an end, so that one must be bounded, too (uvicorn:
    timeout_graceful_shutdown).

    `multiprocess` is what the app reads as `wsgi.multiprocess`: by default whether multiprocessing started this
    process, as uvicorn does with its workers.

    Rows in the comments of this package are those of `tests/bridge/cases.py`, where each is a case with a name.
    """

    def __init__(
        self,
        app: WSGIApp,
        *,
        threads: int = 10,
        max_queued: int = 1_000,
        retry_after_seconds: float = 1.0,
        max_body_bytes: int = 100 * 2**20,
        body_memory_bytes: int = 64 * 2**10,
        max_header_bytes: int = 64 * 2**10,
        max_response_bytes: int | None = None,
        buffer_bytes: int = 64 * 2**10,
        max_body_files: int = 1_000,
        send_timeout_seconds: float = 60.0,
        watch_after_seconds: float = 0.5,
        abandon_after_seconds: float = 5.0,
        drain_timeout_seconds: float = 10.0,
        multiprocess: bool | None = None,
    ) -> None:
        self._threads = threads
        self._max_queued = max_queued
        self.open()
        self._retry_after = (b"retry-after", b"%d" % math.ceil(retry_after_seconds))
        self._max_body_bytes = max_body_bytes
        self._body_memory_bytes = body_memory_bytes
        self._max_header_bytes = max_header_bytes
        self._watch_after_seconds = watch_after_seconds
        self._abandon_after_seconds = abandon_after_seconds
        self._drain_timeout_seconds = drain_timeout_seconds
        self._multiprocess = multiprocessing.parent_process() is not None if multiprocess is None else multiprocess
        self._body_files = threading.Semaphore(max_body_files)
        self._app = app
        self._limits = Limits(buffer_bytes, max_header_bytes, max_response_bytes, send_timeout_seconds)
        self._unfinished: set[Exchange] = set()
        self._lingering: set[Exchange] = set()
        self._sweeping_on: asyncio.AbstractEventLoop | None = None
        self._abandoned = 0

    def open(self) -> None:
        """Takes requests, as a new bridge does, also again after `aclose`."""
        self._pool = WorkerPool(threads=self._threads, max_queued=self._max_queued)

    def figures(self) -> BridgeFigures:
        pool = self._pool.figures()
        return BridgeFigures(
            threads_busy=pool.busy,
            queue_length=pool.queued,
            requests=pool.started,
            refused=pool.refused,
            abandoned=self._abandoned,
            queue_seconds_total=pool.queue_seconds_total,
            queue_seconds_max=pool.queue_seconds_max,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            raise ValueError(f"a scope of type {scope['type']!r} is none that the bridge serves")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        header_bytes = 0
        framing = {}
        for name, value in scope["headers"]:
            header_bytes += len(name) + len(value)
            if name in FRAMING:
                framing[name] = value
        if header_bytes > self._max_header_bytes:
            await _refuse(receive, send, 431, f"The request's headers are larger than {self._max_header_bytes} bytes.")
            return
        if framing and WHOLE_BODY in scope.get("extensions", {}):
            framing.pop(b"upgrade", None)
        try:
            body = await read_body(
                receive,
                framing,
                memory_bytes=self._body_memory_bytes,
                max_bytes=self._max_body_bytes,
                files=self._body_files,
            )
        except ClientLeftError:
            return
        except (BadBodyError, BodyFilesFullError, BodyTooLarge) as exc:
            if isinstance(exc, BodyFilesFullError) and (trace := trace_of(scope)) is not None:
                trace.refused = True
            await self._refuse_body(exc, framing, receive, send)
            return
        errors = ErrorLog(app_errors.error)
        environ = environ_of(scope, body, errors, multiprocess=self._multiprocess)
        exchange = Exchange(self._app, environ, body, errors, limits=self._limits, done=self._unfinished.discard)
        # Before the thread has it: the other way round it might end first, and stay in there for good.
        self._unfinished.add(exchange)
        trace = trace_of(scope)
        if trace is not None:
            trace.exchange = exchange
        try:
            # Context variables that were set on this side are visible to the app (row 19).
            job = self._pool.submit(partial(contextvars.copy_context().run, exchange.run, environ))
        except PoolFullError:
            exchange.drop()
            if trace is not None:
                trace.refused = True
            await _answer(send, 503, BUSY, self._retry_after)
            return
        try:
            await exchange.deliver(receive, send, watch_after_seconds=self._watch_after_seconds)
        except asyncio.CancelledError:
            exchange.dropped = True
            raise
        finally:
            exchange.delivered = True
            if not exchange.finished:
                self._follow(exchange, job)
        if exchange.dropped and not exchange.answered:
            if trace is not None:
                trace.refused = True
            await _answer(send, 503, "The server is shutting down.", self._retry_after)

    async def _refuse_body(self, exc: Exception, framing: Framing, receive: Receive, send: Send) -> None:
        if isinstance(exc, BadBodyError):
            await _refuse(None, send, 400, str(exc))
        elif isinstance(exc, BodyTooLarge):
            # Who waits for 100 Continue gets the answer instead, and sends nothing (row 11). Once anything was read the
            # server has said 100, and the client sends.
            waits = isinstance(exc, AnnouncedTooLargeError) and b"expect" in framing
            sentence = f"The request's body is larger than {exc.limit_bytes} bytes."
            await _refuse(None if waits else receive, send, 413, sentence)
        else:
            await _refuse(receive, send, 503, BUSY, self._retry_after)

    def _follow(self, exchange: Exchange, job: Job) -> None:
        """Sees to what goes on behind the answer, or behind the back of the client."""
        loop = asyncio.get_running_loop()
        if not exchange.left:
            # As a rule the thread is a moment from its end: that is worth no timer for each.
            if self._sweeping_on is not loop:
                self._sweeping_on = loop
                loop.call_later(max(self._abandon_after_seconds, MOMENT_SECONDS), self._sweep, loop)
        elif self._pool.withdraw(job):
            exchange.drop()
            if exchange.dropped:
                logger.warning("%s is dropped: no thread was free before the end", exchange.name)
        else:
            loop.call_later(self._abandon_after_seconds, self._abandon, exchange, "its client left")

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Abandons what was lingering the last time, too, and comes again while there is any."""
        lingering = {each for each in list(self._unfinished) if each.delivered and not each.left}
        for exchange in lingering & self._lingering:
            self._abandon(exchange, "its answer is out")
        self._lingering = {each for each in lingering if not each.abandoned}
        self._sweeping_on = loop if self._lingering else None
        if self._lingering:
            loop.call_later(max(self._abandon_after_seconds, MOMENT_SECONDS), self._sweep, loop)

    def _abandon(self, exchange: Exchange, why: str) -> None:
        # One that still waits for a thread will not begin.
        if exchange.started and not exchange.finished and not exchange.abandoned:
            exchange.abandoned = True
            self._abandoned += 1
            seconds = time.monotonic() - exchange.began
            logger.warning("%s is abandoned: %s, and it runs on after %.1f s", exchange.name, why, seconds)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def aclose(self) -> None:
        """Takes no more requests, and lets those that run end; what doesn't end in time is abandoned and logged."""
        self._pool.close()
        await self._wait_until_finished(self._drain_timeout_seconds)
        late = list(self._unfinished)
        for exchange in late:
            exchange.dropped = True
            exchange.leave()
        await self._wait_until_finished(CLOSING_SECONDS)
        for exchange in late:
            self._abandon(exchange, "the drain time is over")

    async def _wait_until_finished(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while self._unfinished and time.monotonic() < deadline:  # noqa: ASYNC110
            # The exchanges end in threads, which know no asyncio.Event.
            await asyncio.sleep(DRAIN_POLL_SECONDS)


async def _answer(send: Send, status: int, sentence: str, *headers: tuple[bytes, bytes], more: bool = False) -> None:
    body = sentence.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _refuse(
    receive: Receive | None, send: Send, status: int, sentence: str, *headers: tuple[bytes, bytes]
) -> None:
    """Answers a request whose body wasn't read whole, and closes once the client has had its say."""
    await _answer(send, status, sentence, (b"connection", b"close"), *headers, more=True)
    if receive is not None:
        await discard_body(receive, max_bytes=DISCARD_BYTES, timeout_seconds=DISCARD_SECONDS)
    await send({"type": "http.response.body", "body": b""})
