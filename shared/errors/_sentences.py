"""What error sentences are made of."""

import json
from decimal import Decimal

VALUE_CHARACTERS = 80
"""At how many characters an error sentence cuts the value that it names (legacy contract)."""

MISSING = object()
"""Stands for the value of a field that was not given."""


def printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else json.dumps(text)[1:-1]


def shown(value: object) -> str:
    """The value as JSON where it has such a form, for a person to read."""
    if value is MISSING:
        return "missing"
    if isinstance(value, str):
        return json.dumps(value[: VALUE_CHARACTERS + 1])
    if isinstance(value, Decimal):
        return str(value)  # never plain: 1e999999 would have a million digits
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        return repr(type(value).__name__)


def cut(text: str) -> str:
    return text[:VALUE_CHARACTERS]
