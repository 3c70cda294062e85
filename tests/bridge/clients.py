"""The bridge asked without a server: the scope of a request, the client at its other end, and a small app."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import Message, Scope

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


def small(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    return [environ["PATH_INFO"][:5].ljust(5).encode()]
