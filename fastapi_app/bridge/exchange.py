"""One request under the bridge: the WSGI app in a thread, what it answers on the event loop."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import IO, Any, NamedTuple, NoReturn

from starlette.types import Message, Receive, Send

from fastapi_app.bridge.body import ClientLeftError, Input
from fastapi_app.bridge.environ import ErrorLog
from fastapi_app.bridge.head import Head, head_of

logger = logging.getLogger(__name__)

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

SERVER_ERROR = b"Internal Server Error"


class ResponseCutError(Exception):
    """A response that failed after its start was sent; raised so that the server cuts the connection."""


class Limits(NamedTuple):
    """What an exchange may take."""

    buffer_bytes: int
    header_bytes: int
    response_bytes: int | None
    send_seconds: float


class Exchange:
    """The thread calls `run` once; the event loop awaits `deliver`. `leave` may be called from the loop at any time."""

    # Values to begin with are the class's: there is one of these for each request, and it is made in a third less time.
    started = False
    """A thread has it."""
    left = False
    """The client is gone, or the bridge closes: the thread is to stop."""
    dropped = False
    """The bridge closes, or was told to give the request up."""
    answered = False
    """The head of the response is on its way."""
    delivered = False
    """The event loop is through with it."""
    finished = False
    """The thread is through with it."""
    abandoned = False

    # Between thread and loop, under the lock:
    _room: threading.Condition | None = None
    """Made when a thread first waits for room; most answers are small and never do."""
    _start: Message | None = None
    _buffered = 0
    _ended = False
    _failure: BaseException | None = None

    # The thread's own:
    _head: Head | None = None
    _head_sent = False
    _remaining: int | None = None
    _sent = 0

    def __init__(
        self,
        app: WSGIApp,
        environ: dict[str, Any],
        body: IO[bytes],
        errors: ErrorLog,
        *,
        limits: Limits,
        done: Callable[["Exchange"], None],
    ) -> None:
        self.began = time.monotonic()
        self._app = app
        self._method = environ["REQUEST_METHOD"]
        self._target = environ["RAW_URI"]
        self._body = body
        # The app may put another one in its place.
        self._errors = errors
        environ["wsgi.input"] = Input(body, self.check_client)
        self._limits = limits
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._lock = threading.Lock()
        self._chunks: list[bytes] = []

    @property
    def name(self) -> str:
        # Not the decoded path: it may hold an end of line, and forge a line of the log.
        return f"{self._method} {self._target.partition('?')[0]}"

    # On the event loop

    async def deliver(self, receive: Receive, send: Send, *, watch_after_seconds: float) -> None:
        """Sends what the thread answers, as it comes. Returns at once when the client leaves, or when it takes nothing
        for `Limits.send_seconds` and the thread waits for it.

        Back-pressure: what was sent is waited for before the thread gets room for more.
        """
        watcher: asyncio.Task[None] | None = None

        def watch() -> None:
            nonlocal watcher
            watcher = watcher or asyncio.create_task(self._watch(receive))

        # Small answers come within this time, and are spared the task.
        timer = self._loop.call_later(watch_after_seconds, watch)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                if self.left:
                    return
                with self._lock:
                    start, self._start = self._start, None
                    chunks, self._chunks = self._chunks, []
                    ended, failure = self._ended, self._failure
                body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                if ended:
                    if start is not None:
                        self.answered = True
                        await send(start)
                    await send({"type": "http.response.body", "body": body, "more_body": False})
                    return
                # a2wsgi never looks whether its client is still there, and runs each stream to its end (row 15).
                watch()
                if not await self._send_in_time(send, start, body):
                    return
                if failure is not None:
                    self._cut(failure)
                with self._lock:
                    self._buffered -= len(body)
                    if self._room is not None:
                        self._room.notify()
        except BaseException:
            # a2wsgi's threads wait for ever once send() raises or the task is cancelled (rows 13, 14 and 16).
            self.leave()
            raise
        finally:
            timer.cancel()
            if watcher is not None:
                watcher.cancel()

    async def _send_in_time(self, send: Send, start: Message | None, body: bytes) -> bool:
        """A client that stays and doesn't read would hold the thread for good."""
        try:
            async with asyncio.timeout(self._limits.send_seconds) as patience:
                if start is not None:
                    self.answered = True
                    await send(start)
                if body:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
        except TimeoutError:
            if not patience.expired():
                raise
            logger.warning("%s is cut: its client took nothing for %g s", self.name, self._limits.send_seconds)
            self.leave()
            return False
        return True

    def _cut(self, failure: BaseException) -> NoReturn:
        raise ResponseCutError(f"{self.name} failed in the middle of its response") from failure

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        # ASGI says the same of a client that has its whole answer, and then the app may run to its end.
        if not self._ended:
            self.leave()

    def leave(self) -> None:
        """The client is gone: the thread is to stop at its next chunk or read."""
        with self._lock:
            self.left = True
            if self._room is not None:
                self._room.notify()
        self._news.set()

    def drop(self) -> None:
        """No thread will have it."""
        self._body.close()
        self.finished = True
        self._done(self)

    # In the thread

    def run(self, environ: dict[str, Any]) -> None:
        try:
            if not self.left:
                self.started = True
                self._respond(environ)
        except ClientLeftError:
            logger.debug("%s: the client left", self.name)
        except BaseException as exc:
            self._fail(exc)
        finally:
            try:
                # What the app wrote there without an end of line.
                self._errors.flush()
                self._body.close()
            finally:
                self.finished = True
                self._done(self)

    def _respond(self, environ: dict[str, Any]) -> None:
        chunks = self._app(environ, self._start_response)
        try:
            whole = isinstance(chunks, list | tuple) and len(chunks) == 1
            for chunk in chunks:
                self.check_client()
                # One that is empty and no bytes is refused there.
                if chunk or not isinstance(chunk, bytes):
                    if self._ended:
                        # PEP 3333: a server stops iterating when Content-Length is reached.
                        break
                    self._write(chunk, last=whole)
            if not self._ended:
                self._put(b"", ended=True)
        finally:
            # Also when the client left: the generator gets its GeneratorExit (row 15).
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def check_client(self) -> None:
        if self.left:
            raise ClientLeftError("the client left")

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], None]:
        """Nothing is sent before the first chunk, so that until then a failure can still become a 500. a2wsgi sends
        at once, and what comes later is lost (rows 20 to 22)."""
        if exc_info is not None:
            if self._head_sent:
                try:
                    raise exc_info[1].with_traceback(exc_info[2])
                finally:
                    exc_info = None
        elif self._head is not None:
            raise AssertionError("start_response was called twice without exc_info")
        self._head = head_of(status, headers, is_head=self._method == "HEAD", max_bytes=self._limits.header_bytes)
        self._remaining = self._head.content_length
        return self._write

    def _write(self, chunk: bytes, *, last: bool = False) -> None:
        """Sends a chunk, cut at Content-Length as gunicorn does: uvicorn refuses the whole of one that is too long, and
        a2wsgi's thread hangs on it (row 25). A response that is complete by it ends here, so that a small, whole one
        crosses to the loop once."""
        if self._head is None:
            raise AssertionError("the app answered before it called start_response")
        if not isinstance(chunk, bytes):
            raise TypeError(f"a chunk of the response is {type(chunk).__name__}, not bytes")
        if self._ended:
            return
        if self._head.bodiless:
            self._put(b"", ended=True)
        elif self._remaining is None:
            self._put(chunk, ended=last)
        else:
            chunk = chunk[: self._remaining]
            self._remaining -= len(chunk)
            self._put(chunk, ended=last or not self._remaining)

    def _put(self, chunk: bytes, *, ended: bool) -> None:
        if self._head is None:
            raise AssertionError("the app returned before it called start_response")
        self._sent += len(chunk)
        limit = self._limits.response_bytes
        if limit is not None and self._sent > limit:
            raise ValueError(f"the response is larger than {limit} bytes")
        with self._lock:
            while self._buffered >= self._limits.buffer_bytes and not self.left:
                self._room = self._room or threading.Condition(self._lock)
                self._room.wait()
            self.check_client()
            if not self._head_sent:
                self._head_sent = True
                self._start = self._head.message()
            wake = not self._chunks
            self._chunks.append(chunk)
            self._buffered += len(chunk)
            self._ended = ended
        if wake:
            self._wake()

    def _fail(self, exc: BaseException) -> None:
        if self._head_sent and not self._ended and not self.left:
            # Raised on the event loop it gets its traceback from the server.
            logger.error("%s failed in the middle of its response: %r", self.name, exc)
        else:
            logger.error("%s failed", self.name, exc_info=exc)
        if self._ended:
            return
        with self._lock:
            if self._head_sent:
                self._failure = exc
            else:
                self._head_sent = True
                self._start = {
                    "type": "http.response.start",
                    "status": 500,
                    "headers": [
                        (b"content-type", b"text/plain; charset=utf-8"),
                        (b"content-length", b"%d" % len(SERVER_ERROR)),
                    ],
                }
                self._chunks = [SERVER_ERROR]
                self._ended = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            # The loop is closed: the process ends, and nobody waits there any more.
            self.left = True
