"""Which values are secret, and what stands for them."""

import json
import marshal
import re
from collections.abc import Collection
from typing import Any

from fastapi_app.cutover.evidence.values import SecretValues, numbered

SECRET_NAMES = frozenset(
    {
        *("authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key", "x-auth-token", "x-csrf-token"),
        *("password", "passwd", "pwd", "passphrase", "new-password", "old-password", "current-password"),
        *("secret", "client-secret", "api-secret", "private-key", "api-key"),
        *("token", "access-token", "refresh-token", "id-token", "auth-token", "csrf-token"),
    }
)
"""Always redacted, beside the names that the settings give. Of a Set-Cookie it is the cookie's value alone."""


class Secrets:
    """The names whose values are secret, and the values that were met, which never leave this object."""

    def __init__(self, fields: Collection[str]) -> None:
        self._names = frozenset(map(_plain, SECRET_NAMES | {*fields}))
        self._met: dict[str, dict[str | bytes, int]] = {}
        self.values = SecretValues()

    def named(self, name: str) -> str | None:
        """The secret that goes by this name, in which it may be one part of several, as in `user[password]` and
        `user.password`."""
        if _plain(name) in self._names:
            return name
        if "[" not in name and "." not in name:
            return None
        return next((part for part in re.split(r"[\[\].]+", name) if _plain(part) in self._names), None)

    def label(self, name: str, value: object) -> str:
        """What stands for the value: the same for an equal value of this name, in the whole mismatch."""
        met = self._met.setdefault(_plain(name), {})
        key = _key(value)
        if key not in met:
            met[key] = len(met) + 1
            self.values.learn(name.lower(), value)
        return numbered(met[key])


def _plain(name: str) -> str:
    """The same for `api_key`, `Api-Key` and `apiKey`."""
    return name.strip().lower().replace("_", "").replace("-", "")


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
