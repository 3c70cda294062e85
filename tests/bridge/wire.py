"""Requests and responses byte by byte, on a socket of their own."""

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
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
    with socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS) as connection:

        def write() -> None:
            # A server may answer and close before it has read everything.
            with suppress(OSError):
                connection.sendall(request)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        received = bytearray()
        with suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
        writer.join()
    return parse(bytes(received), is_head=request.startswith(b"HEAD "))


def hang_up(connection: socket.socket) -> None:
    """With a reset, as a client does that dies."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def parse(received: bytes, *, is_head: bool) -> Reply:
    interim: list[int] = []
    while True:
        if b"\r\n\r\n" not in received:
            return Reply(body=received, interim=tuple(interim))
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
    body, complete = received, True
    if is_head or status in (204, 304):
        complete = not body
    elif named.get(b"transfer-encoding") == b"chunked":
        body, complete = _dechunked(received)
    elif b"content-length" in named:
        complete = len(body) == int(named[b"content-length"])
    return Reply(
        status=status,
        reason=reason,
        headers=[header for header in all_headers if header[0] not in SERVERS_OWN],
        body=body,
        complete=complete,
        interim=tuple(interim),
    )


def differences(gunicorn: Reply, bridge: Reply) -> dict[str, tuple[Any, Any]]:
    """By part: what gunicorn said, and what the bridge. The reason is not among them (row 24)."""
    parts = ("status", "headers", "body", "complete", "interim")
    pairs = {part: (getattr(gunicorn, part), getattr(bridge, part)) for part in parts}
    return {part: pair for part, pair in pairs.items() if pair[0] != pair[1]}


def _dechunked(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while b"\r\n" in data:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return body, data == b"\r\n"
        body += data[:size]
        if len(data) < size + 2:
            return body, False
        data = data[size + 2 :]
    return body, False
