"""The forty rows of how a2wsgi differs from gunicorn, as requests. Rows 13 to 18 are in test_disconnects.py."""

from dataclasses import dataclass
from urllib.parse import quote

FORM = b"Content-Type: application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Case:
    row: int
    name: str
    request: bytes
    half_close: bool = False
    conforming: bool = True
    """Whether the app, the method and the target stay within PEP 3333, as wsgiref.validate has it."""

    @property
    def id(self) -> str:
        return f"row-{self.row:02}-{self.name}"


def message(
    method: bytes, target: bytes, *headers: bytes, body: bytes | None = None, version: bytes = b"HTTP/1.1"
) -> bytes:
    lines = [b"%s %s %s" % (method, target, version), b"Host: test", b"Connection: close", *headers]
    lines += [] if body is None else [b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body or b""])


def chunked(
    method: bytes, target: bytes, *headers: bytes, chunks: list[bytes], trailers: tuple[bytes, ...] = ()
) -> bytes:
    head = message(method, target, b"Transfer-Encoding: chunked", *headers)
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + body + b"\r\n".join([b"0", *trailers, b"", b""])


def upgrading(request: bytes, protocol: bytes = b"h2c") -> bytes:
    """The request, with an upgrade offered beside it."""
    offer = b"Connection: Upgrade, close\r\nUpgrade: " + protocol
    assert b"Connection: close" in request
    return request.replace(b"Connection: close", offer, 1)


def _get(row: int, name: str, target: bytes, *headers: bytes, conforming: bool = True) -> Case:
    return Case(row=row, name=name, request=message(b"GET", target, *headers), conforming=conforming)


def _reads(row: int, name: str, do: str, body: bytes, *, conforming: bool = True) -> Case:
    target = b"/raw/input?do=" + quote(do).encode()
    return Case(row=row, name=name, request=message(b"POST", target, body=body), conforming=conforming)


LINES = b"one\ntwo\nthree"
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n\r\n' + b"y" * 700_000 + b"\r\n--b--\r\n"
)

CASES = [
    # Request body
    Case(row=1, name="chunked-body", request=chunked(b"POST", b"/flask/data", chunks=[b"01234", b"56789"])),
    Case(
        row=1,
        name="chunked-body-raw",
        request=chunked(b"POST", b"/raw/input?do=[[%22read%22,99]]", chunks=[b"01234", b"56789"]),
    ),
    Case(row=1, name="chunked-body-empty", request=chunked(b"POST", b"/flask/data", chunks=[])),
    Case(row=1, name="no-body", request=message(b"POST", b"/flask/data")),
    Case(
        row=1,
        name="length-beside-chunks",
        request=chunked(b"POST", b"/flask/data", b"Content-Length: 1", chunks=[b"abc"]),
    ),
    Case(
        row=1,
        name="upgrade-beside-chunks",
        request=upgrading(chunked(b"POST", b"/flask/data", chunks=[b"01234", b"56789"])),
    ),
    Case(
        row=1,
        name="upgrade-beside-no-chunks",
        request=upgrading(chunked(b"POST", b"/flask/data", chunks=[])),
    ),
    Case(row=1, name="upgrade-beside-length", request=upgrading(message(b"POST", b"/flask/data", body=b"abc"))),
    Case(
        row=1,
        name="upgrade-to-websocket-beside-length",
        request=upgrading(message(b"POST", b"/flask/data", body=b"abc"), b"websocket"),
    ),
    Case(row=1, name="upgrade-without-body", request=upgrading(message(b"GET", b"/flask/echo"))),
    Case(row=2, name="chunked-form", request=chunked(b"POST", b"/flask/form", FORM, chunks=[b"a=1&", b"b=2&a=3"])),
    _reads(3, "readline-n", '[["readline",2],["readline",9],["readline",99],["readline",99],["readline",9]]', LINES),
    _reads(4, "readline-none", '[["readline",null],["read",2],["readline",null]]', LINES),
    _reads(5, "readlines-unterminated", '[["readlines"]]', LINES),
    _reads(6, "readlines-empty", '[["readlines"],["readlines"]]', b""),
    _reads(7, "readlines-hint", '[["readlines",2],["readlines",2]]', LINES + b"\nfour\n"),
    _reads(8, "iterate-empty", '[["iter"]]', b""),
    _reads(8, "iterate", '[["readline"],["iter"],["iter"]]', LINES),
    _reads(8, "read-mixed", '[["read",0],["read",5],["readline"],["read",-1],["read",1]]', LINES),
    _reads(8, "read-all", '[["read"],["read",null]]', LINES, conforming=False),
    Case(
        row=9,
        name="cut-upload-flask",
        request=message(b"POST", b"/flask/data", b"Content-Length: 100") + b"only this",
        half_close=True,
    ),
    Case(
        row=9,
        name="cut-upload-raw",
        request=message(b"POST", b"/raw/input?do=[[%22read%22,100]]", b"Content-Length: 100") + b"only this",
        half_close=True,
    ),
    Case(
        row=9,
        name="cut-chunked-upload",
        request=chunked(b"POST", b"/flask/data", chunks=[b"only this"])[:-5],
        half_close=True,
    ),
    Case(row=10, name="unread-2-mb", request=message(b"POST", b"/flask/refused", body=b"z" * 2_000_000)),
    Case(
        row=11,
        name="expect-unread",
        request=message(b"POST", b"/raw/unread", b"Expect: 100-continue", body=b"abc"),
    ),
    Case(row=11, name="expect-read", request=message(b"POST", b"/flask/data", b"Expect: 100-continue", body=b"abc")),
    Case(row=12, name="five-mb", request=message(b"POST", b"/flask/data", body=b"w" * 5_000_000)),
    Case(
        row=12,
        name="multipart",
        request=message(b"POST", b"/flask/form", b"Content-Type: multipart/form-data; boundary=b", body=MULTIPART),
    ),
    _get(19, "context-variables", b"/raw/context"),
    # start_response
    _get(20, "restarted-with-exc-info", b"/raw/restarted", conforming=False),
    _get(20, "restarted-too-late", b"/raw/restarted-late"),
    _get(21, "called-twice", b"/raw/twice", conforming=False),
    _get(21, "never-called", b"/raw/never-started", conforming=False),
    _get(22, "fails-before-first-chunk", b"/raw/fails-before"),
    _get(22, "flask-500", b"/flask/fails"),
    _get(23, "bare-status", b"/raw/bare-status", conforming=False),
    _get(23, "bad-status", b"/raw/bad-status", conforming=False),
    _get(24, "own-reason", b"/raw/own-reason"),
    _get(25, "longer-than-content-length", b"/raw/too-long"),
    _get(25, "longer-in-many-chunks", b"/raw/too-long-chunks"),
    _get(25, "content-length-zero", b"/raw/not-empty"),
    _get(26, "shorter-than-content-length", b"/raw/too-short"),
    _get(26, "fails-midway", b"/raw/fails-midway"),
    _get(26, "write", b"/raw/write"),
    _get(26, "empty-iterable", b"/raw/no-chunks"),
    _get(26, "empty-chunks", b"/raw/empty-chunks"),
    _get(26, "many-chunks", b"/raw/many"),
    _get(26, "stream", b"/flask/stream"),
    _get(26, "text-for-bytes", b"/raw/text", conforming=False),
    _get(26, "empty-text-for-bytes", b"/raw/empty-text", conforming=False),
    _get(26, "length-said-twice", b"/raw/length-said-twice"),
    # Headers
    _get(27, "underscores", b"/raw/one?key=HTTP_X_AUTH_USER", b"X_Auth_User: evil"),
    _get(27, "underscores-beside-dashes", b"/raw/one?key=HTTP_X_AUTH_USER", b"X-Auth-User: me", b"X_Auth_User: evil"),
    _get(27, "underscored-length", b"/raw/one?key=CONTENT_LENGTH", b"Content_Length: 5"),
    Case(
        row=27,
        name="trailers",
        request=chunked(
            b"POST", b"/raw/one?key=HTTP_X_AUTH_USER", chunks=[b"abc"], trailers=(b"X-Auth-User: evil", b"X-A: 1")
        ),
    ),
    _get(28, "forwarded-for", b"/flask/address", b"X-Forwarded-For: 203.0.113.9"),
    _get(29, "two-cookies", b"/flask/cookies", b"Cookie: a=1", b"Cookie: b=2"),
    _get(29, "two-set-cookies", b"/raw/twice-named"),
    _get(29, "one-header-twice", b"/flask/echo", b"X-A: 1", b"X-A: 2"),
    _get(29, "two-content-types", b"/raw/one?key=CONTENT_TYPE", b"Content-Type: a/b", b"Content-Type: c/d"),
    _get(30, "latin-1", b"/raw/latin-1"),
    _get(30, "latin-1-request", b"/raw/one?key=HTTP_X_LATIN", b"X-Latin: caf\xe9"),
    _get(30, "response-splitting", b"/raw/bad-header", conforming=False),
    _get(30, "no-header-name", b"/raw/bad-name", conforming=False),
    _get(30, "not-latin-1", b"/raw/not-latin-1", conforming=False),
    _get(31, "header-of-20-kb", b"/raw/unread", b"X-Big: " + b"b" * 20_000),
    _get(31, "url-of-9-kb", b"/raw/unread?" + b"u" * 9_000),
    _get(31, "header-of-8-kb", b"/raw/unread", b"X-Big: " + b"b" * 8_000),
    _get(32, "own-connection-close", b"/raw/closes", conforming=False),
    _get(32, "own-date-and-server", b"/raw/own-date"),
    # Paths
    _get(33, "escaped-slash", b"/flask/echo/a%2Fb"),
    _get(33, "raw-uri", b"/raw/one?key=RAW_URI&escaped=%2F"),
    _get(33, "raw-uri-of-path", b"/raw%2Fone?key=RAW_URI"),
    _get(34, "stray-byte", b"/raw/one%FF?key=PATH_INFO"),
    _get(34, "escaped-letter", b"/raw/%6Fne?key=PATH_INFO"),
    _get(34, "not-utf-8", b"/flask/echo/%FF"),
    _get(34, "utf-8", b"/flask/echo/caf%C3%A9"),
    _get(34, "plus-and-percent", b"/flask/echo/a+b%25c%20d//e"),
    _get(34, "query-not-utf-8", b"/flask/echo?a=%FF&b=+%2B&a"),
    _get(35, "root-path-in-a-segment", b"/env?key=PATH_INFO"),
    _get(35, "root-path-in-a-segment-script-name", b"/env?key=SCRIPT_NAME"),
    _get(36, "script-name", b"/raw/one?key=SCRIPT_NAME"),
    _get(36, "script-name-path", b"/raw/one?key=PATH_INFO"),
    Case(row=37, name="options-asterisk", request=message(b"OPTIONS", b"*"), conforming=False),
    _get(37, "absolute-form", b"http://test/raw/one?key=PATH_INFO"),
    _get(37, "absolute-form-raw-uri", b"http://test/raw/one?key=RAW_URI"),
    Case(row=38, name="http-1.0", request=message(b"GET", b"/flask/echo", version=b"HTTP/1.0")),
    Case(row=38, name="http-1.0-stream", request=message(b"GET", b"/flask/stream", version=b"HTTP/1.0")),
    Case(row=38, name="http-1.0-head", request=message(b"HEAD", b"/flask/stream", version=b"HTTP/1.0")),
    Case(row=38, name="http-1.0-too-long", request=message(b"GET", b"/raw/too-long", version=b"HTTP/1.0")),
    Case(row=38, name="http-1.0-post", request=message(b"POST", b"/flask/data", body=b"abc", version=b"HTTP/1.0")),
    Case(
        row=38,
        name="websocket-upgrade",
        request=message(
            b"GET",
            b"/raw/unread",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ).replace(b"Connection: close", b"Connection: Upgrade, close"),
    ),
    _get(39, "environ", b"/raw/environ?a=b"),
    Case(row=39, name="environ-of-post", request=message(b"POST", b"/raw/environ", FORM, body=b"a=1")),
    Case(row=39, name="environ-of-chunked", request=chunked(b"POST", b"/raw/environ", chunks=[b"a"])),
    _get(39, "server-software", b"/raw/software"),
    _get(39, "file-wrapper", b"/raw/has?key=wsgi.file_wrapper"),
    _get(39, "early-hints", b"/raw/has?key=wsgi.early_hints"),
    # Methods and statuses
    Case(row=40, name="head", request=message(b"HEAD", b"/flask/page")),
    Case(row=40, name="head-of-many-chunks", request=message(b"HEAD", b"/raw/many")),
    Case(row=40, name="head-of-too-long", request=message(b"HEAD", b"/raw/too-long")),
    _get(40, "204", b"/raw/204"),
    # wsgiref objects to the Content-Type that Werkzeug leaves on it.
    _get(40, "204-flask", b"/flask/nothing", conforming=False),
    _get(40, "204-with-body", b"/raw/204-with-body", conforming=False),
    _get(40, "304", b"/raw/304"),
    _get(40, "304-with-length", b"/raw/304-with-length", conforming=False),
    _get(40, "206", b"/raw/206"),
    _get(40, "if-none-match", b"/flask/page", b'If-None-Match: "page"'),
    _get(40, "range", b"/flask/file", b"Range: bytes=3-20"),
    _get(40, "file", b"/flask/file"),
    Case(row=40, name="405", request=message(b"DELETE", b"/flask/page")),
    _get(40, "404", b"/nowhere"),
    Case(row=40, name="options", request=message(b"OPTIONS", b"/flask/echo")),
    Case(row=40, name="patch", request=message(b"PATCH", b"/flask/echo", body=b"patched")),
]
