# ruff: noqa: ARG001
"""The WSGI apps under test: a Flask app and, under /raw, one without a framework. Served by gunicorn and by the bridge.

`POST /raw/input` and the others name in their docstring what they are for.
"""

import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any
from urllib.parse import parse_qs
from wsgiref.validate import WSGIWarning, validator

from flask import Flask, Response, abort, jsonify, make_response, request, send_file

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
Handler = Callable[[Environ, StartResponse], Iterable[bytes]]

greeting: ContextVar[str] = ContextVar("greeting", default="unset")
"""Set by the ASGI app around the bridge."""

VALIDATE = "BRIDGE_TEST_VALIDATE"
METHODS = {
    "wsgi.input": ("read", "readline", "readlines", "__iter__"),
    "wsgi.errors": ("write", "writelines", "flush"),
}
DIFFERING = {"REMOTE_PORT", "SERVER_PORT", "SERVER_SOFTWARE", "wsgi.file_wrapper"}
"""Both have them, with values of their own."""
EARLY_HINTS = "wsgi.early_hints"
PLAIN = [("Content-Type", "text/plain")]

_events: list[str] = []
_gates: dict[str, threading.Event] = {}

flask_app = Flask(__name__)


def create_app() -> Handler:
    """What the servers serve."""
    if os.environ.get(VALIDATE):
        warnings.simplefilter("error", WSGIWarning)
        # With a limit Werkzeug reads by the size, without one it calls read(), which the validator has no place for.
        flask_app.config["MAX_CONTENT_LENGTH"] = 2**31
        validated: Handler = validator(_app)
        return validated
    return _app


def _app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    handler = RAW.get(environ["PATH_INFO"])
    return (handler or flask_app)(environ, start_response)


# Flask


@flask_app.get("/api/health")
def health() -> Response:
    return jsonify(pid=os.getpid())


@flask_app.get("/events")
def events() -> Response:
    return jsonify(_events)


@flask_app.route("/flask/data", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
def data() -> Response:
    body = request.get_data()
    return jsonify(body=body.decode("latin-1") if len(body) < 1000 else len(body), length=request.content_length)


@flask_app.post("/flask/form")
def form() -> Response:
    files = {name: (file.filename, len(file.read())) for name, file in request.files.items()}
    return jsonify(form=request.form.to_dict(flat=False), files=files)


@flask_app.post("/flask/refused")
def refused() -> Response:
    abort(413)


@flask_app.route("/flask/echo", defaults={"rest": ""}, methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@flask_app.route("/flask/echo/<path:rest>", methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def echo(rest: str) -> Response:
    headers = {name: value for name, value in sorted(request.headers.items()) if name.startswith("X-")}
    answer = jsonify(
        method=request.method,
        rest=rest,
        query=request.query_string.decode("latin-1"),
        args=request.args.to_dict(flat=False),
        headers=headers,
        body=request.get_data().decode("latin-1"),
        type=request.content_type,
    )
    answer.headers["X-Method"] = request.method
    return answer


@flask_app.get("/flask/cookies")
def cookies() -> Response:
    answer = jsonify(request.cookies.to_dict(flat=False))
    answer.set_cookie("one", "1")
    answer.set_cookie("two", "2")
    return answer


@flask_app.get("/flask/page")
def page() -> Response:
    answer = make_response("a page")
    answer.set_etag("page")
    answer.make_conditional(request)
    return answer


@flask_app.get("/flask/file")
def file() -> Response:
    return send_file(__file__, mimetype="text/plain", etag="apps", last_modified=0)


@flask_app.route("/flask/nothing", methods=["GET", "POST"])
def nothing() -> tuple[str, int]:
    return "", 204


@flask_app.get("/flask/stream")
def stream() -> Response:
    return Response((f"data: {number}\n\n" for number in range(5)), mimetype="text/event-stream")


@flask_app.get("/flask/fails")
def fails() -> Response:
    raise RuntimeError("on purpose")


@flask_app.get("/flask/address")
def address() -> Response:
    return jsonify(request.remote_addr)


@flask_app.get("/flask/log")
def log() -> Response:
    request.environ["wsgi.errors"].write("said without an end")
    flask_app.logger.error("said by %s", greeting.get())
    return jsonify("logged")


# Raw: requests


def _input(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Does with `wsgi.input` what the query asks for, and tells what came of it."""
    body = environ["wsgi.input"]
    results: list[str] = []
    for step in json.loads(_query(environ)["do"]):
        name, *args = step
        results.append(repr(list(body) if name == "iter" else getattr(body, name)(*args)))
    start_response("200 OK", PLAIN)
    return ["\n".join(results).encode()]


def _environ(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """What both servers should agree on, by value; the rest by its type."""
    lines = []
    for name, value in sorted(environ.items()):
        if name in METHODS:
            methods = METHODS[name]
            lines.append(f"{name} {[method for method in methods if hasattr(value, method)]}")
        elif name in DIFFERING:
            lines.append(name)
        elif name != EARLY_HINTS and not name.startswith(("gunicorn.", "asgi.")):
            lines.append(f"{name} {value!r}")
    start_response("200 OK", PLAIN)
    return ["\n".join(lines).encode("latin-1")]


def _one(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """One key of the environ."""
    start_response("200 OK", PLAIN)
    return [repr(environ.get(_query(environ)["key"])).encode()]


def _has(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Whether a key is in the environ."""
    start_response("200 OK", PLAIN)
    return [repr(_query(environ)["key"] in environ).encode()]


def _software(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["SERVER_SOFTWARE"].partition("/")[0].encode()]


def _context(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return [f"{greeting.get()}, {type(environ.get('asgi.scope')).__name__}".encode()]


def _unread(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["REQUEST_METHOD"].encode()]


# Raw: responses


def _restarted(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [*PLAIN, ("X-First", "1")])
    try:
        raise RuntimeError("on purpose")  # noqa: TRY301
    except RuntimeError as exc:
        start_response("500 Oops", [("X-Second", "2")], (type(exc), exc, exc.__traceback__))
    return [b"restarted"]


def _restarted_late(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"begun"
    try:
        raise RuntimeError("on purpose")  # noqa: TRY301
    except RuntimeError as exc:
        start_response("500 Oops", PLAIN, (type(exc), exc, exc.__traceback__))
    yield b"never seen"


def _twice(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    start_response("201 Created", PLAIN)
    return [b"twice"]


def _fails_before(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    if environ["PATH_INFO"]:
        raise RuntimeError("on purpose")
    yield b"never"


def _fails_midway(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"first"
    yield b"second"
    raise RuntimeError("on purpose")


def _never_started(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return [b"no start_response"]


def _answer(status: str, headers: list[tuple[str, str]], *chunks: bytes) -> Handler:
    def handler(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [*PLAIN, *headers])
        return list(chunks)

    return handler


def _empty(status: str, *headers: tuple[str, str]) -> Handler:
    """Without a content type, as befits a response without content."""

    def handler(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return []

    return handler


def _text(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return ["text"]  # type: ignore[list-item]


def _empty_text(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return ["", b"bytes"]  # type: ignore[list-item]


def _write(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", PLAIN)
    write(b"written ")
    write(b"twice ")
    return [b"and returned"]


def _many(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Many chunks, some of them empty."""
    start_response("200 OK", PLAIN)
    for number in range(300):
        yield b"" if number % 3 == 1 else b"%d," % number * (number % 7)


def _shaped(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """A response of the shape that the query asks for."""
    shape = json.loads(_query(environ)["shape"])
    read = environ["wsgi.input"].read(shape["reads"])
    headers = [*PLAIN, ("X-Read", str(len(read)))]
    headers += [] if shape["length"] is None else [("Content-Length", str(shape["length"]))]
    write = start_response(shape["status"], headers)
    for size in shape["writes"]:
        write(b"w" * size)
    return _pieces(shape["sizes"], shape["fails_at"])


def _pieces(sizes: list[int], fails_at: int | None) -> Iterator[bytes]:
    for number, size in enumerate(sizes):
        if number == fails_at:
            raise RuntimeError("on purpose")
        yield b"%d" % (number % 10) * size


# Raw: threads


class _Watched:
    """Chunks until the client is gone; notes in the events how it ended."""

    def __init__(self, name: str, chunks: Iterator[bytes]) -> None:
        self._name = name
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self._chunks.close()  # type: ignore[attr-defined]
        _events.append(f"{self._name} closed")


def _endless(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Chunks of `size` bytes, `count` of them at most, every `pause` seconds."""
    query = _query(environ)
    name = query["name"]

    def chunks() -> Iterator[bytes]:
        sent = 0
        try:
            while sent < int(query.get("count", "1000000")):
                yield b"x" * int(query.get("size", "1000"))
                sent += 1
                time.sleep(float(query.get("pause", "0.01")))
            _events.append(f"{name} complete")
        except GeneratorExit:
            _events.append(f"{name} GeneratorExit")
            raise

    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return _Watched(name, chunks())


def _stuck(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Comes to no end until its gate opens."""
    name = _query(environ)["name"]
    _events.append(f"{name} began")
    gate(name).wait()
    _events.append(f"{name} went on")
    start_response("200 OK", PLAIN)
    return [b"at last"]


def _reads_late(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Reads its body once its gate is open."""
    name = _query(environ)["name"]
    _events.append(f"{name} began")
    gate(name).wait()
    try:
        environ["wsgi.input"].read(1)
    except OSError as exc:
        _events.append(f"{name} {type(exc).__name__}")
        raise
    _events.append(f"{name} read")
    start_response("200 OK", PLAIN)
    return [b"read"]


class _ClosedSlowly:
    """Whole at once, and then its close() waits for the gate, or for some seconds."""

    def __init__(self, name: str, seconds: float | None) -> None:
        self._name = name
        self._seconds = seconds

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"done"])

    def close(self) -> None:
        _events.append(f"{self._name} closing")
        gate(self._name).wait(self._seconds)
        print(f"{self._name} closed at last", flush=True)  # noqa: T201


def _slow_close(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Work behind the answer, such as Flask's call_on_close."""
    query = _query(environ)
    start_response("200 OK", [*PLAIN, ("Content-Length", "4")])
    return _ClosedSlowly(query["name"], float(query["seconds"]) if "seconds" in query else None)


def _swallow(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Reads in small pieces, and counts."""
    size = 0
    while piece := environ["wsgi.input"].read(65536):
        size += len(piece)
    start_response("200 OK", PLAIN)
    return [b"%d" % size]


def _big(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return (b"x" * 65536 for _ in range(int(_query(environ)["blocks"])))


def _query(environ: Environ) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}


def events_so_far() -> list[str]:
    return list(_events)


def gate(name: str) -> threading.Event:
    return _gates.setdefault(name, threading.Event())


RAW: dict[str, Handler] = {
    "/raw/input": _input,
    "/raw/environ": _environ,
    "/raw/one": _one,
    "/raw/one\xff": partial(_one),
    "/env": partial(_one),
    "*": _unread,
    "/raw/has": _has,
    "/raw/software": _software,
    "/raw/context": _context,
    "/raw/unread": _unread,
    "/raw/restarted": _restarted,
    "/raw/restarted-late": _restarted_late,
    "/raw/twice": _twice,
    "/raw/fails-before": _fails_before,
    "/raw/fails-midway": _fails_midway,
    "/raw/never-started": _never_started,
    "/raw/bare-status": _answer("200", [], b"bare"),
    "/raw/bad-status": _answer("2000 OK", [], b"bad"),
    "/raw/own-reason": _answer("200 Fine And Dandy", [("Content-Length", "5")], b"dandy"),
    "/raw/too-long": _answer("200 OK", [("Content-Length", "4")], b"toolong"),
    "/raw/too-long-chunks": _answer("200 OK", [("Content-Length", "4")], *[b"abc"] * 200),
    "/raw/not-empty": _answer("200 OK", [("Content-Length", "0")], b"not", b"empty"),
    "/raw/too-short": _answer("200 OK", [("Content-Length", "9")], b"short"),
    "/raw/write": _write,
    "/raw/no-chunks": _answer("200 OK", []),
    "/raw/empty-chunks": _answer("200 OK", [], b"", b"", b"x", b""),
    "/raw/many": _many,
    "/raw/text": _text,
    "/raw/empty-text": _empty_text,
    "/raw/length-said-twice": _answer("200 OK", [("Content-Length", "5"), ("Content-Length", "05")], b"twice"),
    "/raw/twice-named": _answer("200 OK", [("Set-Cookie", "a=1"), ("X-A", "1"), ("Set-Cookie", "b=2")], b"x"),
    "/raw/latin-1": _answer("200 OK", [("X-Latin", "caf\xe9")], b"x"),
    "/raw/bad-header": _answer("200 OK", [("X-Bad", "1\r\nX-Smuggled: 2")], b"x"),
    "/raw/bad-name": _answer("200 OK", [("X Bad", "1")], b"x"),
    "/raw/not-latin-1": _answer("200 OK", [("X-Bad", "\u20ac")], b"x"),
    "/raw/closes": _answer("200 OK", [("Connection", "close"), ("Content-Length", "1")], b"x"),
    "/raw/own-date": _answer("200 OK", [("Date", "today"), ("Server", "mine"), ("Content-Length", "1")], b"x"),
    "/raw/204": _empty("204 No Content"),
    "/raw/204-with-body": _answer("204 No Content", [("Content-Length", "4")], b"body"),
    "/raw/304": _empty("304 Not Modified", ("ETag", '"x"')),
    "/raw/304-with-length": _answer("304 Not Modified", [("ETag", '"x"'), ("Content-Length", "4")], b"body"),
    "/raw/206": _answer("206 Partial Content", [("Content-Range", "bytes 0-1/9"), ("Content-Length", "2")], b"ab"),
    "/raw/shaped": _shaped,
    "/raw/endless": _endless,
    "/raw/stuck": _stuck,
    "/raw/reads-late": _reads_late,
    "/raw/slow-close": _slow_close,
    "/raw/swallow": _swallow,
    "/raw/big": _big,
}
