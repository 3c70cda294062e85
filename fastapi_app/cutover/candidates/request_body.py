"""The body of a primary's request, taken down as the primary reads it, so that the candidate can have it, too."""

import asyncio

from starlette.types import Message, Receive, Scope

from fastapi_app.cutover.candidates.capture import announced_bytes
from fastapi_app.cutover.comparing.observation import SkipReason


class Room:
    """For bytes of requests that are under way, of all of them together."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes

    def take(self, count: int) -> bool:
        """Whether there was so much."""
        if count > self._left:
            return False
        self._left -= count
        return True

    def give_back(self, count: int) -> None:
        self._left += count


class RequestBody:
    """What the primary receives passes by here as it comes: it may answer before the body is there, or beside it."""

    def __init__(self, scope: Scope, receive: Receive, *, max_bytes: int, room: Room) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._room = room
        self._chunks: list[bytes] = []
        self._size = 0
        self._ended = not _may_have_one(scope)
        self._cut_by: SkipReason | None = None
        self._first: asyncio.Future[Message] | None = None
        """The first message, until the primary has it."""

    async def begin(self) -> None:
        """Takes down what has come with the head, which a primary that refuses by the head alone doesn't read. To be
        called before the primary runs: from then on nothing here waits, but for the primary."""
        if self._ended:
            return
        self._first = asyncio.ensure_future(self._receive())
        # One turn of the loop, in which a server gives what it has.
        await asyncio.sleep(0)

    async def receive(self) -> Message:
        """For the primary."""
        first, self._first = self._first, None
        try:
            message = await (self._receive() if first is None else asyncio.shield(first))
        except asyncio.CancelledError:
            # Who asked has given up, and the next who asks is to have it.
            if first is not None:
                self._first = first
            raise
        self._note(message)
        return message

    def let_go(self) -> None:
        """Holds nothing any more; the primary goes on."""
        self._cut("request_unread")

    def answered(self) -> None:
        """The primary has its whole answer out: what it didn't read by then a server gives it no more."""
        first, self._first = self._first, None
        if first is not None:
            # Of one that is done nothing is cancelled.
            first.cancel()
            if first.done() and not first.cancelled() and first.exception() is None:
                self._note(first.result())

    def leave(self) -> "bytes | SkipReason":
        """The body, or why it isn't there as a whole, once the primary has ended. Nothing of it is held any more."""
        self.answered()
        body = b"".join(self._chunks)
        self._drop()
        self._cut_by = self._cut_by or (None if self._ended else "request_unread")
        self._ended = True
        return body if self._cut_by is None else self._cut_by

    def _note(self, message: Message) -> None:
        if self._ended:
            return
        if message["type"] != "http.request":
            self._cut("request_unread")
            return
        chunk = message.get("body", b"")
        if self._size + len(chunk) > self._max_bytes:
            self._cut("request_too_large")
        elif not self._room.take(len(chunk)):
            self._cut("queue_full")
        else:
            # A server may fill its buffer anew for the next one.
            self._chunks.append(bytes(chunk))
            self._size += len(chunk)
            self._ended = not message.get("more_body", False)

    def _cut(self, reason: SkipReason) -> None:
        self._cut_by = reason
        self._ended = True
        self._drop()

    def _drop(self) -> None:
        self._room.give_back(self._size)
        self._chunks.clear()
        self._size = 0


def _may_have_one(scope: Scope) -> bool:
    """In HTTP/1 a body is announced (RFC 9112, 6.3)."""
    if not scope["http_version"].startswith("1"):
        return True
    return announced_bytes(scope) > 0 or any(name == b"transfer-encoding" for name, _ in scope["headers"])
