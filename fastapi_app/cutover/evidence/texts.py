"""Secrets in texts: in JSON, in the query of a URL, in a form."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote_plus

from fastapi_app.cutover.evidence.secrets import Secrets

MAX_NESTED_TEXTS = 20
"""Of JSON in a text of JSON, and so on; what is in the last one is taken for a secret."""

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
_DECODE = json.JSONDecoder().raw_decode


def redacted_json(text: str, secrets: Secrets, nested: int = 0) -> str:
    """JSON with nothing but the secrets changed, so that what else is in it stays byte by byte, such as 1.10. A list of
    a name and a value counts as a pair, as headers often come."""
    return spliced(text, _secrets_in(text, secrets, nested))


def _secrets_in(text: str, secrets: Secrets, nested: int) -> Iterator[tuple[int, int, str]]:
    position = 0
    # From quote to quote: inside of JSON no string begins within another. One without an end is the last.
    while (start := text.find('"', position)) >= 0 and (match := _JSON_STRING.match(text, start)):
        before, position = text[position:start], match.end()
        inner = _unescaped(match[1])
        shown = redacted_text(inner, secrets, nested + 1)
        if shown != inner:
            yield start, position, json.dumps(shown)
        name = secrets.named(inner)
        if name is None:
            continue
        if colon := _COLON.match(text, position):
            start = colon.end()
            value, position = _decoded(text, start)
            # Whether there is one is no secret, and often what differs.
            if value is not None and not isinstance(value, bool):
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


def looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[", '"')


def redacted_text(text: str, secrets: Secrets, nested: int = 0) -> str:
    """A text somewhere in JSON or in a header, which may be JSON itself, or hold a URL."""
    if nested > MAX_NESTED_TEXTS:
        return secrets.label("a text as a whole", text)
    shown = redacted_json(text, secrets, nested) if looks_like_json(text) else text
    return without_parameters(text, secrets) if shown == text else shown


def without_parameters(text: str, secrets: Secrets) -> str:
    """Without the values of what is written as in the query of a URL, wherever it is in the text."""
    return spliced(text, _parameters_in(text, secrets))


def _parameters_in(text: str, secrets: Secrets) -> Iterator[tuple[int, int, str]]:
    position = 0
    while match := _PARAMETER.search(text, position):
        position = match.end()
        name = secrets.named(unquote_plus(match[1]))
        if name is not None and (value := _VALUE.match(text, position)) and value[0]:
            yield *value.span(), secrets.label(name, unquote_plus(value[0]))
            position = value.end()


def redacted_form(text: str, secrets: Secrets) -> str:
    """A query, or a form in the same notation."""
    return "&".join(_pair(pair, secrets) for pair in text.split("&"))


def _pair(pair: str, secrets: Secrets) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return pair
    plain = unquote_plus(value)
    known = secrets.named(unquote_plus(name))
    if known is not None:
        return f"{name}={secrets.label(known, plain)}"
    shown = redacted_text(plain, secrets)
    return pair if shown == plain else f"{name}={quote(shown, safe='[]', errors='replace')}"


def spliced(text: str, changes: Iterator[tuple[int, int, str]]) -> str:
    parts, position = [], 0
    for start, end, new in changes:
        parts += [text[position:start], new]
        position = end
    return "".join([*parts, text[position:]])
