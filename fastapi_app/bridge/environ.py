"""The WSGI environ of an ASGI request: a2wsgi's, mended."""

import re
import sys
from collections.abc import Callable, Iterable
from typing import IO, Any, cast
from urllib.parse import quote, unquote_to_bytes
from wsgiref.util import FileWrapper

from a2wsgi.wsgi import build_environ
from starlette.types import Scope

SERVER_SOFTWARE = "trading-window-bridge"

# What RFC 3986 lets stand in a path as it is.
_PATH_CHARACTERS = "/:@!$&'()*+,;="


def environ_of(scope: Scope, body: IO[bytes], errors: "ErrorLog", *, multiprocess: bool) -> dict[str, Any]:
    """The environ of PEP 3333, with `asgi.scope`, as gunicorn would make it where the two have a choice."""
    raw_path: bytes = scope.get("raw_path") or quote(scope["path"], safe=_PATH_CHARACTERS).encode()
    script_name, path = _split_path(scope, raw_path)
    shown = {
        **scope,
        # a2wsgi strips the root path off any prefix: a request to /env lost the /en of root path /en (row 35).
        "root_path": "",
        "path": "",
        # a2wsgi decodes the query as ASCII, and answers 500 to a raw byte above 127.
        "query_string": b"",
        # a2wsgi merges X_Auth_User with X-Auth-User, past a proxy that checks the dashed one; gunicorn drops it
        # (row 27).
        "headers": [header for header in scope["headers"] if b"_" not in header[0]],
    }
    environ = cast("dict[str, Any]", build_environ(shown, body))  # type: ignore[arg-type]
    query: bytes = scope["query_string"]
    environ |= {
        "asgi.scope": scope,
        # a2wsgi takes SCRIPT_NAME from the process's environment, without stripping PATH_INFO (row 36).
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path,
        "QUERY_STRING": query.decode("latin-1"),
        # Without it `%2F` can't be told from a slash (row 33).
        "RAW_URI": (raw_path + b"?" + query if query else raw_path).decode("latin-1"),
        "SERVER_SOFTWARE": SERVER_SOFTWARE,
        # a2wsgi says stdout, and always true (row 39).
        "wsgi.errors": errors,
        "wsgi.multiprocess": multiprocess,
        # The body is whole, so its end is known without Content-Length; without this key Werkzeug takes a chunked
        # body for an empty one (rows 1 and 2).
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    if not scope.get("client"):
        environ["REMOTE_ADDR"] = ""
    server = scope.get("server")
    if server and server[1] is None:
        # A Unix socket, of which a2wsgi takes the path for the server's name, and 0 for its port.
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _server_of_host(environ)
    return environ


def _server_of_host(environ: dict[str, Any]) -> tuple[str, str]:
    found = re.fullmatch(r"(.+?)(?::([0-9]*))?", environ.get("HTTP_HOST", ""))
    name, port = found.groups() if found else ("localhost", None)
    return name, port or ("443" if environ["wsgi.url_scheme"] == "https" else "80")


def _split_path(scope: Scope, raw_path: bytes) -> tuple[str, str]:
    """SCRIPT_NAME and PATH_INFO, as bytes in latin-1 (PEP 3333)."""
    path: str = scope["path"]
    if b"%" in raw_path:
        # ASGI's path has U+FFFD for what is no UTF-8; the raw one keeps the byte (row 34). Middleware that rewrites
        # the path leaves the raw one behind, and then it doesn't count.
        raw = unquote_to_bytes(raw_path)
        plain = raw.decode("latin-1") if raw.decode("utf-8", "replace") == path else path.encode().decode("latin-1")
    else:
        plain = path.encode().decode("latin-1")
    if plain[:1] not in {"/", "*"} and "://" in plain:
        # A target in absolute form, of which uvicorn's h11 takes the whole for the path (row 37).
        plain = "/" + plain.partition("://")[2].partition("/")[2]
    root = scope.get("root_path", "").rstrip("/").encode().decode("latin-1")
    if root and (plain == root or plain.startswith(root + "/")):
        return root, plain[len(root) :]
    # A proxy has stripped it already.
    return root, plain


class ErrorLog:
    """`wsgi.errors`: each line becomes a record of the logger."""

    _is_logging = False

    # Not an io.TextIOBase: one is made for each request, and that takes 1.4 µs against 0.2.
    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._begun = ""

    def write(self, text: str, /) -> int:
        if self._is_logging:
            # The record has come back: Flask's documentation hangs a handler that writes here on the root logger.
            return sys.stderr.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._begun and not self._is_logging:
            line, self._begun = self._begun, ""
            self._say(line)

    def _say(self, line: str) -> None:
        self._is_logging = True
        try:
            self._log(line)
        finally:
            self._is_logging = False
