"""Malformed requests, in families; the same ones in each run. What each must be answered with stands beside it."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from tests.e2e.malformed_values import (
    EMPTY_QUERIES,
    NO_DECIMAL,
    NO_JSON_TYPES,
    NO_KEYS,
    NO_SIDE,
    NO_STRATEGY,
    NO_SYMBOL,
    NO_TIMEFRAME,
    NO_WHOLE_NUMBER,
    ODD_HEADERS,
    ODD_QUERIES,
    WRONG_ANYWHERE,
    WRONG_PARAMETERS,
)
from tests.e2e.servers import NATIVE_ONLY
from tests.parity.endpoints import path_of

REQUESTS_EACH = 300
TEN_MB = 10_000_000

JSON = (b"Content-Type", b"application/json")
_UPGRADE = ((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAMAAABk"))


class Raw(NamedTuple):
    """A request, byte by byte, and the status that both sides must answer it with.

    The server may close the connection behind the answer only where `closes` says so.
    """

    status: int
    method: bytes
    target: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes | None = None
    closes: bool = False

    def to_bytes(self) -> bytes:
        lines = [b"%s %s HTTP/1.1" % (self.method, self.target), b"Host: localhost"]
        lines += [b"%s: %s" % header for header in self.headers]
        lines += [] if self.body is None else [b"Content-Length: %d" % len(self.body)]
        return b"\r\n".join([*lines, b"", self.body or b""])

    def __str__(self) -> str:
        text = self.to_bytes()
        return f"{text[:400]!r}{f' … {len(text)} bytes' if len(text) > 400 else ''}"


def asks_of(endpoint: str) -> bool:
    """Whether there are requests to it here: an order has to be there before it is shown or cancelled, and what the bot
    is told has no body that could be wrong."""
    return "<order_id>" not in endpoint and not endpoint.startswith("POST /api/bot/")


def requests_to(endpoint: str) -> list[Raw]:
    """At least so many; the hand-written ones all, then as many as it takes with bytes that a seed has drawn."""
    method, path = endpoint.encode().split()[0], path_of(endpoint).encode()
    drawn = random.Random(endpoint)
    if endpoint in _BODIES:
        written, endless = _to_body(method, path, _BODIES[endpoint]), _damaged(method, path, _BODIES[endpoint], drawn)
    elif endpoint in _PARAMETERS:
        names = _PARAMETERS[endpoint]
        written, endless = _to_query(path, names), _drawn_queries(path, names, drawn)
    else:
        # What native alone has refuses a parameter; Flask ignores it, and so do both sides.
        status = 400 if endpoint in NATIVE_ONLY else 200
        written, endless = _to_plain_get(path, status), _needless_queries(path, drawn, status)
    longer = 405 if endpoint.endswith(">") else 404
    below = 405 if endpoint.endswith("/orders") else 404
    requests = [*written, *_wrong_methods(path, longer, below), *_broken_http(method, path)]
    return requests + list(islice(endless, max(0, REQUESTS_EACH - len(requests))))


@dataclass(frozen=True, kw_only=True)
class _Body:
    """A body that would be taken, and for each of its fields JSON values that must not."""

    fields: dict[str, str]
    wrong: dict[str, list[str]]
    optional: frozenset[str]
    takes_key: bool

    def text(self, **changed: str) -> bytes:
        pairs = ",".join(f"{json.dumps(name)}:{value}" for name, value in (self.fields | changed).items())
        return b"{%s}" % pairs.encode()


_BODIES = {
    "POST /api/trading-window/trades": _Body(
        fields={"symbol": '"BTC-USD"', "side": '"buy"', "quantity": '"0.5"', "price": "64000.10", "strategy": '"rsi"'},
        wrong={
            "symbol": NO_SYMBOL,
            "side": NO_SIDE,
            "quantity": NO_DECIMAL,
            "price": NO_DECIMAL,
            "strategy": NO_STRATEGY,
        },
        optional=frozenset({"strategy"}),
        takes_key=True,
    ),
    "POST /api/orders": _Body(
        fields={
            "symbol": '"BTC-USD"',
            "side": '"buy"',
            "type": '"limit"',
            "quantity": '"0.5"',
            "price": "9.10",
        },
        wrong={
            "symbol": NO_SYMBOL,
            "side": NO_SIDE,
            "type": [*NO_SIDE, '"market"', '"LIMIT"'],
            "quantity": NO_DECIMAL,
            "price": NO_DECIMAL,
        },
        optional=frozenset(),
        takes_key=True,
    ),
    "POST /api/backtest/run": _Body(
        fields={"strategy": '"rsi"', "symbol": '"BTC-USD"', "timeframe": '"1m"', "initial_capital": '"1000"'},
        wrong={
            "strategy": ["null", '"hodl"', *NO_STRATEGY],
            "symbol": NO_SYMBOL,
            "timeframe": NO_TIMEFRAME,
            "initial_capital": NO_DECIMAL,
        },
        optional=frozenset({"initial_capital"}),
        takes_key=False,
    ),
    "PUT /api/trading-window/config": _Body(
        fields={"start_hour": "1", "end_hour": "23", "max_trades_per_day": "7"},
        wrong={
            "start_hour": [*NO_WHOLE_NUMBER, "24", "99", "-23"],
            "end_hour": [*NO_WHOLE_NUMBER, "25", "-24"],
            "max_trades_per_day": NO_WHOLE_NUMBER,
        },
        optional=frozenset({"start_hour", "end_hour", "max_trades_per_day"}),
        takes_key=False,
    ),
}

_PARAMETERS: dict[str, Sequence[bytes]] = {
    "GET /api/orders": (b"status", b"symbol", b"limit"),
    "GET /api/trading-window/trades": (b"date", b"symbol", b"limit"),
    "GET /api/market/ohlcv/<symbol>": (b"timeframe", b"limit"),
    "GET /api/orderbook/<symbol>": (b"limit",),
}
"""Those that endpoints read."""


def _to_body(method: bytes, path: bytes, body: _Body) -> Iterator[Raw]:
    for content in _wrong_bodies(body):
        yield Raw(400, method, path, [JSON], content)
    for content_type in NO_JSON_TYPES:
        yield Raw(415, method, path, [(b"Content-Type", content_type)], body.text())
    yield Raw(415, method, path, [], body.text())
    yield Raw(415, method, path, [], b"")
    yield Raw(415, method, path, [JSON, (b"Content-Type", b"text/plain")], body.text())
    yield Raw(415, method, path, [(b"Content-Type", b"text/plain"), JSON], body.text())
    for content in _large_bodies(body):
        yield Raw(413, method, path, [JSON], content)
    yield Raw(415, method, path, [(b"Content-Type", b"text/plain")], b"x" * TEN_MB)
    for name, value in ODD_HEADERS:
        yield Raw(400, method, path, [JSON, (name, value)], b"[]")
    for query in ODD_QUERIES:
        yield Raw(400, method, path + b"?" + query, [JSON], b"[]")
    # An upgrade that isn't served is ignored, and the connection goes on.
    yield Raw(400, method, path, [JSON, *_UPGRADE], b"[]")
    if body.takes_key:
        for keys in NO_KEYS:
            yield Raw(400, method, path, [JSON, *((b"Idempotency-Key", key) for key in keys)], body.text())


def _wrong_bodies(body: _Body) -> Iterator[bytes]:
    text = body.text()
    for name, values in body.wrong.items():
        for value in [*WRONG_ANYWHERE, *values]:
            yield body.text(**{name: value})
    for name in body.fields.keys() - body.optional:
        yield b"{%s}" % text[1:-1].replace(f'"{name}":'.encode(), f'"{name}_":'.encode())
    for unknown in ("timezone", "id", "", "symbol ", "\ud800", "x" * 10_000, "__proto__", "a\x00b"):
        yield body.text(**{unknown: "1"})
    yield from (b"", b" ", b"\n\r\t ", b"\x00", b"null", b"true", b"0", b"1e999999", b"NaN", b'"a"', b"[]", b"[null]")
    yield from (b"[%s]" % text, b"%s,%s" % (text, text), text * 2, text[:-1], text[1:], b"{%s}" % text, text + b"x")
    yield from (text[:-1] + b",}", b"/**/" + text, text + b"//", text.replace(b'"', b"'"), text.replace(b":", b"="))
    yield from (b"\xef\xbb\xbf" + text, *(text.decode().encode(name) for name in ("utf-16", "utf-16-le", "utf-32")))
    for bad in (b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"):
        yield text.replace(b"{", b'{"%s":1,' % bad)
        yield text + bad
    for name, value in body.fields.items():
        yield text[:-1] + f",{json.dumps(name)}:{value}}}".encode()
        yield text[:-1] + f",{json.dumps(name)}:null,{json.dumps(name)}:1}}".encode()
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        for depth in (257, 1_000, 100_000):
            yield opening * depth
            yield opening * depth + b"1" + closing * depth
            yield text[:-1] + b',"a":' + opening * depth + b"1" + closing * depth + b"}"
    yield b"symbol=BTC-USD&side=buy&quantity=1&price=1"
    yield b"<trade><symbol>BTC-USD</symbol></trade>"
    yield b"\x1f\x8b\x08\x00" + text
    yield b"{" + b" " * 1_000_000
    yield b'{"' + b"a" * 1_000_000


def _large_bodies(body: _Body) -> Iterator[bytes]:
    text = body.text()
    yield text + b" " * (TEN_MB - len(text))
    yield b"[" * TEN_MB
    yield b'{"symbol":"' + b"A" * TEN_MB + b'"}'
    yield text + b" " * (1_048_576 + 1 - len(text))


def _damaged(method: bytes, path: bytes, body: _Body, drawn: random.Random) -> Iterator[Raw]:
    """A good body, cut short or with a byte in it that JSON has no place for."""
    text = body.text()
    while True:
        place = drawn.randrange(len(text))
        inserted = bytes([drawn.choice((0x00, 0x01, 0x0B, 0x1F, 0x80, 0xBF, 0xC0, 0xF8, 0xFE, 0xFF))])
        damaged = drawn.choice((text[:place], text[:place] + inserted + text[place:]))
        yield Raw(400, method, path, [JSON], damaged)


def _to_query(path: bytes, names: Sequence[bytes]) -> Iterator[Raw]:
    for name in names:
        for value in WRONG_PARAMETERS[name]:
            yield Raw(400, b"GET", path + b"?" + name + b"=" + value)
            # The first value of a parameter counts, and another parameter doesn't help.
            yield Raw(400, b"GET", path + b"?x=1&" + name + b"=" + value + b"&" + name + b"=1")
    yield Raw(400, b"GET", path + b"?" + b"&".join(b"x=%d" % number for number in range(1001)))
    yield Raw(400, b"GET", path + b"?" + b"=&".join(names) + b"=")
    yield Raw(400, b"GET", path + b"?limit=1%2630")
    yield from _odd_gets(path)


def _drawn_queries(path: bytes, names: Sequence[bytes], drawn: random.Random) -> Iterator[Raw]:
    while True:
        # A percent sign of our own makes sure that it is no date, no symbol and no number.
        value = b"%25" + _escaped(drawn)
        yield Raw(400, b"GET", path + b"?" + drawn.choice(names) + b"=" + value)


def _to_plain_get(path: bytes, status: int) -> Iterator[Raw]:
    """`status` is that of any query where none is read."""
    for name, values in WRONG_PARAMETERS.items():
        for value in values:
            yield Raw(status, b"GET", path + b"?" + name + b"=" + value)
    yield Raw(status, b"GET", path + b"?" + b"&".join(b"x=%d" % number for number in range(1001)))
    yield from _odd_gets(path, status)


def _needless_queries(path: bytes, drawn: random.Random, status: int) -> Iterator[Raw]:
    while True:
        yield Raw(status, b"GET", path + b"?" + _escaped(drawn))


def _escaped(drawn: random.Random) -> bytes:
    return b"".join(b"%%%02x" % drawn.randrange(256) for _ in range(drawn.randrange(1, 20)))


def _odd_gets(path: bytes, status: int = 200) -> Iterator[Raw]:
    """Bodies, headers and queries that a GET has no use for. `status` is that of a parameter that isn't known."""
    for query in ODD_QUERIES:
        yield Raw(200 if query in EMPTY_QUERIES else status, b"GET", path + b"?" + query)
    for name, value in ODD_HEADERS:
        yield Raw(200, b"GET", path, [(name, value)])
    yield Raw(200, b"GET", path, _UPGRADE)
    for content_type in (b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data", b"\xff"):
        for body in (b"", b"null", b"[]", b'{"limit":0}', b"\xff\x00", b"[" * 100_000, b"limit=0"):
            yield Raw(200, b"GET", path, [(b"Content-Type", content_type)], body)
    yield Raw(200, b"GET", path, [JSON], b"x" * TEN_MB)


def _wrong_methods(path: bytes, longer: int, below: int) -> Iterator[Raw]:
    """`longer` is the status where more letters stand behind the path: those of another symbol, or of nothing; `below`
    that where one more part does."""
    for method in (b"PATCH", b"DELETE", b"TRACE", b"PURGE", b"PROPFIND", b"MKCOL", b"LOCK", b"SEARCH", b"CONNECT"):
        yield Raw(405, method, path, closes=method == b"CONNECT")
    for method in (b"PATCH", b"DELETE", b"PROPFIND"):
        yield Raw(405, method, path, [JSON], b'{"max_trades_per_day":9}')
    yield Raw(405, b"PATCH", path, [JSON], b"x" * TEN_MB)
    yield Raw(below, b"POST", path + b"/x", [JSON], b"{}")
    for suffix in (b"/", b"//", b"%2f", b"/../trades/"):
        yield Raw(404, b"POST", path + suffix, [JSON], b"{}")
    for suffix in (b"%00", b"%ff", b"%20", b";x"):
        yield Raw(longer, b"POST", path + suffix, [JSON], b"{}")


def _broken_http(method: bytes, path: bytes) -> Iterator[Raw]:
    """What is no HTTP is refused by the server itself, which then closes the connection."""
    for odd in (b"get", b"FOO", b"G\x00T", b"", b"\xff", b"GET\t"):
        yield Raw(400, odd, path, closes=True)
    for target in (path + b"?\xff", path + b"?a b", path + b"?\x01", path + b"\x7f", b""):
        yield Raw(400, method, target, closes=True)
    for header in ((b"X\x00", b"1"), (b"X", b"\x00"), (b"X", b"1\r\n folded\x01"), (b"", b"1"), (b"X Y", b"1")):
        yield Raw(400, method, path, [header], closes=True)
    for length in (b"-1", b"1x", b"9" * 5000, b"0x1", b"1\r\nContent-Length: 2", b"1\r\nTransfer-Encoding: chunked"):
        yield Raw(400, method, path, [JSON, (b"Content-Length", length)], closes=True)
