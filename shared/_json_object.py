"""Reads a request's body as one JSON object: strict, exact, and bounded in depth and number."""

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any, NoReturn

from shared.errors import VALUE_CHARACTERS, MalformedBody

MAX_DEPTH = 256
"""How many objects and lists may lie inside one another: no recursion limit is ever reached."""

MAX_OBJECTS_AND_LISTS = 4_096
"""How many a body may hold: more than a window's config has with as many rules as it may list."""

# With what is between them, so that a body of nothing but strings is one match.
_STRINGS = re.compile(rb'(?:"(?:[^"\\]++|\\.)*+"?[^"{}\[\]]*+)++', re.DOTALL)
_ALL_BUT_BRACKETS = bytes(each for each in range(256) if each not in b"{[]}")


def read_object(body: bytes) -> dict[str, Any]:
    """Numbers with a point or an exponent come as Decimal, exactly; no key is there twice, at any depth.

    Raises MalformedBody.
    """
    _check_nesting(body)
    try:
        value = _DECODER.decode(str(body, "utf-8"))
    except UnicodeDecodeError as exc:
        raise MalformedBody("it is not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise MalformedBody(f"it is not JSON at line {exc.lineno}, column {exc.colno}") from exc
    except (ValueError, ArithmeticError) as exc:  # past what int() reads of text, or a Decimal's exponent
        raise MalformedBody("it holds a number that is too long") from exc
    if not isinstance(value, dict):
        raise MalformedBody("it is not a JSON object")
    return value


def _check_nesting(body: bytes) -> None:
    """Before anything is decoded. What isn't JSON is counted up to where the decoder stops, and that will do."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", body).translate(None, _ALL_BUT_BRACKETS)
    if len(brackets) > 2 * MAX_OBJECTS_AND_LISTS:
        raise MalformedBody(f"it holds more than {MAX_OBJECTS_AND_LISTS} objects and lists")
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"{[" else -1
        if depth > MAX_DEPTH:
            raise MalformedBody(f"its objects and lists are more than {MAX_DEPTH} deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise MalformedBody(f"the key {json.dumps(key[:VALUE_CHARACTERS])} is there more than once")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=_refuse_constant)
