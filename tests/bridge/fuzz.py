"""Random requests that HTTP allows, and that gunicorn and uvicorn both take."""

import json
import random
from urllib.parse import quote_from_bytes

from tests.bridge.cases import upgrading

METHODS = [b"GET", b"GET", b"POST", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS"]
METHODS += [b"PROPFIND", b"MKCOL", b"LOCK", b"SEARCH", b"REPORT", b"TRACE"]
TOKEN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^`|~_"
# RFC 3986: what a segment may hold as it is. The servers refuse other bytes unless they are escaped.
SEGMENT = b"abcxyzABC019-._~!$&'()*+,;=:@"
# A body that an app leaves unread gunicorn leaves unread too: past what it has read ahead it resets the connection.
SMALL = [0, 1, 2, 10, 100, 1_000]
SIZES = [0, 1, 2, 10, 100, 1_000, 65_535, 65_536, 65_537, 200_000]
STATUSES = [
    "200 OK",
    "200 OK",
    "201 Created",
    "202",
    "206 Partial Content",
    "404 Not Found",
    "500 Oops",
    "204 No",
    "304 x",
]


def request(drawn: random.Random) -> bytes:
    method = drawn.choice(METHODS)
    kind = drawn.randrange(4)
    if kind == 0:
        target = b"/raw/shaped?shape=" + quote_from_bytes(_shape(drawn)).encode()
    elif kind == 1:
        target = b"/raw/input?do=" + quote_from_bytes(_steps(drawn)).encode()
    elif kind == 2:
        target = drawn.choice(
            [b"/flask/data", b"/raw/unread", b"/raw/many", b"/flask/stream", b"/flask/file", b"/flask/page"]
        )
    else:
        target = b"/flask/echo/" + _path(drawn) + (b"?" + _query(drawn) if drawn.random() < 0.5 else b"")
    headers = [b"%s: %s" % _header(drawn) for _ in range(drawn.randrange(6))]
    version = drawn.choice([b"1.1", b"1.1", b"1.1", b"1.1", b"1.0"])
    lines = [b"%s %s HTTP/%s" % (method, target, version), b"Host: test", b"Connection: close", *headers]
    reads_all = kind in (0, 3) or target == b"/flask/data"
    body = drawn.randbytes(drawn.choice(SIZES if reads_all else SMALL)) if drawn.random() < 0.6 else None
    if body is None:
        made = b"\r\n".join([*lines, b"", b""])
    elif version == b"1.0" or drawn.random() < 0.5:
        made = b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])
    else:
        made = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", _chunked(drawn, body)])
    # One that is empty and chunked is refused under h11 (accepted.py).
    if body != b"" and drawn.random() < 0.2:
        made = upgrading(made, drawn.choice([b"h2c", b"websocket", b"TLS/1.0"]))
    return made


def kept_alive(request: bytes) -> bytes:
    """The same request, for a connection that has more to come."""
    return request.replace(b"Connection: Upgrade, close\r\n", b"Connection: Upgrade\r\n", 1).replace(
        b"Connection: close\r\n", b"", 1
    )


def _chunked(drawn: random.Random, body: bytes) -> bytes:
    framed = b""
    while body:
        size = drawn.choice([1, 7, 100, 8_192, 70_000]) if len(body) < 2_000 else drawn.choice([1_000, 8_192, 70_000])
        framed += b"%x\r\n%s\r\n" % (len(body[:size]), body[:size])
        body = body[size:]
    trailers = [b"%s: %s\r\n" % _header(drawn) for _ in range(drawn.choice([0, 0, 1, 3]))]
    return framed + b"0\r\n" + b"".join(trailers) + b"\r\n"


def _shape(drawn: random.Random) -> bytes:
    sizes = [drawn.choice(SIZES) for _ in range(drawn.randrange(6))]
    writes = [drawn.choice(SIZES[1:]) for _ in range(drawn.choice([0, 0, 0, 2]))]
    status = drawn.choice(STATUSES)
    total = sum(sizes) + sum(writes)
    # uvicorn can't have a Content-Length on a 304 (row 40).
    lengths = [None] if status.startswith("304") else [None, None, total, max(total - 5, 0), total + 5, 3, 0]
    # What fails behind an empty chunk is a 500 here and a cut response there: PEP 3333 has the head wait for content.
    fails_at = drawn.choice([None, None, 0, 1, 3]) if 0 not in sizes else None
    shape = {
        "status": status,
        "length": drawn.choice(lengths),
        "sizes": sizes,
        "writes": writes,
        "fails_at": fails_at,
        "reads": -1,
    }
    return json.dumps(shape).encode()


def _steps(drawn: random.Random) -> bytes:
    size = [0, 1, 5, 1_000, 65_536, -1]
    steps: list[list[object]] = []
    for _ in range(drawn.randrange(1, 6)):
        name = drawn.choice(["read", "readline", "readlines", "iter"])
        with_size = name != "iter" and drawn.random() < 0.6
        steps.append([name, drawn.choice([*size, None])] if with_size else [name])
    return json.dumps(steps).encode()


def _path(drawn: random.Random) -> bytes:
    return b"".join(
        drawn.choice([bytes([drawn.choice(SEGMENT)]), b"%%%02X" % drawn.randrange(256), b"/", b"%C3%A9"])
        for _ in range(drawn.randrange(20))
    )


def _query(drawn: random.Random) -> bytes:
    return b"".join(
        drawn.choice([bytes([drawn.choice(SEGMENT + b"/?")]), b"%%%02x" % drawn.randrange(256), b"&", b"=", b"+"])
        for _ in range(drawn.randrange(30))
    )


def _header(drawn: random.Random) -> tuple[bytes, bytes]:
    name = b"X-" + bytes(drawn.choice(TOKEN) for _ in range(drawn.randrange(1, 12)))
    inside = bytes(drawn.choice([*range(0x20, 0x7F), *range(0x80, 0x100)]) for _ in range(drawn.randrange(40)))
    return drawn.choice([name, b"X-Same", b"X_Auth_User"]), inside.strip()
