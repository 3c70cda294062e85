"""Secrets by their values: what was redacted by its name once is found where an app repeats it under another."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote

MIN_SECRET_CHARACTERS = 8
"""A shorter value is looked for under its name alone: it may stand anywhere by chance."""

MAX_SECRET_CHARACTERS = 8_192
"""A longer one is looked for under its name alone, too: it is a document rather than a secret."""

MAX_COMPARED_CHARACTERS = 50_000_000
"""Of texts with values that begin alike; about a tenth of a second."""

REDACTED = "[redacted]"
"""In a secret's place. Others have a number or a word more: see `numbered`."""

FEW = 50
"""So many values are looked for one after the other, before a text is walked through."""

_SAME_IN_EVERY_NOTATION = re.compile(r"[A-Za-z0-9_.~-]*")
_NO_SECRETS = f"{REDACTED}[redacted, another value][redacted, value"
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|-?\d[\d.eE+-]*+', re.DOTALL)


def numbered(number: int) -> str:
    """What stands for the first value, the second, and so on."""
    if number == 1:
        return REDACTED
    return "[redacted, another value]" if number == 2 else f"[redacted, value {number}]"


class SecretValues:
    """The values that were met under secret names, in each notation in which a text may hold them. To look for them
    takes time by the text's length, however many they are; a text that would take longer raises ValueError."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._by_beginning: dict[str, dict[int, set[str]]] = {}
        """In each notation, by the first characters and the length."""
        self._notations: dict[str, str] = {}
        self._compared = 0

    def learn(self, name: str, value: object) -> None:
        """Of cookies each value, of credentials what comes after the scheme, and of JSON every text."""
        for text in _texts(value):
            for secret in _parts(name, text):
                if MIN_SECRET_CHARACTERS <= len(secret) <= MAX_SECRET_CHARACTERS and secret not in _NO_SECRETS:
                    self._add(secret)

    def _add(self, secret: str) -> None:
        for notation in _notations(secret) - self._notations.keys():
            self._notations[notation] = secret
            alike = self._by_beginning.setdefault(notation[:MIN_SECRET_CHARACTERS], {})
            alike.setdefault(len(notation), set()).add(notation)

    def masked(self, text: str) -> str:
        """The text with a label for each of the values, the longest where several begin."""
        if not self._may_be_in(text):
            return text
        parts, copied, position = [], 0, 0
        last = len(text) - MIN_SECRET_CHARACTERS
        while position <= last:
            alike = self._by_beginning.get(text[position : position + MIN_SECRET_CHARACTERS])
            found = None if alike is None else self._found(text, position, alike)
            if found is None:
                position += 1
                continue
            parts += [text[copied:position], self._label(found)]
            copied = position = position + len(found)
        return "".join([*parts, text[copied:]])

    def masked_json(self, text: str) -> str:
        """As `masked`; JSON stays JSON, where a value is a part of a number, too."""
        if not self._may_be_in(text):
            return text
        return self.masked(_JSON_TOKEN.sub(self._masked_token, text))

    def _found(self, text: str, position: int, alike: dict[int, set[str]]) -> str | None:
        for length in sorted(alike, reverse=True):
            self._compared += length
            if self._compared > MAX_COMPARED_CHARACTERS:
                raise ValueError("a text holds too much that begins as secrets do")
            if (piece := text[position : position + length]) in alike[length]:
                return piece
        return None

    def _masked_token(self, token: "re.Match[str]") -> str:
        shown = self.masked(token[0])
        return shown if shown == token[0] or token[0].startswith('"') else json.dumps(shown)

    def _may_be_in(self, text: str) -> bool:
        notations = self._notations
        return bool(notations) and (len(notations) > FEW or any(each in text for each in notations))

    def _label(self, notation: str) -> str:
        return numbered(self._numbers.setdefault(self._notations[notation], len(self._numbers) + 1))


def _texts(value: object) -> Iterator[str]:
    """Every text in JSON, without the keys."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _parts(name: str, text: str) -> Iterator[str]:
    if name == "cookie":
        for pair in text.split(";"):
            yield pair.partition("=")[2].strip().strip('"')
    elif name.startswith("cookie "):
        yield text.strip().strip('"')
    elif name.endswith("authorization"):
        scheme, _, credentials = text.strip().partition(" ")
        yield credentials.strip() or scheme
        if scheme.lower() == "basic":
            yield _password(credentials)
    else:
        yield text.strip()


def _password(credentials: str) -> str:
    """RFC 7617, 2."""
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except ValueError:
        return ""


def _notations(secret: str) -> set[str]:
    """As it is, in JSON, and percent-encoded; decoded, where it came so."""
    if _SAME_IN_EVERY_NOTATION.fullmatch(secret):
        return {secret}
    plain = {secret, unquote(secret)}
    escaped = {json.dumps(each, ensure_ascii=ascii_only)[1:-1] for each in plain for ascii_only in (True, False)}
    quoted = {way(each, errors="replace") for each in plain for way in (quote, quote_plus, _quoted_whole)}
    in_lower_case = {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), each) for each in quoted}
    return {each for each in plain | escaped | quoted | in_lower_case if len(each) >= MIN_SECRET_CHARACTERS}


def _quoted_whole(text: str, *, errors: str) -> str:
    return quote(text, safe="", errors=errors)
