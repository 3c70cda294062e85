"""The id of the request that is being served, on every log line that it causes, in either stack."""

import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar

import uuid_utils

HEADER = b"x-request-id"

# What may come from a client into the log: no spaces, no control characters, bounded.
_ACCEPTED = re.compile(rb"[!-~]{1,128}")


class RequestId:
    """The client's own id where its headers have a usable one, else a new one; found out when somebody first asks."""

    __slots__ = ("_headers", "_text")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._headers = headers
        self._text: str | None = None

    def __str__(self) -> str:
        if self._text is None:
            given = next((value for name, value in self._headers if name == HEADER), b"")
            self._text = given.decode("ascii") if _ACCEPTED.fullmatch(given) else str(uuid_utils.uuid7())
        return self._text


request_id: ContextVar[RequestId | None] = ContextVar("request_id", default=None)


class RequestIdFilter(logging.Filter):
    """Gives each record a `request_id`; outside a request it is `-`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = str(request_id.get() or "-")
        return True
