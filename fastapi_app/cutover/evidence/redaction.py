"""Takes secrets out of a mismatch before it is kept, so that what differed can still be told from what didn't."""

import gzip
import hashlib
import json
import marshal
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote_plus

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.comparing.verdict import compare
from fastapi_app.cutover.inventory.rules import flask_rule

SECRET_NAMES = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"})
"""Always redacted, beside the names that the settings give. Of a Set-Cookie it is the cookie's value alone."""

REDACTED = "[redacted]"
"""In a secret's place. Others of the same name have a number or a word more: see `_Secrets.label`."""

MAX_BODY_BYTES = 65_536
MAX_EFFECTS_CHARACTERS = 65_536
"""As JSON, of each side."""

MAX_RECORDING_CHARACTERS = 2**20
"""As JSON."""

MAX_PATH_CHARACTERS = 1_000
"""Of a difference's path, and of a request's path that is searched for parameters."""

MAX_PART_HEAD_BYTES = 1_024
"""Of a part of a multipart form."""

MAX_NESTED_TEXTS = 20
"""Of JSON in a text of JSON, and so on; what is in the last one is taken for a secret."""

MAX_INFLATED_BYTES = 16 * 2**20

_NO_SIDE = {"primary_has": False, "candidate_has": False}
_TOO_DEEP = {"not kept": "nested too deeply"}

_JSON_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)', re.DOTALL)
_COLON = re.compile(r"\s*:\s*")
_REST_OF_PAIR = re.compile(
    r"\s*,\s*({string}|[^\s,:\"\[\]{{}}]++|\[(?:{string}|[^\"\[\]{{}}])*+(?:\]|\Z))\s*(?:\]|\Z)".format(
        string=_JSON_STRING.pattern.replace("((?:", "(?:(?:")
    ),
    re.DOTALL,
)
_PARAMETER = re.compile(r"(?<![\w%.\[\]+-])([\w%.\[\]+-]+)=")
_VALUE = re.compile(r"\"[^\"]*\"?|'[^']*'?|[^&;#\s\"'<>]*")
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_FIELD = re.compile(rb'(?i)[;\s]name\s*=\s*"?([^";\r\n]*)')
_DECODE = json.JSONDecoder().raw_decode


def redacted(mismatch: Mismatch, *, fields: Collection[str], accepted: Sequence[AcceptedDifference] = ()) -> Mismatch:
    """The mismatch with `[redacted]` for each value that stands under one of `SECRET_NAMES` or `fields`, and small
    enough to be kept: bodies are cut and end in a note of their size and their digest, effects become the beginning of
    their JSON, and a recording that is too large is left out, which a last difference says.

    Names count in any case, with `-` or `_`: as headers, parameters of the path, the query and of URLs, fields of
    forms, and keys of JSON at any depth, in the effects and the recording too. Equal values of one name look equal
    afterwards, and different ones different: `[redacted]`, `[redacted, another value]`, `[redacted, value 3]`. A body
    that is neither JSON nor a form is kept, unless it is packed and can't be unpacked. Of an exception the type is
    kept.

    The differences are those of the redacted sides by the same rules, `accepted` among them; one that can't be seen
    there has a path and no values.
    """
    secrets = _Secrets(fields)
    request = _request(mismatch, secrets)
    primary, candidate = _observation(mismatch.primary, secrets), _observation(mismatch.candidate, secrets)
    recording, remarks = _recording(mismatch.recording, secrets)
    differences = _differences(mismatch, compare(primary, candidate, accepted=accepted).differences, secrets)
    return replace(
        mismatch,
        request=replace(request, body=_cut(request.body)),
        primary=_kept(primary),
        candidate=_kept(candidate),
        differences=(
            *(replace(difference, path=_short(difference.path)) for difference in differences),
            *(Difference(path=remark, **_NO_SIDE) for remark in remarks),
        ),
        recording=recording,
    )


def without_content(mismatch: Mismatch) -> Mismatch:
    """What is kept of a mismatch that can't be redacted: the endpoint, its mode, the instant, the method, both statuses
    and the paths of the differences, the last of which says so. Never raises."""

    def bare(observation: Observation) -> Observation:
        return Observation(side=observation.side, answer=SeenAnswer(status=observation.answer.status))

    return Mismatch(
        id=mismatch.id,
        endpoint=mismatch.endpoint,
        at=mismatch.at,
        mode=mismatch.mode,
        request=SeenRequest(method=mismatch.request.method, path=REDACTED),
        primary=bare(mismatch.primary),
        candidate=bare(mismatch.candidate),
        differences=(
            *(Difference(path=_short(difference.path), **_NO_SIDE) for difference in mismatch.differences),
            Difference(path="the content was not kept: it could not be redacted", **_NO_SIDE),
        ),
    )


class _Secrets:
    """The names whose values are secret, and the values that were met, which never leave this object."""

    def __init__(self, fields: Collection[str]) -> None:
        self._names = frozenset(map(_plain, SECRET_NAMES | {*fields}))
        self._met: dict[str, dict[str | bytes, int]] = {}

    def named(self, name: str) -> str | None:
        """The secret that goes by this name, in which it may be one part of several, as in `user[password]`."""
        parts = re.split(r"[\[\]]+", name) if "[" in name else (name,)
        return next((part for part in parts if _plain(part) in self._names), None)

    def label(self, name: str, value: object) -> str:
        """What stands for the value: the same for an equal value of this name, in the whole mismatch."""
        met = self._met.setdefault(_plain(name), {})
        number = met.setdefault(_key(value), len(met) + 1)
        if number == 1:
            return REDACTED
        return "[redacted, another value]" if number == 2 else f"[redacted, value {number}]"


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _key(value: Any) -> str | bytes:
    """Equal for equal values; where they can't be told apart, for all of a type."""
    try:
        return json.dumps(value, sort_keys=True)
    except RecursionError:
        pass
    try:
        return marshal.dumps(value, 2)
    except ValueError:
        return type(value).__name__


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
    try:
        effects = _json(observation.effects, secrets)
    except RecursionError:
        effects = _TOO_DEEP
    return replace(
        observation,
        answer=SeenAnswer(
            status=answer.status,
            headers=_headers(answer.headers, secrets),
            body=_body(answer.body, answer.headers, secrets),
        ),
        effects=effects,
        # Messages hold what was wrong, in any notation.
        raised=None if observation.raised is None else observation.raised.partition(":")[0],
    )


def _differences(mismatch: Mismatch, found: Sequence[Difference], secrets: _Secrets) -> Iterator[Difference]:
    """Those of the found that the mismatch has, too, and without values the others that it has. What differs within a
    secret is found at the secret itself."""
    lost = dict.fromkeys(_parameters(difference.path, secrets) for difference in mismatch.differences)
    paths = tuple(lost)
    for difference in found:
        path = difference.path
        told = [each for each in paths if each == path or each.startswith((f"{path}.", f"{path}["))]
        if told:
            yield difference
        for each in told:
            lost.pop(each, None)
    yield from (Difference(path=path, **_NO_SIDE) for path in lost)


def _recording(recording: Mapping[str, Any] | None, secrets: _Secrets) -> tuple[Mapping[str, Any] | None, list[str]]:
    """And a remark where it is left out."""
    if recording is None:
        return None, []
    try:
        shown = _json(recording, secrets)
    except RecursionError:
        return None, ["the recording was not kept: it is nested too deeply"]
    size = len(json.dumps(shown))
    if size > MAX_RECORDING_CHARACTERS:
        return None, [f"the recording was not kept: it has {size} characters of JSON"]
    return shown, []


def _path(endpoint: str, path: str, secrets: _Secrets) -> str:
    """The raw path with the rule's parameters that are secret taken out."""
    rule = flask_rule(endpoint.partition(" ")[2])
    names = [parameter.name for parameter in rule.parameters]
    if not any(map(secrets.named, names)):
        return path
    parts = (re.escape(part) if isinstance(part, str) else _segments(part.converter) for part in rule.parts)
    # With several parameters of any length the search takes time by a power of the path's.
    match = re.fullmatch("".join(parts) + "/?", path) if len(path) <= MAX_PATH_CHARACTERS else None
    if match is None:
        # Which part is the secret one can't be told.
        return REDACTED
    spans = [(*match.span(number), name) for number, name in enumerate(names, start=1) if secrets.named(name)]
    return _spliced(path, ((start, end, secrets.label(name, path[start:end])) for start, end, name in spans))


def _segments(converter: str) -> str:
    return "(.+?)" if converter == "path" else "([^/]+)"


def _headers(headers: tuple[tuple[str, str], ...], secrets: _Secrets) -> tuple[tuple[str, str], ...]:
    return tuple((name, _header_value(name, value, secrets)) for name, value in headers)


def _header_value(name: str, value: str, secrets: _Secrets) -> str:
    if name == "set-cookie":
        # Its name and its attributes are what differs as a rule, and no secret.
        pair, semicolon, attributes = value.partition(";")
        cookie, equals, secret = pair.partition("=")
        if equals:
            return f"{cookie}={secrets.label(f'cookie {cookie}', secret)}{semicolon}{attributes}"
    return secrets.label(name, value) if secrets.named(name) else _text(value, secrets)


def _body(body: bytes, headers: tuple[tuple[str, str], ...], secrets: _Secrets) -> bytes:
    coding = _header(headers, "content-encoding")
    if not body or coding in {"", "identity"}:
        return _plain_body(body, headers, secrets)
    inflater = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # gzip or deflate, by its beginning
    try:
        plain = inflater.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error:
        # It may not be packed at all.
        return _plain_body(body, headers, secrets) if _is_text(body) else _unreadable(body, secrets)
    if inflater.unconsumed_tail or inflater.unused_data:
        return _unreadable(body, secrets)
    shown = _plain_body(plain, headers, secrets)
    return body if shown == plain else gzip.compress(shown, mtime=0)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except ValueError:
        return False
    return True


def _unreadable(body: bytes, secrets: _Secrets) -> bytes:
    return secrets.label("a body as a whole", body.decode("latin-1")).encode()


def _plain_body(body: bytes, headers: tuple[tuple[str, str], ...], secrets: _Secrets) -> bytes:
    content_type = _header(headers, "content-type")
    if content_type.startswith("multipart/"):
        return _multipart(body, content_type, secrets)
    encoding = json.detect_encoding(body)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    text = shown = body.decode(encoding, errors)
    # A form's content type is what some clients send with JSON, unless they are told.
    if "json" in content_type or _looks_like_json(text):
        shown = _json_text(text, secrets)
    if shown == text and content_type.startswith("application/x-www-form-urlencoded"):
        shown = _form(text, secrets)
    return body if shown == text else shown.encode(encoding, errors)


def _header(headers: tuple[tuple[str, str], ...], wanted: str) -> str:
    return next((value.strip().lower() for name, value in headers if name == wanted), "")


def _form(text: str, secrets: _Secrets) -> str:
    """A query, or a form in the same notation."""
    return "&".join(_pair(pair, secrets) for pair in text.split("&"))


def _pair(pair: str, secrets: _Secrets) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return pair
    plain = unquote_plus(value)
    known = secrets.named(unquote_plus(name))
    if known is not None:
        return f"{name}={secrets.label(known, plain)}"
    shown = _text(plain, secrets)
    return pair if shown == plain else f"{name}={quote(shown, safe='[]', errors='replace')}"


def _multipart(body: bytes, content_type: str, secrets: _Secrets) -> bytes:
    """The fields of a form between its boundaries, each with headers, an empty line and its value."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is None:
        return body
    # The content type is in lower case by now, the boundary is not.
    parts = re.split(rb"(?i)(\r?\n?--" + re.escape(boundary[1].strip().encode(errors="replace")) + rb")", body)
    return b"".join(_part(part, secrets) for part in parts)


def _part(part: bytes, secrets: _Secrets) -> bytes:
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


def _looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[", '"')


def _json(value: Mapping[str, Any], secrets: _Secrets) -> Any:
    """Raises RecursionError for what is nested too deeply."""
    return json.loads(_json_text(json.dumps(value, default=repr), secrets)) if value else value


def _json_text(text: str, secrets: _Secrets, nested: int = 0) -> str:
    """JSON with nothing but the secrets changed, so that what else is in it stays byte by byte, such as 1.10. A list of
    a name and a value counts as a pair, as headers often come."""
    return _spliced(text, _secrets_in(text, secrets, nested))


def _secrets_in(text: str, secrets: _Secrets, nested: int) -> Iterator[tuple[int, int, str]]:
    position = 0
    # From quote to quote: inside of JSON no string begins within another. One without an end is the last.
    while (start := text.find('"', position)) >= 0 and (match := _JSON_STRING.match(text, start)):
        before, position = text[position:start], match.end()
        inner = _unescaped(match[1])
        shown = _text(inner, secrets, nested + 1)
        if shown != inner:
            yield start, position, json.dumps(shown)
        name = secrets.named(inner)
        if name is None:
            continue
        if colon := _COLON.match(text, position):
            start = colon.end()
            value, position = _decoded(text, start)
            yield start, position, json.dumps(secrets.label(name, value))
        elif before.rstrip().endswith("[") and (pair := _REST_OF_PAIR.match(text, position)):
            start, position = pair.span(1)
            yield start, position, json.dumps(secrets.label(name, _decoded(pair[1], 0)[0]))


def _decoded(text: str, start: int) -> tuple[object, int]:
    """The value there and where it ends."""
    try:
        return _DECODE(text, start)
    except (ValueError, RecursionError):
        # Broken, cut or too deep: where it ends can't be told.
        return text[start:], len(text)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _text(text: str, secrets: _Secrets, nested: int = 0) -> str:
    """A text somewhere in JSON or in a header, which may be JSON itself, or hold a URL."""
    if nested > MAX_NESTED_TEXTS:
        return secrets.label("a text as a whole", text)
    shown = _json_text(text, secrets, nested) if _looks_like_json(text) else text
    return _parameters(text, secrets) if shown == text else shown


def _parameters(text: str, secrets: _Secrets) -> str:
    """Without the values of what is written as in the query of a URL, wherever it is in the text."""
    return _spliced(text, _parameters_in(text, secrets))


def _parameters_in(text: str, secrets: _Secrets) -> Iterator[tuple[int, int, str]]:
    position = 0
    while match := _PARAMETER.search(text, position):
        position = match.end()
        name = secrets.named(unquote_plus(match[1]))
        if name is not None and (value := _VALUE.match(text, position)):
            yield *value.span(), secrets.label(name, unquote_plus(value[0]))
            position = value.end()


def _spliced(text: str, changes: Iterator[tuple[int, int, str]]) -> str:
    parts, position = [], 0
    for start, end, new in changes:
        parts += [text[position:start], new]
        position = end
    return "".join([*parts, text[position:]])


def _kept(observation: Observation) -> Observation:
    answer = observation.answer
    effects = json.dumps(observation.effects)
    return replace(
        observation,
        answer=replace(answer, body=_cut(answer.body)),
        effects=observation.effects
        if len(effects) <= MAX_EFFECTS_CHARACTERS
        else {f"cut: {len(effects)} characters of JSON in all": effects[:MAX_EFFECTS_CHARACTERS]},
    )


def _cut(body: bytes) -> bytes:
    if len(body) <= MAX_BODY_BYTES:
        return body
    end = MAX_BODY_BYTES
    # Not within a character of UTF-8, whose later bytes all begin with the bits 10.
    while end > MAX_BODY_BYTES - 4 and body[end] & 0xC0 == 0x80:
        end -= 1
    digest = hashlib.sha256(body).hexdigest()[:12]
    return body[:end] + f"\n[cut: {len(body)} bytes in all, SHA-256 {digest}]".encode()


def _short(path: str) -> str:
    return path if len(path) <= MAX_PATH_CHARACTERS else path[: MAX_PATH_CHARACTERS - 1] + "…"
