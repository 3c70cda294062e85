"""uvicorn's HTTP protocol on httptools, mended: `uvicorn.Config(http=Protocol)`, or by name
`uvicorn --http fastapi_app.bridge.protocol:Protocol`. It serves any ASGI app."""

from functools import partial
from typing import Any

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from fastapi_app.bridge.body import WHOLE_BODY

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Protocol(HttpToolsProtocol):
    _running: RequestResponseCycle | None = None
    """The request that is answered now; with pipelining `cycle` is the last that has come."""

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            while True:
                try:
                    self.parser.feed_data(data)
                except httptools.HttpParserUpgrade as exc:
                    if self._should_upgrade():
                        self.handle_websocket_upgrade()
                        return
                    data = self._ignore_upgrade() + data[exc.args[0] :]
                else:
                    return
        except httptools.HttpParserError:
            problem = "Invalid HTTP request received."
            self.logger.warning(problem)
            self.send_400_response(problem)

    def _ignore_upgrade(self) -> bytes:
        """RFC 9110, 7.8: a server may ignore an upgrade. uvicorn goes on without the body, which its parser takes for
        the other protocol: the app gets an empty one, and what follows on the connection is lost or, worse, the body is
        taken for a request.

        Another parser is to read on from the body; returns a head that tells it how that is framed.
        """
        self.parser = httptools.HttpRequestParser(_BodyFirst(self))
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.cycle.more_body = True
        self.cycle.message_event.clear()
        self.scope["extensions"] = {WHOLE_BODY: {}}
        framing = [b"%s: %s\r\n" % header for header in self.headers if header[0] in _FRAMING]
        self.headers = []
        return b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(framing)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            # What still comes are the trailers of a chunked body. uvicorn adds them to the headers that the scope
            # holds, so they pass for headers that a proxy has checked (RFC 9110, 6.5.1).
            self.headers = []

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        if cycle.scope["http_version"] == "1.0":
            app = partial(_without_chunks, app, cycle)
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn tells only the last that has come: with another behind it, one that is being answered never learns
        # that its client is gone.
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()


class _BodyFirst:
    """The callbacks of a parser that begins at the body: of its first request the head is known."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._in_head = True
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._in_head:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._in_head:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._in_head:
            self._in_head = False
        else:
            self._protocol.on_headers_complete()


async def _without_chunks(
    app: ASGIApp, cycle: RequestResponseCycle, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answers HTTP/1.0, which knows no chunks and which uvicorn sends them all the same (RFC 9112, 6.1): a body of
    unknown length ends with the connection."""

    unframed = False

    async def send_unframed(message: Message) -> None:
        nonlocal unframed
        if message["type"] == "http.response.start":
            unframed = all(name.lower() != b"content-length" for name, _ in message.get("headers", []))
            if unframed:
                cycle.chunked_encoding = False
        elif unframed:
            # What uvicorn still expects: just this, each time.
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    await app(scope, receive, send_unframed)
