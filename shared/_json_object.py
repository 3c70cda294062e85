"""Reads a request's body as one JSON object: strict, exact, and bounded in depth."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any, NoReturn

from shared.errors import VALUE_CHARACTERS, MalformedBody

MAX_BRACKETS = 256
"""How many `{` and `[` a body may hold, strings included: so deep at most, that no recursion limit is ever reached."""


def read_object(body: bytes) -> dict[str, Any]:
    """Numbers with a point or an exponent come as Decimal, exactly; no key is there twice, at any depth.

    Raises MalformedBody.
    """
    if body.count(b"{") + body.count(b"[") > MAX_BRACKETS:
        raise MalformedBody(f"it holds more than {MAX_BRACKETS} objects and lists")
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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise MalformedBody(f"the key {json.dumps(key[:VALUE_CHARACTERS])} is there more than once")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=_refuse_constant)
