"""Takes secrets out of a mismatch before it is kept, so that what differed can still be told from what didn't."""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from fastapi_app.cutover.body_differences import PATH as BODY
from fastapi_app.cutover.body_differences import body_differences
from fastapi_app.cutover.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.paths import steps_of
from fastapi_app.cutover.rules import flask_rule

SECRET_NAMES = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"})
"""Always redacted, beside the names that the settings give."""

REDACTED = "[redacted]"
"""In a secret's place. Others of the same name have a number or a word more: see `_Secrets.label`."""

MAX_BODY_BYTES = 65_536
MAX_INFLATED_BYTES = 16 * 2**20

_ANOTHER = "[redacted, another value]"

_JSON_TEXT = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*:\s*)?', re.DOTALL)
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;#?\s]+)=([^&;#\s\"'<>]*)")
_MULTIPART_NAME = re.compile(rb'(?i)content-disposition:[^\r\n]*?[;\s]name="?([^";\r\n]*)')
_DECODE = json.JSONDecoder().raw_decode


def redacted(mismatch: Mismatch, *, fields: Collection[str]) -> Mismatch:
    """The mismatch with `[redacted]` for each value that stands under one of `SECRET_NAMES` or `fields`, and with
    bodies cut at `MAX_BODY_BYTES`, which then end in a note of their size and their digest.

    Names count in any case, with `-` or `_`: as headers, parameters of the path, the query and of URLs, fields of
    forms, and keys of JSON at any depth, in the effects and the recording too. Equal values of one name look equal
    afterwards, and different ones different: `[redacted]`, `[redacted, another value]`, `[redacted, value 3]`. A body
    that is neither JSON nor a form is kept.
    """
    secrets = _Secrets(fields)
    request = _request(mismatch, secrets)
    primary, candidate = _observation(mismatch.primary, secrets), _observation(mismatch.candidate, secrets)
    differences = _differences(mismatch, primary.answer, candidate.answer, secrets)
    return replace(
        mismatch,
        request=replace(request, body=_cut(request.body)),
        primary=replace(primary, answer=replace(primary.answer, body=_cut(primary.answer.body))),
        candidate=replace(candidate, answer=replace(candidate.answer, body=_cut(candidate.answer.body))),
        differences=tuple(differences),
        recording=None if mismatch.recording is None else _json(mismatch.recording, secrets),
    )


class _Secrets:
    """The names whose values are secret, and the values that were met, which never leave this object."""

    def __init__(self, fields: Collection[str]) -> None:
        self._names = frozenset(map(_plain, SECRET_NAMES | {*fields}))
        self._met: dict[str, dict[str, int]] = {}

    def __contains__(self, name: str) -> bool:
        return _plain(name) in self._names

    def label(self, name: str, value: object) -> str:
        """What stands for the value: the same for an equal value of this name, in the whole mismatch."""
        met = self._met.setdefault(_plain(name), {})
        key = json.dumps(value, sort_keys=True, default=repr)
        number = met.setdefault(key, len(met) + 1)
        if number == 1:
            return REDACTED
        return _ANOTHER if number == 2 else f"[redacted, value {number}]"


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _request(mismatch: Mismatch, secrets: _Secrets) -> SeenRequest:
    request = mismatch.request
    return replace(
        request,
        path=_path(mismatch.endpoint, request.path, secrets),
        query=_form(request.query, secrets),
        headers=_headers(request.headers, secrets),
        body=_body(request.body, request.headers, secrets),
    )


def _observation(observation: Observation, secrets: _Secrets) -> Observation:
    answer = observation.answer
    return replace(
        observation,
        answer=SeenAnswer(
            status=answer.status,
            headers=_headers(answer.headers, secrets),
            body=_body(answer.body, answer.headers, secrets),
        ),
        effects=_json(observation.effects, secrets),
        raised=None if observation.raised is None else _text(observation.raised, secrets),
    )


def _differences(
    mismatch: Mismatch, primary: SeenAnswer, candidate: SeenAnswer, secrets: _Secrets
) -> Iterator[Difference]:
    """`primary` and `candidate` are the answers without their secrets."""
    changed = (primary.body, candidate.body) != (mismatch.primary.answer.body, mismatch.candidate.answer.body)
    for difference in mismatch.differences:
        name = next((step for step in _names_in(difference.path) if step in secrets), None)
        if name is not None:
            yield _with_values(difference, partial(secrets.label, name))
        elif difference.path == BODY and changed:
            # A part of the text around the first difference, which may begin within a secret.
            yield from body_differences(primary, candidate)
        else:
            yield _with_values(difference, lambda value: _json(value, secrets))


def _with_values(difference: Difference, shown: Callable[[Any], Any]) -> Difference:
    primary = shown(difference.primary) if difference.primary_has else None
    candidate = shown(difference.candidate) if difference.candidate_has else None
    if primary == candidate and (primary, candidate) != (difference.primary, difference.candidate):
        # What is shown of a long value is its beginning, which may be the same.
        candidate = _ANOTHER
    return replace(difference, primary=primary, candidate=candidate)


def _names_in(path: str) -> Iterator[str]:
    try:
        yield from (step for step in steps_of(path) if isinstance(step, str))
    except ValueError:
        yield from re.split(r'[.\[\]"]+', path)


def _path(endpoint: str, path: str, secrets: _Secrets) -> str:
    """The raw path with the rule's parameters that are secret taken out."""
    rule = flask_rule(endpoint.partition(" ")[2])
    if not any(parameter.name in secrets for parameter in rule.parameters):
        return path
    names = [parameter.name for parameter in rule.parameters]
    parts = (re.escape(part) if isinstance(part, str) else _segments(part.converter) for part in rule.parts)
    match = re.fullmatch("".join(parts) + "/?", path)
    if match is None:
        # Which part is the secret one can't be told.
        return REDACTED
    spans = [(*match.span(number), name) for number, name in enumerate(names, start=1) if name in secrets]
    return _spliced(path, ((start, end, secrets.label(name, path[start:end])) for start, end, name in spans))


def _segments(converter: str) -> str:
    return "(.+?)" if converter == "path" else "([^/]+)"


def _headers(headers: tuple[tuple[str, str], ...], secrets: _Secrets) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, secrets.label(name, value) if name in secrets else _parameters(value, secrets))
        for name, value in headers
    )


def _body(body: bytes, headers: tuple[tuple[str, str], ...], secrets: _Secrets) -> bytes:
    if _header(headers, "content-encoding") not in {"gzip", "deflate"}:
        return _plain_body(body, headers, secrets)
    inflater = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # either of the two, by its beginning
    try:
        plain = inflater.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error:
        return body
    shown = _plain_body(plain, headers, secrets)
    return body if shown == plain else gzip.compress(shown, mtime=0)


def _plain_body(body: bytes, headers: tuple[tuple[str, str], ...], secrets: _Secrets) -> bytes:
    content_type = _header(headers, "content-type")
    if content_type.startswith("multipart/"):
        return _multipart(body, content_type, secrets)
    text = body.decode(errors="surrogateescape")
    if content_type.startswith("application/x-www-form-urlencoded"):
        shown = _form(text, secrets)
    elif "json" in content_type or _looks_like_json(text):
        shown = _json_text(text, secrets)
    else:
        return body
    return shown.encode(errors="surrogateescape")


def _header(headers: tuple[tuple[str, str], ...], wanted: str) -> str:
    return next((value.strip().lower() for name, value in headers if name == wanted), "")


def _form(text: str, secrets: _Secrets) -> str:
    """A query, or a form in the same notation."""
    pairs = []
    for pair in text.split("&"):
        name, equals, value = pair.partition("=")
        key = unquote_plus(name)
        # Arrays are often written as name[] or name[0].
        known = next((known for known in (key, key.partition("[")[0]) if known in secrets), None)
        pairs.append(f"{name}={secrets.label(known, unquote_plus(value))}" if known and equals else pair)
    return "&".join(pairs)


def _multipart(body: bytes, content_type: str, secrets: _Secrets) -> bytes:
    """The fields of a form between its boundaries, each with headers, an empty line and its value."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is None:
        return body
    # The content type is in lower case by now, the boundary is not.
    parts = re.split(rb"(?i)(\r?\n?--" + re.escape(boundary[1].strip().encode(errors="replace")) + rb")", body)
    for index, part in enumerate(parts):
        head, gap, value = part.partition(b"\r\n\r\n")
        name = _MULTIPART_NAME.search(head)
        field = name[1].decode(errors="replace") if name else ""
        if gap and field in secrets:
            parts[index] = head + gap + secrets.label(field, value.decode(errors="backslashreplace")).encode()
    return b"".join(parts)


def _looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _json_text(text: str, secrets: _Secrets) -> str:
    """JSON with nothing but the secrets changed, so that what else is in it stays byte by byte, such as 1.10."""
    return _spliced(text, _secrets_in(text, secrets))


def _secrets_in(text: str, secrets: _Secrets) -> Iterator[tuple[int, int, str]]:
    position = 0
    # From quote to quote: inside of JSON no string begins within another. One without an end is the last.
    while (start := text.find('"', position)) >= 0 and (match := _JSON_TEXT.match(text, start)):
        position = match.end()
        inner = _unescaped(match[1])
        if match[2] is None:
            shown = _text(inner, secrets)
            if shown != inner:
                yield match.start(), match.end(), json.dumps(shown)
        elif inner in secrets:
            try:
                value, end = _DECODE(text, position)
            except (ValueError, RecursionError):
                # Broken or cut: where the secret ends can't be told.
                value, end = text[position:], len(text)
            yield position, end, json.dumps(secrets.label(inner, value))
            position = end


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _json(value: Any, secrets: _Secrets) -> Any:
    """The value of a JSON text, made anew; a list of a name and a value counts as a pair, as headers often come."""
    if isinstance(value, Mapping):
        return {
            key: secrets.label(key, below) if isinstance(key, str) and key in secrets else _json(below, secrets)
            for key, below in value.items()
        }
    if isinstance(value, list | tuple):
        if len(value) == 2 and isinstance(value[0], str) and value[0] in secrets:
            return [value[0], secrets.label(value[0], value[1])]
        return [_json(below, secrets) for below in value]
    return _text(value, secrets) if isinstance(value, str) else value


def _text(text: str, secrets: _Secrets) -> str:
    """A text somewhere in JSON, which may be JSON itself, or hold a URL."""
    return _json_text(text, secrets) if _looks_like_json(text) else _parameters(text, secrets)


def _parameters(text: str, secrets: _Secrets) -> str:
    """The secret parameters of the queries of URLs in the text."""
    return _PARAMETER.sub(
        lambda match: (
            f"{match[1]}={secrets.label(unquote_plus(match[1]), unquote_plus(match[2]))}"
            if unquote_plus(match[1]) in secrets
            else match[0]
        ),
        text,
    )


def _spliced(text: str, changes: Iterator[tuple[int, int, str]]) -> str:
    parts, position = [], 0
    for start, end, new in changes:
        parts += [text[position:start], new]
        position = end
    return "".join([*parts, text[position:]])


def _cut(body: bytes) -> bytes:
    if len(body) <= MAX_BODY_BYTES:
        return body
    end = MAX_BODY_BYTES
    # Not within a character of UTF-8, whose later bytes all begin with the bits 10.
    while end > MAX_BODY_BYTES - 4 and body[end] & 0xC0 == 0x80:
        end -= 1
    digest = hashlib.sha256(body).hexdigest()[:12]
    return body[:end] + f"\n[cut: {len(body)} bytes in all, SHA-256 {digest}]".encode()
