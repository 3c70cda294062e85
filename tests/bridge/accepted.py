"""Where the bridge differs from gunicorn on purpose: each difference, exactly, with its reason.

One goes for every response and so stands in no row of the table. Row 24: ASGI carries no reason phrase, so the server
says the standard one; HTTP/2 has none and RFC 9112 tells clients to ignore it.
"""

from typing import Any, NamedTuple


class Accepted(NamedTuple):
    differs: dict[str, tuple[Any, Any]]
    """By part of the response: what gunicorn says, and what the bridge."""
    reason: str


HTML = (b"content-type", b"text/html")
FLASK_HTML = (b"content-type", b"text/html; charset=utf-8")
JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")
UTF_8_TEXT = (b"content-type", b"text/plain; charset=utf-8")


def _length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % len(body))


def _page(title: bytes, text: bytes) -> bytes:
    return (
        b"<html>\n  <head>\n    <title>%s</title>\n  </head>\n"
        b"  <body>\n    <h1><p>%s</p></h1>\n    %s\n  </body>\n</html>\n" % (title, title, text)
    )


FLASK_500 = (
    b"<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
    b"<p>The server encountered an internal error and was unable to complete your request. Either the server is"
    b" overloaded or there is an error in the application.</p>\n"
)
GUNICORNS_500 = _page(b"Internal Server Error", b"")
BRIDGES_500 = b"Internal Server Error"
NO_ANSWER = b""

OWN_PAGE = Accepted(
    {
        "headers": ([HTML, _length(GUNICORNS_500)], [UTF_8_TEXT, _length(BRIDGES_500)]),
        "body": (GUNICORNS_500, BRIDGES_500),
    },
    "Both answer 500, each with a page of its own; the bridge's is uvicorn's, so that a client sees one kind.",
)


def _cut(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Accepted:
    return Accepted(
        {"status": (status, None), "headers": (headers, []), "body": (body, NO_ANSWER), "complete": (True, False)},
        "gunicorn hands the part to the app, which may take it for the whole. The bridge reads a body whole before it"
        " asks the app, so one that was cut never reaches it, and nobody is there for an answer.",
    )


def _refused(status: int, title: bytes, text: bytes, bridges_body: bytes, reason: str) -> Accepted:
    page = _page(title, text)
    return Accepted(
        {"status": (status, 200), "headers": ([HTML, _length(page)], [TEXT]), "body": (page, bridges_body)}, reason
    )


def _two_lengths(bridges_body: bytes) -> Accepted:
    page = _page(b"Bad Request", b"Invalid HTTP Header: &#x27;CONTENT-LENGTH&#x27;")
    return Accepted(
        {"headers": ([HTML, _length(page)], [UTF_8_TEXT, _length(bridges_body)]), "body": (page, bridges_body)},
        "Both answer 400, each with a page of its own.",
    )


_CUT_JSON = b'{"body":"only this","length":100}\n'

EMPTY_JSON = b'{"body":"","length":null}\n'
MAYBE_LOST = b"The request's body may have been lost for its Upgrade, which this server doesn't serve."

ON_BOTH = {
    "row-09-cut-upload-flask": _cut(200, [JSON, _length(_CUT_JSON)], _CUT_JSON),
    "row-09-cut-upload-raw": _cut(200, [TEXT], b"b'only this'"),
    "row-09-cut-chunked-upload": _cut(500, [FLASK_HTML, _length(FLASK_500)], FLASK_500),
    "row-19-context-variables": Accepted(
        {"body": (b"unset, NoneType", b"hello, dict")},
        "Under gunicorn there is no ASGI: context variables set there, and the scope, are what the bridge adds.",
    ),
    "row-20-restarted-with-exc-info": Accepted(
        {"headers": ([TEXT, (b"x-first", b"1"), (b"x-second", b"2")], [(b"x-second", b"2")])},
        "Both answer with the second status. PEP 3333 has the second headers replace the first; gunicorn adds them.",
    ),
    "row-21-called-twice": OWN_PAGE,
    "row-21-never-called": Accepted(
        {
            "status": (None, 500),
            "headers": ([], [UTF_8_TEXT, _length(BRIDGES_500)]),
            "body": (b"no start_response", BRIDGES_500),
        },
        "gunicorn writes the status line `HTTP/1.1 None`, which is no HTTP.",
    ),
    "row-22-fails-before-first-chunk": OWN_PAGE,
    "row-23-bad-status": OWN_PAGE,
    "row-26-text-for-bytes": Accepted(
        {
            "status": (200, 500),
            "headers": ([TEXT], [UTF_8_TEXT, _length(BRIDGES_500)]),
            "body": (b"", BRIDGES_500),
            "complete": (False, True),
        },
        "The bridge looks at a chunk before it sends the head, gunicorn afterwards: a 500 against a cut 200.",
    ),
    "row-26-empty-text-for-bytes": Accepted(
        {
            "status": (200, 500),
            "headers": ([TEXT], [UTF_8_TEXT, _length(BRIDGES_500)]),
            "body": (b"", BRIDGES_500),
            "complete": (False, True),
        },
        "The bridge looks at a chunk before it sends the head, gunicorn afterwards: a 500 against a cut 200.",
    ),
    "row-26-length-said-twice": Accepted(
        {
            "headers": (
                [TEXT, (b"content-length", b"5"), (b"content-length", b"05")],
                [TEXT, (b"content-length", b"5")],
            )
        },
        "A length said twice goes out once: RFC 9112, 6.3 lets a client take two for an error.",
    ),
    "row-28-forwarded-for": Accepted(
        {
            "headers": ([JSON, (b"content-length", b"12")], [JSON, (b"content-length", b"14")]),
            "body": (b'"127.0.0.1"\n', b'"203.0.113.9"\n'),
        },
        "uvicorn believes X-Forwarded-For from the peers in --forwarded-allow-ips, loopback by default. It is a setting"
        " of the server (--no-proxy-headers), and native routes see the same address.",
    ),
    "row-29-two-content-types": _refused(
        400,
        b"Bad Request",
        b"Invalid HTTP Header: &#x27;CONTENT-TYPE&#x27;",
        b"'a/b,c/d'",
        "uvicorn lets a second Content-Type pass, and joined they name no type that an app would take.",
    ),
    "row-30-response-splitting": OWN_PAGE,
    "row-30-no-header-name": OWN_PAGE,
    "row-30-not-latin-1": OWN_PAGE,
    "row-31-header-of-20-kb": _refused(
        431,
        b"Request Header Fields Too Large",
        b"Error parsing headers: &#x27;limit request headers fields size&#x27;",
        b"GET",
        "gunicorn bounds each field (8,190 bytes), the bridge all of them together (max_header_bytes, 64 KiB).",
    ),
    "row-31-url-of-9-kb": _refused(
        414,
        b"URI Too Long",
        b"Request Line is too large (8192 &gt; 4094)",
        b"GET",
        "The length of a URL is the ASGI server's to bound, for native routes too; what it has read whole costs the"
        " bridge nothing.",
    ),
    "row-35-root-path-in-a-segment-script-name": Accepted(
        {"body": (b"''", b"'/en'")},
        "gunicorn knows no root path. One that the path doesn't begin with was stripped by a proxy, and counts for the"
        " URLs that the app builds.",
    ),
    "row-39-early-hints": Accepted(
        {"body": (b"True", b"False")}, "ASGI servers have no message for 103 Early Hints that uvicorn would send."
    ),
    "row-39-server-software": Accepted({"body": (b"gunicorn", b"trading-window-bridge")}, "Each says its own name."),
    "row-40-304-with-length": Accepted(
        {"headers": ([TEXT, (b"etag", b'"x"'), (b"content-length", b"4")], [TEXT, (b"etag", b'"x"')])},
        "uvicorn takes the Content-Length of a 304 for that of its own body, and would cut the connection. A 304 need"
        " not have one (RFC 9110, 8.6).",
    ),
}

ON_HTTPTOOLS = {
    "row-01-length-beside-chunks": _two_lengths(b"Invalid HTTP request received."),
    "row-37-absolute-form-raw-uri": Accepted(
        {"body": (b"'http://test/raw/one?key=RAW_URI'", b"'/raw/one?key=RAW_URI'")},
        "uvicorn's httptools keeps the path of a target in absolute form and forgets the rest.",
    ),
}


ON_H11 = {
    "row-01-length-beside-chunks": _two_lengths(b"The request's body has no one length."),
    "row-01-upgrade-beside-no-chunks": Accepted(
        {
            "status": (200, 400),
            "headers": ([JSON, _length(EMPTY_JSON)], [UTF_8_TEXT, _length(MAYBE_LOST)]),
            "body": (EMPTY_JSON, MAYBE_LOST),
        },
        "Beside an upgrade a chunked body that is empty looks as one does that uvicorn's httptools has lost. Only the"
        " bridge's own protocol can tell them apart.",
    ),
}


def accepted(case_id: str, http: str) -> Accepted | None:
    return ON_BOTH.get(case_id) or {"httptools": ON_HTTPTOOLS, "h11": ON_H11}[http].get(case_id)
