"""httpbin, an app from the package index that nobody here wrote: mounted by one line, each of its routes answers as
under gunicorn."""

import dataclasses
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpbin  # type: ignore[import-untyped]
import pytest

from tests.bridge.cases import FORM, MULTIPART, chunked, message
from tests.bridge.servers import PROTOCOLS, ROOT
from tests.bridge.wire import Reply, differences, exchange
from tests.e2e.servers import HOST, Server, free_port, wait_for

MOUNTED = """
import httpbin
from fastapi_app.bridge import Bridge

app = Bridge(httpbin.app)
"""

# httpbin answers 501 to a chunked body unless its server calls itself gunicorn.
UNDER_GUNICORNS_NAME = """
import gunicorn
import httpbin
from fastapi_app.bridge import Bridge

def renamed(environ, start_response):
    return httpbin.app({**environ, "SERVER_SOFTWARE": gunicorn.SERVER_SOFTWARE}, start_response)

app = Bridge(renamed)
"""


class Visit(NamedTuple):
    target: bytes
    headers: tuple[bytes, ...]


def at(target: bytes, *headers: bytes) -> Visit:
    return Visit(target, headers)


def digest(uri: bytes, algorithm: bytes, response: bytes) -> bytes:
    return (
        b'Authorization: Digest username="user", realm="realm", nonce="nonce", uri="%s", algorithm=%s, qop=auth, nc=1,'
        b' cnonce="cnonce", response="%s"' % (uri, algorithm, response)
    )


BASIC = b"Authorization: Basic dXNlcjpwYXNzd2Q="
MD5 = digest(b"/digest-auth/auth/user/passwd", b"MD5", b"2d503b9c083840aabc4c13102b9df726")
MD5_2 = digest(b"/digest-auth/auth/user/passwd/MD5/2", b"MD5", b"223548d454b412081f43c2f11c64bf28")
SHA_256 = digest(
    b"/digest-auth/auth/user/passwd/SHA-256",
    b"SHA-256",
    b"ee24a0e6268584b551c85347997b70e07671fbe7f491460d5f10be6cf4ad5d10",
)
HTTPS = b"X-Forwarded-Proto: https"
LONG_AGO = b"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"
LONG_HENCE = b"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"
QUERY = b"?a=1&b=%C3%A9&a=2&c&d=+%2B"

VISITS = {
    "/": [at(b"/"), at(b"/?query")],
    "/absolute-redirect/<int:n>": [at(b"/absolute-redirect/3"), at(b"/absolute-redirect/1", HTTPS)],
    "/anything": [at(b"/anything" + QUERY), at(b"/anything", b"X-A: 1", b"X-A: 2", b"X_A: 3", b"X-Latin: caf\xe9")],
    "/anything/<path:anything>": [at(b"/anything/a/b%20c%2Fd" + QUERY), at(b"/anything/caf%C3%A9/%FF/a+b%25c")],
    "/base64/<value>": [at(b"/base64/SFRUUEJJTiBpcyBhd2Vzb21l"), at(b"/base64/none")],
    "/basic-auth/<user>/<passwd>": [at(b"/basic-auth/user/passwd", BASIC), at(b"/basic-auth/user/passwd")],
    "/bearer": [at(b"/bearer", b"Authorization: Bearer token"), at(b"/bearer")],
    "/brotli": [at(b"/brotli")],
    # Without a seed the bytes are random.
    "/bytes/<int:n>": [at(b"/bytes/1000?seed=7"), at(b"/bytes/0"), at(b"/bytes/200000?seed=7")],
    "/cache": [at(b"/cache"), at(b"/cache", LONG_AGO), at(b"/cache", b'If-None-Match: "x"')],
    "/cache/<int:value>": [at(b"/cache/60")],
    "/cookies": [at(b"/cookies", b"Cookie: a=1; b=caf\xc3\xa9", b"Cookie: c=3"), at(b"/cookies")],
    "/cookies/delete": [at(b"/cookies/delete?a&b=2")],
    "/cookies/set": [at(b"/cookies/set?a=1&b=2"), at(b"/cookies/set?a=%C3%A9;,", HTTPS)],
    "/cookies/set/<name>/<value>": [at(b"/cookies/set/a/1"), at(b"/cookies/set/a/b%20%22c%22", HTTPS)],
    "/deflate": [at(b"/deflate")],
    "/delay/<delay>": [at(b"/delay/0.01"), at(b"/delay/soon")],
    "/delete": [at(b"/delete" + QUERY)],
    "/deny": [at(b"/deny")],
    "/digest-auth/<qop>/<user>/<passwd>": [
        at(b"/digest-auth/auth/user/passwd", MD5),
        at(b"/digest-auth/auth/user/passwd"),
        at(b"/digest-auth/any/user/passwd?require-cookie=1", MD5),
        at(b"/digest-auth/auth/user/passwd", MD5, b"Cookie: last_nonce=nonce"),
    ],
    "/digest-auth/<qop>/<user>/<passwd>/<algorithm>": [
        at(b"/digest-auth/auth/user/passwd/SHA-256", SHA_256),
        at(b"/digest-auth/auth-int/user/passwd/SHA-512"),
    ],
    "/digest-auth/<qop>/<user>/<passwd>/<algorithm>/<stale_after>": [
        at(b"/digest-auth/auth/user/passwd/MD5/2", MD5_2, b"Cookie: stale_after=2"),
        at(b"/digest-auth/auth/user/passwd/MD5/2", MD5_2, b"Cookie: stale_after=0"),
    ],
    "/drip": [
        at(b"/drip?duration=0.1&numbytes=20"),
        at(b"/drip?duration=0&numbytes=3&code=404&delay=0.05"),
        at(b"/drip?numbytes=0"),
    ],
    "/encoding/utf8": [at(b"/encoding/utf8")],
    "/etag/<etag>": [
        at(b"/etag/x"),
        at(b"/etag/x", b'If-None-Match: W/"x", "y"'),
        at(b"/etag/x", b"If-None-Match: *"),
        at(b"/etag/x", b'If-Match: "x"'),
        at(b"/etag/x", b'If-Match: "y"'),
    ],
    "/forms/post": [at(b"/forms/post")],
    "/get": [at(b"/get" + QUERY), at(b"/get?show_env=1", HTTPS, b"X-Forwarded-For: 203.0.113.9")],
    "/gzip": [at(b"/gzip", b"Accept-Encoding: gzip")],
    "/headers": [at(b"/headers", b"X-A: 1", b"X-A: 2", b"X_A: 3", b"Accept: */*", b"X-Empty:"), at(b"/headers")],
    "/hidden-basic-auth/<user>/<passwd>": [
        at(b"/hidden-basic-auth/user/passwd", BASIC),
        at(b"/hidden-basic-auth/user/passwd"),
    ],
    "/html": [at(b"/html")],
    "/image": [
        at(b"/image"),
        at(b"/image", b"Accept: image/webp"),
        at(b"/image", b"Accept: image/svg+xml"),
        at(b"/image", b"Accept: image/jpeg"),
        at(b"/image", b"Accept: image/*"),
        at(b"/image", b"Accept: text/plain"),
    ],
    "/image/jpeg": [at(b"/image/jpeg")],
    "/image/png": [at(b"/image/png")],
    "/image/svg": [at(b"/image/svg")],
    "/image/webp": [at(b"/image/webp")],
    "/ip": [at(b"/ip"), at(b"/ip", b"X-Forwarded-For: 203.0.113.9, 198.51.100.7")],
    "/json": [at(b"/json")],
    "/links/<int:n>": [at(b"/links/10")],
    "/links/<int:n>/<int:offset>": [at(b"/links/10/0"), at(b"/links/500/7")],
    "/patch": [at(b"/patch" + QUERY)],
    "/post": [at(b"/post" + QUERY)],
    "/put": [at(b"/put" + QUERY)],
    "/range/<int:numbytes>": [
        at(b"/range/50000"),
        at(b"/range/1000?chunk_size=100&duration=0.1"),
        at(b"/range/1000", b"Range: bytes=10-19"),
        at(b"/range/1000", b"Range: bytes=-10"),
        at(b"/range/1000", b"Range: bytes=2000-"),
        at(b"/range/0"),
    ],
    "/redirect-to": [at(b"/redirect-to?url=http%3A//test/&status_code=307"), at(b"/redirect-to?url=caf%C3%A9")],
    "/redirect/<int:n>": [
        at(b"/redirect/3"),
        at(b"/redirect/3?absolute=true"),
        at(b"/redirect/1"),
        # Here it fails, and the 500 is Flask's.
        at(b"/redirect/0"),
    ],
    "/relative-redirect/<int:n>": [at(b"/relative-redirect/3"), at(b"/relative-redirect/1")],
    "/response-headers": [
        at(b"/response-headers?X-A=1&X-A=2&Set-Cookie=a%3D1&Set-Cookie=b%3D2&X-Latin=%C3%A9"),
        at(b"/response-headers?Content-Type=text/plain%3B+charset%3DUTF-8&Server=me&Date=today"),
        at(b"/response-headers?X-A=1%0D%0AX-B:+2"),
    ],
    "/robots.txt": [at(b"/robots.txt")],
    "/static/<path:filename>": [
        at(b"/static/favicon.ico"),
        at(b"/static/favicon.ico", b"Range: bytes=10-19"),
        at(b"/static/favicon.ico", LONG_HENCE),
        at(b"/static/none"),
    ],
    # One of several codes is taken at random, so all of them but one weigh nothing.
    "/status/<codes>": [
        at(b"/status/200"),
        *[at(b"/status/%d" % code) for code in (201, 204, 205, 206, 301, 304, 305, 308)],
        *[at(b"/status/%d" % code) for code in (400, 401, 402, 406, 407, 500, 599)],
        at(b"/status/418:1,200:0"),
        at(b"/status/fine"),
    ],
    "/stream-bytes/<int:n>": [at(b"/stream-bytes/1000?seed=7&chunk_size=10"), at(b"/stream-bytes/200000?seed=7")],
    "/stream/<int:n>": [at(b"/stream/3" + QUERY), at(b"/stream/100")],
    "/user-agent": [at(b"/user-agent", b"User-Agent: caf\xc3\xa9/1.0"), at(b"/user-agent")],
    "/uuid": [at(b"/uuid")],
    "/xml": [at(b"/xml")],
}

OUTSIDE_THE_ROUTES = {
    "404": message(b"GET", b"/nowhere"),
    "404-slash-too-many": message(b"GET", b"/get/"),
    "405": message(b"POST", b"/get", FORM, body=b"a=1"),
    "405-delete": message(b"DELETE", b"/post"),
    "merged-slashes": message(b"GET", b"/anything//a///b?c=d"),
    "http-1.0-stream": message(b"GET", b"/stream/3", version=b"HTTP/1.0"),
    "preflight": message(b"OPTIONS", b"/put", b"Origin: http://test", b"Access-Control-Request-Headers: X-A"),
    "one-second": message(b"GET", b"/delay/1"),
    "dripped": message(b"GET", b"/drip?duration=0.5&numbytes=5"),
    "expects-100": message(b"POST", b"/post", FORM, b"Expect: 100-continue", body=b"a=1"),
    "upload": message(b"POST", b"/post", b"Content-Type: multipart/form-data; boundary=b", body=MULTIPART),
    "large-json": message(b"PUT", b"/put", b"Content-Type: application/json", body=b"[%s0]" % (b"12345," * 50_000)),
}

BODIES = {
    "form": (FORM, b"a=1&b=%C3%A9&a=2"),
    "json": (b"Content-Type: application/json", b'{"a": [1, null, "caf\xc3\xa9"]}'),
    "multipart": (
        b"Content-Type: multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n\r\n\xff\x00\r\n--b--\r\n',
    ),
    "bytes": (b"Content-Type: application/octet-stream", bytes(range(256))),
    "empty": (FORM, b""),
}


class Mask(NamedTuple):
    pattern: bytes
    """Of what is made unrecognisable, but as long as it was, in the body and in `name: value`."""
    reason: str


CHALLENGE = Mask(rb'(?<=nonce=")[0-9a-f]+|(?<=opaque=")[0-9a-f]+', "The challenge is random.")
MASKS = {
    "/cache": Mask(
        rb"(?<=\Aetag: )[0-9a-f]{32}\Z|(?<=\Alast-modified: ).*", "The tag is random, the time that of the answer."
    ),
    "/digest-auth/<qop>/<user>/<passwd>": CHALLENGE,
    "/digest-auth/<qop>/<user>/<passwd>/<algorithm>": CHALLENGE,
    "/digest-auth/<qop>/<user>/<passwd>/<algorithm>/<stale_after>": CHALLENGE,
    "/gzip": Mask(rb"(?s)(?<=\A\x1f\x8b\x08\x00).{4}", "The head of a gzip file holds the time."),
    "/uuid": Mask(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "It is random."),
}


class Servers(NamedTuple):
    gunicorn: Server
    httptools: Server
    h11: Server
    renamed: Server


class Sent(NamedTuple):
    method: str
    name: str
    request: bytes
    is_chunked: bool = False


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("httpbin")
    (folder / "mounted.py").write_text(MOUNTED)
    (folder / "renamed.py").write_text(UNDER_GUNICORNS_NAME)
    ours = f"--http {PROTOCOLS['httptools']} --no-access-log --port"
    with ExitStack() as stack:
        yield _ready(
            Servers(
                gunicorn=_launched(stack, folder, "gunicorn httpbin:app --worker-class gthread --threads 4 --bind"),
                httptools=_launched(stack, folder, f"uvicorn mounted:app {ours}"),
                h11=_launched(stack, folder, "uvicorn mounted:app --http h11 --no-access-log --port"),
                renamed=_launched(stack, folder, f"uvicorn renamed:app {ours}"),
            )
        )


def test_every_route_has_a_request() -> None:
    assert {rule.rule for rule in httpbin.app.url_map.iter_rules()} == VISITS.keys()


@pytest.mark.parametrize("rule", VISITS)
def test_each_request_is_of_its_route(rule: str) -> None:
    adapter = httpbin.app.url_map.bind("test")
    for method in _methods(rule):
        for visit in VISITS[rule]:
            path = unquote(visit.target.decode().partition("?")[0])
            assert adapter.match(path, method=method, return_rule=True)[0].rule == rule


@pytest.mark.parametrize("rule", VISITS)
def test_answers_as_under_gunicorn(rule: str, servers: Servers) -> None:
    mask = MASKS.get(rule)
    differing: dict[tuple[str, str, str], dict[str, tuple[Any, Any]]] = {}
    replies = []
    for sent in _sent(rule):
        expected = exchange(servers.gunicorn.port, sent.request)
        replies.append((sent.method, expected))
        for http in ("renamed",) if sent.is_chunked else ("httptools", "h11"):
            answer = exchange(getattr(servers, http).port, sent.request)
            if found := differences(_masked(expected, mask), _masked(answer, mask)):
                differing[sent.method, sent.name, http] = found
    assert differing == {}
    # OPTIONS is Flask's to answer.
    at_work = [reply for method, reply in replies if method != "OPTIONS" and (reply.status or 500) < 400]
    assert at_work, "the route was never shown at work"
    assert mask is None or any(_masked(reply, mask) != reply for _, reply in replies), "there was nothing to mask"


@pytest.mark.parametrize("name", OUTSIDE_THE_ROUTES)
def test_answers_as_under_gunicorn_outside_the_routes(name: str, servers: Servers) -> None:
    request = OUTSIDE_THE_ROUTES[name]
    expected = exchange(servers.gunicorn.port, request)
    assert differences(expected, exchange(servers.httptools.port, request)) == {}
    assert differences(expected, exchange(servers.h11.port, request)) == {}


@pytest.mark.parametrize("http", ["httptools", "h11"])
def test_refuses_chunked_bodies_from_a_server_that_is_not_gunicorn(http: str, servers: Servers) -> None:
    reply = exchange(getattr(servers, http).port, chunked(b"POST", b"/post", chunks=[b"a"]))
    assert reply.status == 501
    assert b"Chunked requests are not supported for server trading-window-bridge" in reply.body


@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("code", [b"100", b"600", b"999"])
def test_a_status_that_no_answer_has_is_a_failure(code: bytes, http: str, servers: Servers) -> None:
    """gunicorn sends what it is given. RFC 9110, 15: an interim status ends no answer, and there is none past 599."""
    reply = exchange(getattr(servers, http).port, message(b"GET", b"/status/" + code))
    assert (reply.status, reply.body) == (500, b"Internal Server Error")


def _methods(rule: str) -> list[str]:
    rules = [each for each in httpbin.app.url_map.iter_rules() if each.rule == rule]
    return sorted({method for each in rules for method in each.methods})


def _sent(rule: str) -> Iterator[Sent]:
    """Each visit by each method; the first one, where the method has a body, also with each of the bodies."""
    for method in _methods(rule):
        for visit in VISITS[rule]:
            name = f"{visit.target.decode()} {visit.headers}"
            yield Sent(method, name, message(method.encode(), visit.target, *visit.headers))
        if method in {"POST", "PUT", "PATCH", "DELETE"}:
            target, headers = VISITS[rule][0]
            for kind, (content_type, body) in BODIES.items():
                start = (method.encode(), target, *headers, content_type)
                yield Sent(method, kind, message(*start, body=body))
                chunks = [body[:5], body[5:6], body[6:]] if body else []
                yield Sent(method, f"{kind}, chunked", chunked(*start, chunks=chunks), is_chunked=True)


def _masked(reply: Reply, mask: Mask | None) -> Reply:
    if mask is None:
        return reply
    headers = []
    for name, value in reply.headers:
        _, _, shown = _starred(mask, name + b": " + value).partition(b": ")
        headers.append((name, shown))
    return dataclasses.replace(reply, headers=headers, body=_starred(mask, reply.body))


def _starred(mask: Mask, text: bytes) -> bytes:
    return re.sub(mask.pattern, lambda match: b"*" * len(match[0]), text)


def _launched(stack: ExitStack, folder: Path, command: str) -> Server:
    port = free_port()
    place = f"{HOST}:{port}" if command.endswith("--bind") else str(port)
    # The Allow of a 405 is in the order of a set.
    environ = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    server = Server([sys.executable, "-m", *command.split(), place], port=port, folder=folder, environ=environ)
    stack.callback(server.leave_nothing_behind)
    server.launch()
    return server


def _ready(servers: Servers) -> Servers:
    for server in servers:
        try:
            wait_for(partial(_answers, server), "httpbin answers")
        except AssertionError as exc:
            exc.add_note(f"the server on port {server.port} printed:\n{server.output[-4000:]}")
            raise
    return servers


def _answers(server: Server) -> bool:
    with suppress(OSError):
        return exchange(server.port, message(b"GET", b"/get")).status == 200
    return False
