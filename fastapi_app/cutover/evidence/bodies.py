"""Secrets in the body of a request or an answer."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable

from fastapi_app.cutover.evidence.secrets import Secrets
from fastapi_app.cutover.evidence.texts import looks_like_json, redacted_form, redacted_json, without_parameters

MAX_PART_HEAD_BYTES = 1_024
"""Of a part of a multipart form."""

MAX_INFLATED_BYTES = 16 * 2**20

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_FIELD = re.compile(rb'(?i)[;\s]name\s*=\s*"?([^";\r\n]*)')


Headers = tuple[tuple[str, str], ...]
Change = Callable[[bytes, Headers, Secrets], bytes]


def redacted_body(body: bytes, headers: Headers, secrets: Secrets) -> bytes:
    """Without what stands under secret names."""
    return _changed(body, headers, secrets, _plain_body)


def masked_body(body: bytes, headers: Headers, secrets: Secrets) -> bytes:
    """Without the values that were met under secret names."""
    return _changed(body, headers, secrets, _masked)


def _masked(body: bytes, _headers: Headers, secrets: Secrets) -> bytes:
    for encoding in _encodings(body):
        text = body.decode(encoding, _errors(encoding))
        shown = secrets.values.masked_json(text) if looks_like_json(text) else secrets.values.masked(text)
        if shown != text:
            body = shown.encode(encoding, _errors(encoding))
    return body


def _changed(body: bytes, headers: Headers, secrets: Secrets, change: Change) -> bytes:
    coding = _header(headers, "content-encoding")
    if not body or coding in {"", "identity"}:
        return change(body, headers, secrets)
    inflater = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # gzip or deflate, by its beginning
    try:
        plain = inflater.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error:
        # It may not be packed at all.
        return change(body, headers, secrets) if _is_text(body) else _unreadable(body, secrets)
    if inflater.unconsumed_tail or inflater.unused_data:
        return _unreadable(body, secrets)
    shown = change(plain, headers, secrets)
    return body if shown == plain else gzip.compress(shown, mtime=0)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except ValueError:
        return False
    return True


def _unreadable(body: bytes, secrets: Secrets) -> bytes:
    return secrets.label("a body as a whole", body.decode("latin-1")).encode()


def _plain_body(body: bytes, headers: Headers, secrets: Secrets) -> bytes:
    content_type = _header(headers, "content-type")
    if content_type.startswith("multipart/"):
        return _multipart(body, content_type, secrets)
    encoding = json.detect_encoding(body)
    text = body.decode(encoding, _errors(encoding))
    shown = _redacted_document(text, content_type, secrets)
    if shown != text:
        return shown.encode(encoding, _errors(encoding))
    return body if _is_json(text) else _without_parameters(body, secrets)


def _redacted_document(text: str, content_type: str, secrets: Secrets) -> str:
    shown = text
    # A form's content type is what some clients send with JSON, unless they are told.
    if "json" in content_type or looks_like_json(text):
        shown = redacted_json(text, secrets)
    if shown == text and content_type.startswith("application/x-www-form-urlencoded"):
        shown = redacted_form(text, secrets)
    return shown


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _without_parameters(body: bytes, secrets: Secrets) -> bytes:
    """Of a form that doesn't say so, a log, a page with links."""
    for encoding in _encodings(body):
        text = body.decode(encoding, _errors(encoding))
        shown = without_parameters(text, secrets)
        if shown != text:
            body = shown.encode(encoding, _errors(encoding))
    return body


def _encodings(body: bytes) -> Iterable[str]:
    """What is detected is that of JSON; bytes that are none can look like any."""
    return dict.fromkeys((json.detect_encoding(body), "utf-8"))


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding.startswith("utf-8") else "replace"


def _header(headers: Headers, wanted: str) -> str:
    return next((value.strip().lower() for name, value in headers if name == wanted), "")


def _multipart(body: bytes, content_type: str, secrets: Secrets) -> bytes:
    """The fields of a form between its boundaries, each with headers, an empty line and its value."""
    boundary = re.search(r'boundary\s*=\s*"?([^";]+)', content_type)
    if boundary is None:
        return _unreadable(body, secrets)
    # The content type is in lower case by now, the boundary is not.
    parts = re.split(rb"(?i)(\r?\n?--" + re.escape(boundary[1].strip().encode(errors="replace")) + rb")", body)
    return b"".join(_part(part, secrets) for part in parts)


def _part(part: bytes, secrets: Secrets) -> bytes:
    gap = _BLANK_LINE.search(part)
    if gap is None:
        return part
    head, value = part[: gap.end()], part[gap.end() :]
    if len(head) > MAX_PART_HEAD_BYTES:
        field: str | None = "a part as a whole"
    else:
        names = (match[1].decode(errors="replace").strip() for match in _FIELD.finditer(head))
        field = next(filter(None, map(secrets.named, names)), None)
    if field is None:
        return head + _plain_body(value, (), secrets)
    return head + secrets.label(field, value.decode(errors="backslashreplace")).encode()
