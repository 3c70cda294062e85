"""A WSGI app as an ASGI app."""

import asyncio
import contextvars
import logging
import math
import time
from dataclasses import dataclass
from functools import partial

from starlette.types import Receive, Scope, Send

from fastapi_app.bridge.body import ClientLeftError, discard_body, read_body
from fastapi_app.bridge.environ import ErrorLog, environ_of
from fastapi_app.bridge.exchange import Exchange, WSGIApp
from fastapi_app.bridge.pool import PoolFullError, WorkerPool
from shared.errors import BodyTooLarge

logger = logging.getLogger(__name__)
app_errors = logging.getLogger("wsgi.errors")

DRAIN_POLL_SECONDS = 0.02
# How long a thread gets to close its generator once it is told to stop.
CLOSING_SECONDS = 0.5
# What a client that was refused may still send, and for how long, so that it gets to read the answer.
DISCARD_BYTES = 64 * 2**20
DISCARD_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BridgeFigures:
    """What the bridge counts; the first two are of this moment, the others since the start.

    `requests` reached a thread, `refused` found the pool full, `abandoned` ran on for a while after their client left
    or after the end of the drain time.
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

    A request is read whole before it takes a thread: to memory, past `body_memory_bytes` to a temporary file. A
    response streams, with at most about `buffer_bytes` under way. When all threads are busy, up to `max_queued`
    requests wait; the next is answered 503.

    A client that leaves frees its thread at the app's next chunk or read; a request that reaches neither within
    `abandon_after_seconds` is logged and counted. `aclose`, which the lifespan calls where the bridge is the whole
    app, waits `drain_timeout_seconds` for what runs, and logs what it abandons. An ASGI server calls it once its own
    patience with open connections is at an end, so that one must be bounded, too (uvicorn: timeout_graceful_shutdown).
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
        watch_after_seconds: float = 0.5,
        abandon_after_seconds: float = 5.0,
        drain_timeout_seconds: float = 10.0,
        multiprocess: bool = False,
    ) -> None:
        self._pool = WorkerPool(threads=threads, max_queued=max_queued)
        self._retry_after_seconds = retry_after_seconds
        self._max_body_bytes = max_body_bytes
        self._body_memory_bytes = body_memory_bytes
        self._max_header_bytes = max_header_bytes
        self._watch_after_seconds = watch_after_seconds
        self._abandon_after_seconds = abandon_after_seconds
        self._drain_timeout_seconds = drain_timeout_seconds
        self._multiprocess = multiprocess
        self._exchange = partial(
            Exchange,
            app,
            buffer_bytes=buffer_bytes,
            max_header_bytes=max_header_bytes,
            max_response_bytes=max_response_bytes,
        )
        self._unfinished: set[Exchange] = set()
        self._abandoned = 0

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
        else:
            await self._live(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        header_bytes = announced = 0
        for name, value in scope["headers"]:
            header_bytes += len(name) + len(value)
            if name == b"content-length":
                announced = int(value)
        if header_bytes > self._max_header_bytes:
            await _refuse(receive, send, 431, f"The request's headers are larger than {self._max_header_bytes} bytes.")
            return
        try:
            body = await read_body(
                receive,
                announced_bytes=announced,
                memory_bytes=self._body_memory_bytes,
                max_bytes=self._max_body_bytes,
            )
        except BodyTooLarge as exc:
            # Who waits for 100 Continue gets the answer instead, and sends nothing (row 11).
            waits = any(name == b"expect" for name, _ in scope["headers"])
            sentence = f"The request's body is larger than {exc.limit_bytes} bytes."
            await _refuse(None if waits else receive, send, 413, sentence)
            return
        except ClientLeftError:
            return
        environ = environ_of(scope, body, ErrorLog(app_errors.error), multiprocess=self._multiprocess)
        exchange = self._exchange(environ, body, done=self._unfinished.discard)
        # Before the thread has it: the other way round it might end first, and stay in there for good.
        self._unfinished.add(exchange)
        try:
            # Context variables that were set on this side are visible to the app (row 19).
            self._pool.submit(partial(contextvars.copy_context().run, exchange.run, environ))
        except PoolFullError:
            self._unfinished.discard(exchange)
            body.close()
            retry_after = str(math.ceil(self._retry_after_seconds)).encode()
            await _answer(send, 503, "The server is busy.", (b"retry-after", retry_after))
            return
        try:
            await exchange.deliver(receive, send, watch_after_seconds=self._watch_after_seconds)
        finally:
            if exchange.left and not exchange.finished:
                asyncio.get_running_loop().call_later(
                    self._abandon_after_seconds, self._abandon, exchange, "its client left"
                )

    def _abandon(self, exchange: Exchange, why: str) -> None:
        # One that still waits for a thread will not begin.
        if exchange.started and not exchange.finished and not exchange.abandoned:
            exchange.abandoned = True
            self._abandoned += 1
            seconds = time.monotonic() - exchange.began
            logger.warning("%s is abandoned: %s, and it runs on after %.1f s", exchange.name, why, seconds)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
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


async def _refuse(receive: Receive | None, send: Send, status: int, sentence: str) -> None:
    """Answers a request whose body wasn't read whole, and closes once the client has had its say."""
    await _answer(send, status, sentence, (b"connection", b"close"), more=True)
    if receive is not None:
        await discard_body(receive, max_bytes=DISCARD_BYTES, timeout_seconds=DISCARD_SECONDS)
    await send({"type": "http.response.body", "body": b""})
