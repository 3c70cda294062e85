"""Requests and answers as they pass, kept for a comparison: of the primary beside its client, of the candidate instead
of one."""

import asyncio
from collections.abc import Awaitable
from functools import partial

from starlette.types import Message, Scope, Send

from fastapi_app.cutover.comparing.observation import SeenAnswer, SeenRequest

NO_ANSWER = SeenAnswer(
    status=500, headers=(("content-type", "text/plain; charset=utf-8"),), body=b"Internal Server Error"
)
"""What a server sends for an app that raises before it answers."""

SENT_AS_FILES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
"""Extensions of ASGI, of servers other than uvicorn."""

CHUNKS_AT_ONCE = 8
PAUSE_SECONDS = 0.01


def announced_bytes(scope: Scope) -> int:
    """The Content-Length, 0 without a readable one."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


class Capture:
    """Takes an answer down, up to `max_bytes` of it."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._header_bytes = 0
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self.status: int | None = None
        self.complete = False
        self.too_large = False
        self.is_event_stream = False
        """Server-sent events, which have no end to wait for."""

    def note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = tuple(message["headers"])
            self._header_bytes = 0
            self.is_event_stream = False
            for name, value in self._headers:
                self._header_bytes += len(name) + len(value)
                if value.startswith(b"text/event-stream") and name.lower() == b"content-type":
                    self.is_event_stream = True
        elif message["type"] == "http.response.body":
            chunk = message.get("body", b"")
            self.too_large = self.too_large or self.size + len(chunk) > self._max_bytes
            if self.too_large:
                # Nothing of it is of use any more, and it may be much.
                self._chunks.clear()
                self._body_bytes = 0
            else:
                # An app may fill its buffer anew for the next one.
                self._chunks.append(bytes(chunk))
                self._body_bytes += len(chunk)
            self.complete = not message.get("more_body", False)
        elif message["type"] in SENT_AS_FILES:
            # Its bytes don't come by here.
            self.too_large = True
            self.complete = not message.get("more_body", False)

    @property
    def size(self) -> int:
        """Bytes that are held, headers too."""
        return self._header_bytes + self._body_bytes

    def answer(self) -> SeenAnswer:
        """What was answered; without a start, what a server answers then."""
        if self.status is None:
            return NO_ANSWER
        return SeenAnswer(
            status=self.status,
            headers=tuple([(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in self._headers]),
            body=b"".join(self._chunks),
        )


class CandidateTooLargeError(ConnectionError):
    """A candidate's answer is over the limit. To the app it looks as if its client had left."""


class CandidateClient:
    """The client that a candidate sees: it has sent its whole request, and takes the answer to its limit."""

    def __init__(self, body: bytes, *, max_bytes: int) -> None:
        self.capture = Capture(max_bytes=max_bytes)
        self._body: bytes | None = body
        self._answered = asyncio.Event()
        self._chunks_sent = 0

    async def receive(self) -> Message:
        if self._body is None:
            # It leaves once it has its answer, as a server tells an app then.
            await self._answered.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        self.capture.note(listed(message))
        if self.capture.complete:
            self._answered.set()
        if self.capture.too_large:
            # One that takes no notice, and sends on, would keep the loop for itself.
            await asyncio.sleep(PAUSE_SECONDS)
            raise CandidateTooLargeError("the candidate's answer is larger than a comparison may be")
        if message.get("more_body", False):
            # A stream that nobody slows down would keep the loop for itself, and it is in no hurry.
            self._chunks_sent += 1
            await asyncio.sleep(0 if self._chunks_sent % CHUNKS_AT_ONCE else PAUSE_SECONDS)


def seen_request(scope: Scope, body: bytes) -> SeenRequest:
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return SeenRequest(
        method=scope["method"],
        path=raw_path.decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
    )


def listed(message: Message) -> Message:
    """With the headers of a start as a list: an app may give any iterable, and that once."""
    if message["type"] != "http.response.start" or isinstance(message.get("headers"), list):
        return message
    return {**message, "headers": list(message.get("headers", ()))}


def naming(send: Send, header: tuple[bytes, bytes]) -> Send:
    """Adds the header to the answer. Every answer goes out by here, and neither a coroutine of its own nor a closure,
    which is twice as dear to make, is on its way."""
    return partial(_send_named, send, header)


def _send_named(send: Send, header: tuple[bytes, bytes], message: Message) -> Awaitable[None]:
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message.get("headers", ()), header]}
    return send(message)


def without_body(send: Send) -> Send:
    """For the GET behind a HEAD: the answer is over where its body begins, which may be of any length, or have no end.
    From then on the server tells the app that its client has left, as after every answer (ASGI, `http.disconnect`), and
    what the app still sends goes nowhere."""
    is_over = False

    async def bodiless(message: Message) -> None:
        nonlocal is_over
        if is_over:
            # A server raises for it. And one that sends without a pause would keep the loop for itself, and never hear.
            await asyncio.sleep(0)
        elif message["type"] == "http.response.body" or message["type"] in SENT_AS_FILES:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            is_over = True
        else:
            await send(message)

    return bodiless
