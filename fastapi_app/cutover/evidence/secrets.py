"""Which values are secret, and what stands for them."""

import json
import marshal
import re
from collections.abc import Collection
from typing import Any

SECRET_NAMES = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"})
"""Always redacted, beside the names that the settings give. Of a Set-Cookie it is the cookie's value alone."""

REDACTED = "[redacted]"
"""In a secret's place. Others of the same name have a number or a word more: see `Secrets.label`."""


class Secrets:
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
