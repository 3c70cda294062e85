"""Which values are secret, and what stands for them."""

import json
import marshal
import re
from collections.abc import Collection
from typing import Any

from fastapi_app.cutover.evidence.values import SecretValues, numbered

SECRET_NAMES = frozenset({"cookie", "set-cookie"})
"""Always redacted, beside the names that the settings give. Of a Set-Cookie it is the cookie's value alone."""

SECRET_ENDS = (
    *("authorization", "token", "jwt", "session-id"),
    *("password", "passwd", "pwd", "passphrase", "password-confirmation", "password-confirm", "credentials"),
    *("secret", "api-key", "access-key", "private-key", "secret-key", "sessid"),
)
"""A name that ends in one of these is redacted as well, such as `X-Gitlab-Token`, `new_password` and `clientSecret`. In
the plural they count things, or hold them under names of their own: `max_tokens` isn't."""


class Secrets:
    """The names whose values are secret, and the values that were met, which never leave this object."""

    def __init__(self, fields: Collection[str]) -> None:
        self._names = frozenset(map(_plain, SECRET_NAMES | {*fields}))
        self._ends = tuple(map(_plain, SECRET_ENDS))
        self._met: dict[str, dict[str | bytes, int]] = {}
        self.values = SecretValues()

    def named(self, name: str) -> str | None:
        """The secret that goes by this name, in which it may be one part of several, as in `user[password]` and
        `user.password`."""
        if self._is_secret(name):
            return name
        if "[" not in name and "." not in name:
            return None
        return next(filter(self._is_secret, re.split(r"[\[\].]+", name)), None)

    def _is_secret(self, name: str) -> bool:
        plain = _plain(name)
        if plain in self._names:
            return True
        # `password2` is one, too. A sentence may end in "token", and is no name.
        return plain.rstrip("0123456789").endswith(self._ends) and " " not in plain

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
