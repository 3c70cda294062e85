"""A mismatch as a pytest case, for the suite of the app that is moving."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastapi_app.cutover.comparing.observation import Mismatch, SeenRequest

_LINE = 118
_CHUNK = 80

# Of a connection; the fixture writes the Content-Length, since what stands for a secret is of another length.
_OMITTED_HEADERS = frozenset({"connection", "content-length", "expect", "keep-alive", "transfer-encoding", "upgrade"})

# As the redaction writes them: alone in a JSON string, or somewhere in a text. Its second and third value of a name
# have a word more.
_LABEL = re.compile(r'(?P<quoted>")?\[redacted(?:, (?P<second>another value)|, value (?P<number>\d+))?\](?(quoted)")')
_CUT = re.compile(rb"\n\[cut: \d+ bytes in all, SHA-256 [0-9a-f]+\]\Z")

# The name before a value: a key of JSON, a parameter of a query or a form, a field of a multipart form.
_NAME = re.compile(
    r'"(?P<key>[^"\\]+)"\s*:\s*\Z|(?P<parameter>[^=&?;#\s"]+)=\Z'
    r'|\bname="(?P<field>[^"\r\n]*)"[^\r\n]*(?:\r\n[^\r\n]+)*\r\n\r\n\Z'
)

_HELPER = '''def redacted(variable: str) -> str:
    """A value of the request that was not kept."""
    if variable not in os.environ:
        pytest.fail(f"set {variable}: the request had a value there that was not kept")
    return os.environ[variable]'''


def as_test(
    mismatch: Mismatch,
    *,
    native: str,
    legacy: str | None = None,
    effects: str | None = None,
    accepted: str | None = None,
) -> str:
    """A module with one test, which uses the `parity` fixture: it fails while the sides differ.

    The others are import strings: `module:name`, or `module:name()` for what has to be called. `native` and `legacy`
    are the apps; without `legacy`, the app of `native` has the two as its attributes `legacy` and `native`. With
    `effects`, a recording is put to both sides, so that the test needs no state. Without a recording it needs what was
    there, and fails where legacy's status is another than in the mismatch, whichever side answered the client then.
    `accepted` are the rules of accepted differences. What was redacted is read from variables of the environment, which
    the test names, and a body that was cut from a file. Raises ValueError for another import string.
    """
    sides = {"native": _Import.parse(native), **({"legacy": _Import.parse(legacy)} if legacy else {})}
    others: dict[str, _Import] = {}
    arguments = _arguments(mismatch.request)
    given = _apps(sides)
    recorded: list[str] = []
    if effects:
        others["effects"] = _Import.parse(effects)
        given.append(f"effects={others['effects'].value('effects')}")
    if effects and mismatch.recording is not None:
        arguments.append("recording=RECORDING")
        # As JSON, which has a word for what is no number, and takes more depth than Python's own notation.
        recorded = [f'RECORDING = json.loads(r"""\n{json.dumps(dict(mismatch.recording), indent=1)}\n""")']
    else:
        old = mismatch.primary if mismatch.primary.side == "legacy" else mismatch.candidate
        arguments.append(f"legacy_answered={old.answer.status}")
    if accepted:
        others["ACCEPTED"] = _Import.parse(accepted)
        arguments.append(f"accepted={others['ACCEPTED'].value('ACCEPTED')}")
    body = [
        f"def test_{_identifier(mismatch)}(parity):",
        *(["    app = " + sides["native"].value("native_app")] if not legacy else []),
        f"    pair = parity({', '.join(given)})",
        "    pair.request(",
        *(f"        {argument}," for argument in arguments),
        "    )",
    ]
    text = "\n".join(body)
    needs_secrets = "redacted(" in text
    # The recording itself may hold any words.
    used = text + "json.loads(" * bool(recorded)
    groups = [
        [*_heading(mismatch)],
        [statement for pattern, statement in _STANDARD.items() if re.search(pattern, used)],
        ["import pytest"] if needs_secrets else [],
        sorted(
            [
                *(each.statement(f"{side}_app") for side, each in sides.items()),
                *(each.statement(name) for name, each in others.items()),
            ]
        ),
        recorded,
    ]
    head = "\n\n".join("\n".join(group) for group in groups if group)
    return "\n\n\n".join([head, *([_HELPER] if needs_secrets else []), text]) + "\n"


_STANDARD = {
    r"json\.(dumps|loads)\(": "import json",
    r"redacted\(": "import os",
    r"Path\(": "from pathlib import Path",
    r"\bquote\(": "from urllib.parse import quote",
    r"\bquote_plus\(": "from urllib.parse import quote_plus",
}


class _Import(NamedTuple):
    module: str
    name: str
    rest: str
    """Attributes and calls."""

    @classmethod
    def parse(cls, text: str) -> "_Import":
        match = re.fullmatch(r"([\w.]+):(\w+)((?:\.\w+)*(?:\(.*\))?)", text)
        if match is None:
            raise ValueError(f"{text!r} is neither module:name nor module:name()")
        return cls(match[1], match[2], match[3])

    def statement(self, alias: str) -> str:
        return f"from {self.module} import {self.name}" + (f" as {alias}" if alias != self.name else "")

    def value(self, alias: str) -> str:
        return f"{alias}{self.rest}"

    def factory(self, alias: str) -> str:
        value = self.value(alias)
        return value.removesuffix("()") if value.endswith("()") else f"lambda: {value}"


def _apps(sides: Mapping[str, _Import]) -> list[str]:
    if "legacy" not in sides:
        return ["legacy=lambda: app.legacy", "native=lambda: app.native"]
    return [f"{side}={sides[side].factory(f'{side}_app')}" for side in ("legacy", "native")]


def _heading(mismatch: Mismatch) -> Iterator[str]:
    number = "" if mismatch.id is None else f" {mismatch.id}"
    yield _comment(f"Mismatch{number} of {mismatch.endpoint}, seen {mismatch.at.isoformat()} in {mismatch.mode}.")
    for difference in mismatch.differences:
        yield _comment(f"  {difference.between(mismatch.primary.side, mismatch.candidate.side)}")


def _comment(text: str) -> str:
    line = "# " + "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def _identifier(mismatch: Mismatch) -> str:
    number = "" if mismatch.id is None else f"_{mismatch.id}"
    endpoint = re.sub(r"[^a-z0-9]+", "_", mismatch.endpoint.lower()).strip("_")
    return f"mismatch{number}_of_{endpoint}"


def _arguments(request: SeenRequest) -> list[str]:
    target = request.path + (f"?{request.query}" if request.query else "")
    arguments = [_written(request.method), _expression(_pieces(target, "path"), of_bytes=False)]
    headers = [(name, value) for name, value in request.headers if name not in _OMITTED_HEADERS]
    if headers:
        lines = [
            f"            ({_written(name)}, {_expression(_pieces(value, name), of_bytes=False)}),\n"
            for name, value in headers
        ]
        arguments.append(f"headers=[\n{''.join(lines)}        ]")
    if _CUT.search(request.body):
        arguments.append('body=Path(redacted("PARITY_BODY_FILE")).read_bytes()')
    elif request.body:
        arguments.append(f"body={_expression(_pieces(request.body.decode('latin-1'), 'body'), of_bytes=True)}")
    return arguments


class _Secret(NamedTuple):
    variable: str
    form: str
    """How its value is written into what is around it."""


def _pieces(text: str, name: str) -> Iterator[str | _Secret]:
    """The text as it is, and what stands for secrets. Their names are those that are before them, or else `name`."""
    end_of_last = 0
    for label in _LABEL.finditer(text):
        if before := text[end_of_last : label.start()]:
            yield before
        named = _NAME.search(text[max(0, label.start() - 1_000) : label.start()])
        found = named[named.lastgroup or 0] if named else name
        number = 2 if label["second"] else label["number"]
        suffix = f"_{number}" if number else ""
        variable = f"PARITY_{re.sub(r'[^A-Za-z0-9]+', '_', found).strip('_').upper() or 'VALUE'}{suffix}"
        is_parameter = name == "path" or (named is not None and named["parameter"] is not None)
        form = "json" if label["quoted"] else "parameter" if is_parameter else "plain"
        if name == "path" and "?" not in text[: label.start()]:
            form = "segment"
        yield _Secret(variable, form)
        end_of_last = label.end()
    if rest := text[end_of_last:]:
        yield rest


def _expression(pieces: Iterator[str | _Secret], *, of_bytes: bool) -> str:
    """In one line where it is short, else in brackets of its own, a chunk a line."""
    terms = [
        _call(piece, of_bytes=of_bytes) if isinstance(piece, _Secret) else _chunks(piece, of_bytes=of_bytes)
        for piece in pieces
    ] or [_chunks("", of_bytes=of_bytes)]
    line = " + ".join(term[0] for term in terms)
    if len(line) <= _CHUNK + 10 and all(len(term) == 1 for term in terms):
        return line
    inner = "\n            + ".join("\n            ".join(term) for term in terms)
    return f"(\n            {inner}\n        )"


def _chunks(text: str, *, of_bytes: bool) -> list[str]:
    parts = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)] or [""]
    return [_written(part.encode("latin-1") if of_bytes else part) for part in parts]


def _call(secret: _Secret, *, of_bytes: bool) -> list[str]:
    value = f'redacted("{secret.variable}")'
    value = {
        "json": f"json.dumps({value})",
        "parameter": f"quote_plus({value})",
        "segment": f'quote({value}, safe="")',
    }.get(secret.form, value)
    return [f"{value}.encode()" if of_bytes else value]


def _written(value: Any) -> str:
    """As Python, in double quotes where that needs no escapes."""
    text = ascii(value)
    prefix, quoted = ("b", text[1:]) if isinstance(value, bytes) else ("", text)
    return f'{prefix}"{quoted[1:-1]}"' if '"' not in quoted else text
