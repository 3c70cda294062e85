"""The body of a request: read whole on the event loop, to memory and past a size to a temporary file."""

import asyncio
import io
from collections.abc import Callable
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from starlette.types import Receive

from shared.errors import BodyTooLarge


class ClientLeftError(ConnectionError):
    """The client is gone; what it began will not be completed."""


async def read_body(receive: Receive, *, announced_bytes: int, memory_bytes: int, max_bytes: int) -> IO[bytes]:
    """The whole body, rewound. The caller closes it.

    Raises BodyTooLarge as soon as more than `max_bytes` are announced or have come, and ClientLeftError when the client
    leaves before the end, so that a body that was cut never looks complete (row 9).
    """
    if announced_bytes > max_bytes:
        raise BodyTooLarge(max_bytes)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        chunk: bytes = message.get("body", b"")
        if len(chunk) <= min(memory_bytes, max_bytes):
            return io.BytesIO(chunk)
    with ExitStack() as stack:
        # A size of 0 would mean that it never goes to a file.
        body = stack.enter_context(SpooledTemporaryFile(max_size=max(memory_bytes, 1)))
        size = 0
        while message["type"] == "http.request":
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > max_bytes:
                raise BodyTooLarge(max_bytes)
            # To a file this goes by way of the page cache: some microseconds a chunk, less than a thread's hop.
            body.write(chunk)
            if not message.get("more_body", False):
                body.seek(0)
                stack.pop_all()
                return body
            message = await receive()
    raise ClientLeftError("the client left before its request was complete")


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
