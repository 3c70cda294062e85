"""The request that a suite puts to both sides."""

import json as json_module
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from starlette.types import Scope

HOST = "testserver"

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

_NOT_ENCODED = re.compile(r"[^!-~]")


class Asked(NamedTuple):
    """The target is the raw one, percent-encoded; header names are in lower case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, method: str, target: str, *, headers: Headers | None, body: bytes | str | None, json: Any) -> "Asked":
        """See Parity.request. Raises ValueError, TypeError."""
        _check_target(target)
        if json is not None:
            if body is not None:
                raise ValueError("json= and body= are given, and a request has one body: leave one of them out")
            body = json_module.dumps(json)
        if not isinstance(body, bytes | str | None):
            raise TypeError(f"body={body!r} is neither bytes nor text; json= takes what is to be sent as JSON")
        method = method.upper()
        raw = body.encode() if isinstance(body, str) else body or b""
        return cls(method, target, _headers(method, headers, raw, is_json=json is not None), raw)

    @property
    def path(self) -> str:
        """Decoded."""
        return unquote(self.target.partition("?")[0])

    def scope(self, state: Mapping[str, Any]) -> Scope:
        """As uvicorn makes it."""
        path, _, query = self.target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers],
            "client": ("127.0.0.1", 50_000),
            "server": (HOST, 80),
            "state": dict(state),
        }

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


def _check_target(target: str) -> None:
    if not target.startswith("/"):
        raise ValueError(
            f"the target {target!r} doesn't begin with a slash: give path and query alone, such as /items?page=2"
        )
    if found := _NOT_ENCODED.search(target):
        raise ValueError(
            f"the target {target!r} holds {found[0]!r}, which no request line can: percent-encode it as "
            f"{quote(found[0], errors='backslashreplace')}, as urllib.parse.quote does"
        )


def _headers(method: str, given: Headers | None, body: bytes, *, is_json: bool) -> list[tuple[str, str]]:
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    headers = [(name.lower(), value) for name, value in pairs]
    for name, value in headers:
        if not isinstance(value, str):
            raise TypeError(f"the header {name!r} is {value!r}, and text is needed: {str(value)!r}")
    names = {name for name, _ in headers}
    if "host" not in names:
        headers.insert(0, ("host", HOST))
    if is_json and "content-type" not in names:
        headers.append(("content-type", "application/json"))
    has_body = bool(body) or method in {"PATCH", "POST", "PUT"}
    if has_body and names.isdisjoint({"content-length", "transfer-encoding"}):
        headers.append(("content-length", str(len(body))))
    return headers
