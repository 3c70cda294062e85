"""Requests and responses byte by byte, on a socket of their own."""

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from tests.e2e.servers import HOST

TIMEOUT_SECONDS = 20.0

SERVERS_OWN = frozenset({b"date", b"server", b"connection", b"keep-alive", b"transfer-encoding"})


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A response with the server's own headers left out, the names of the others in lower case (they have none that
    counts, and ASGI wants them so), and the body as it is without its framing."""

    status: int | None = None
    reason: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    interim: tuple[int, ...] = ()


def exchange(port: int, request: bytes, *, half_close: bool = False) -> Reply:
    """Sends it, and reads until the server closes."""
    return parse(receive_all(port, request, half_close=half_close), request)


def receive_all(port: int, data: bytes, *, half_close: bool = False) -> bytes:
    with socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS) as connection:

        def write() -> None:
            # A server may answer and close before it has read everything.
            with suppress(OSError):
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        received = bytearray()
        with suppress(ConnectionResetError):
            while read := connection.recv(65536):
                received += read
        writer.join()
    return bytes(received)


def hang_up(connection: socket.socket) -> None:
    """With a reset, as a client does that dies."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def parse(received: bytes, request: bytes = b"GET / HTTP/1.1\r\n") -> Reply:
    """The one reply to this request; bytes behind it make it incomplete."""
    reply, rest = parse_first(received, request)
    return replace(reply, body=reply.body + rest, complete=False) if rest else reply


def parse_first(received: bytes, request: bytes) -> tuple[Reply, bytes]:
    """The reply to this request, and what follows it."""
    line = request.partition(b"\r\n")[0]
    is_head, knows_chunks = line.startswith(b"HEAD "), line.endswith(b" HTTP/1.1")
    interim: list[int] = []
    while True:
        if b"\r\n\r\n" not in received:
            return Reply(body=received, interim=tuple(interim)), b""
        head, _, received = received.partition(b"\r\n\r\n")
        status_line, *lines = head.split(b"\r\n")
        _, _, status_and_reason = status_line.partition(b" ")
        code, _, reason = status_and_reason.partition(b" ")
        # gunicorn says "None" for an app that never called start_response.
        status = int(code) if code.isdigit() else None
        if status is None or status >= 200:
            break
        interim.append(status)
    all_headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    named = dict(all_headers)
    body, rest, complete = received, b"", True
    if is_head or status in (204, 304):
        body, rest = b"", received
    elif knows_chunks and named.get(b"transfer-encoding") == b"chunked":
        body, rest, complete = _dechunked(received)
    elif b"content-length" in named:
        length = int(named[b"content-length"])
        body, rest = received[:length], received[length:]
        complete = len(body) == length
    reply = Reply(
        status=status,
        reason=reason,
        headers=[header for header in all_headers if header[0] not in SERVERS_OWN],
        body=body,
        complete=complete,
        interim=tuple(interim),
    )
    return reply, rest


def differences(gunicorn: Reply, bridge: Reply) -> dict[str, tuple[Any, Any]]:
    """By part: what gunicorn said, and what the bridge. The reason is not among them (row 24)."""
    parts = ("status", "headers", "body", "complete", "interim")
    pairs = {part: (getattr(gunicorn, part), getattr(bridge, part)) for part in parts}
    return {part: pair for part, pair in pairs.items() if pair[0] != pair[1]}


def _dechunked(data: bytes) -> tuple[bytes, bytes, bool]:
    """The body, what follows it, and whether it is complete."""
    body = b""
    while b"\r\n" in data:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return body, data[2:], data.startswith(b"\r\n")
        body += data[:size]
        if len(data) < size + 2:
            return body, b"", False
        data = data[size + 2 :]
    return body, b"", False
