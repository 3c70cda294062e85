"""The head of a response: what an app hands to `start_response`, checked."""

import re
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Message

# RFC 9112, 4 and RFC 9110, 5.1 and 5.5. Under uvicorn what is amiss here ends in no answer at all, for a2wsgi passes
# it on unread; gunicorn answers 500.
_STATUS = re.compile(r"[2-5][0-9]{2}(?: [ \t\x21-\x7e\x80-\xff]*)?")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[ \t\x21-\x7e\x80-\xff]*")

# Of one connection, not of the message (PEP 3333), or the server's own: gunicorn drops them (row 32).
_NOT_THE_APPS = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailers"),
        *(b"transfer-encoding", b"upgrade", b"server", b"date"),
    }
)


class Head(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    content_length: int | None
    bodiless: bool
    """A response to HEAD, a 204 or a 304: it has no body, whatever the app yields."""

    def message(self) -> Message:
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}


def head_of(status: str, headers: list[tuple[str, str]], *, is_head: bool, max_bytes: int) -> Head:
    """Raises ValueError for what must not go out."""
    code = _code_of(status)
    bodiless = is_head or code in {204, 304}
    content_length: int | None = None
    size = 0
    kept = []
    for name, value in headers:
        known = _name_of(name)
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of the response header {name!r} holds what a header can't")
        size += len(name) + len(value)
        if known in _NOT_THE_APPS:
            continue
        if known == b"content-length":
            # int() takes more than digits, such as `+5` and `1_0`.
            length = int(value) if value.isascii() and value.isdigit() else -1
            if length < 0 or content_length not in {None, length}:
                raise ValueError("the response has no one Content-Length")
            is_first, content_length = content_length is None, length
            if not is_first or code in {204, 304}:
                # RFC 9110, 8.6 forbids it on a 204. On a 304 uvicorn would take it for the length of this very body.
                continue
        kept.append((known, value.strip(" \t").encode("latin-1")))
    if size > max_bytes:
        raise ValueError(f"the response's headers are {size} bytes, more than {max_bytes}")
    return Head(code, kept, None if bodiless else content_length, bodiless)


# An app says the same few again and again.
@lru_cache(maxsize=256)
def _code_of(status: str) -> int:
    # a2wsgi wants a reason behind the number (row 23).
    if not _STATUS.fullmatch(status):
        raise ValueError(f"the response's status is {status!r}, not 200 to 599 and a reason")
    return int(status[:3])


@lru_cache(maxsize=256)
def _name_of(name: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a response header")
    return name.lower().encode()
