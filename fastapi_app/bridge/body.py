"""The body of a request: read whole on the event loop, to memory and past a size to a temporary file."""

import asyncio
import io
import threading
from collections.abc import Callable
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from starlette.types import Receive

from shared.errors import BodyTooLarge

WHOLE_BODY = "trading_window.whole_body"
"""The ASGI extension by which a server says that the upgrade which a request offers has cost it no body."""


FRAMING = frozenset({b"content-length", b"transfer-encoding", b"upgrade", b"expect"})
"""The headers that have a say in how the body comes."""

Framing = dict[bytes, bytes]


class ClientLeftError(ConnectionError):
    """The client is gone; what it began will not be completed."""


class BadBodyError(ValueError):
    """The body isn't what the request's head says of it."""


class AnnouncedTooLargeError(BodyTooLarge):
    """The body is larger than may be, by its head; nothing of it was read."""


class BodyFilesFullError(Exception):
    """As many bodies lie in temporary files as may."""


async def read_body(
    receive: Receive, framing: Framing, *, memory_bytes: int, max_bytes: int, files: threading.Semaphore
) -> IO[bytes]:
    """The whole body, rewound. The caller closes it.

    Raises BodyTooLarge as soon as more than `max_bytes` are announced or have come. A body that was cut never looks
    complete (row 9): raises ClientLeftError when the client leaves before the end, and BadBodyError when the server
    says that the end has come and it has not. Past `memory_bytes` the body takes one of `files` until it is closed;
    raises BodyFilesFullError where none is left.
    """
    announced_bytes = _announced_bytes(framing) if framing else None
    if announced_bytes is not None and announced_bytes > max_bytes:
        raise AnnouncedTooLargeError(max_bytes)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        chunk: bytes = message.get("body", b"")
        if len(chunk) <= min(memory_bytes, max_bytes):
            if framing:
                _check_size(len(chunk), announced_bytes, framing)
            return io.BytesIO(chunk)
    with ExitStack() as stack:
        body = _Spool(memory_bytes, files)
        stack.callback(body.close)
        size = 0
        while message["type"] == "http.request":
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > max_bytes:
                raise BodyTooLarge(max_bytes)
            # To a file this goes by way of the page cache: some microseconds a chunk, less than a thread's hop.
            body.write(chunk)
            if not message.get("more_body", False):
                _check_size(size, announced_bytes, framing)
                body.seek(0)
                stack.pop_all()
                return body
            message = await receive()
    raise ClientLeftError("the client left before its request was complete")


def _announced_bytes(framing: Framing) -> int | None:
    length = framing.get(b"content-length")
    if length is None:
        return None
    if not length.isdigit() or b"transfer-encoding" in framing:
        # RFC 9112, 6.3: of two lengths a proxy may see the one and we the other. uvicorn's h11 lets both pass.
        raise BadBodyError("The request's body has no one length.")
    return int(length)


def _check_size(size: int, announced: int | None, framing: Framing) -> None:
    """uvicorn's httptools says of a body that it has ended, and gives none of it, where the request offers an upgrade
    that it doesn't serve. Of a chunked one nobody can tell, unless the server vouches for it (WHOLE_BODY)."""
    if announced is not None and size != announced:
        raise BadBodyError(f"The request announces a body of {announced} bytes, and {size} have come.")
    if not size and b"transfer-encoding" in framing and b"upgrade" in framing:
        raise BadBodyError("The request's body may have been lost for its Upgrade, which this server doesn't serve.")


class _Spool(SpooledTemporaryFile[bytes]):
    """Bytes in memory, and past a size in a file, as long as there may be another."""

    def __init__(self, memory_bytes: int, files: threading.Semaphore) -> None:
        # A size of 0 would mean that it never goes to a file.
        super().__init__(max_size=max(memory_bytes, 1))
        self._files = files
        self._holds_file = False

    def rollover(self) -> None:
        if not self._holds_file:
            if not self._files.acquire(blocking=False):
                raise BodyFilesFullError
            self._holds_file = True
        super().rollover()

    def close(self) -> None:
        super().close()
        if self._holds_file:
            self._holds_file = False
            self._files.release()


async def discard_body(receive: Receive, *, max_bytes: int, timeout_seconds: float) -> None:
    """Reads on for a while without keeping anything: to close on a client that still sends would reset the
    connection, and the answer with it (row 10)."""
    try:
        async with asyncio.timeout(timeout_seconds):
            while max_bytes > 0:
                message = await receive()
                if not message.get("more_body", False):
                    return
                max_bytes -= len(message.get("body", b""))
    except TimeoutError:
        return


class Input(io.RawIOBase):
    """`wsgi.input`: a body that is whole, which raises once the client is gone.

    a2wsgi's has a false end in readline(n), fails on None, on an empty body and for a last line without its end, and
    takes the hint of readlines for a number of lines (rows 3 to 8).
    """

    def __init__(self, body: IO[bytes], check_client: Callable[[], None]) -> None:
        self._body = body
        self._check_client = check_client

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_client()
        return self._body.read(-1 if size is None else size)

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._check_client()
        return self._body.readline(-1 if size is None else size)

    def readlines(self, _hint: int | None = -1, /) -> list[bytes]:
        """All lines: PEP 3333 lets a server ignore the hint, and gunicorn does."""
        self._check_client()
        return self._body.readlines()
