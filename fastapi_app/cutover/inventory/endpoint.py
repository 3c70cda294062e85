"""One endpoint, as the inventory has it and the stores keep it. Its module needs no web framework."""

import re
from dataclasses import dataclass

from shared.modes import Side

_PARAMETER = re.compile(r"<(?:(\w+)(?:\([^<>]*\))?:)?\w+>")

# At least what Flask's converters and Starlette's of these names take.
_TAKEN = {"int": r"-?\d+", "float": r"-?\d+(?:\.\d+)?", "uuid": "[0-9A-Fa-f-]+", "string": "[^/]+", "default": "[^/]+"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One method and rule, in Flask's notation, which sides answer it, and what is to know of the two.

    Legacy may answer a rule of native's by one that is less specific, such as `GET /<path:rest>`. `is_gone` is one that
    the newest inventory doesn't have; a process that started before may still serve it.
    """

    method: str
    rule: str
    legacy: bool
    native: bool
    notes: tuple[str, ...] = ()
    is_gone: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def sides(self) -> frozenset[Side]:
        sides: dict[Side, bool] = {"legacy": self.legacy, "native": self.native}
        return frozenset(side for side, has_it in sides.items() if has_it)


def may_be_for(endpoint: str, method: str, path: str) -> bool:
    """Whether a request with this method and decoded path can be one to the endpoint of this name; another endpoint may
    take it all the same. A HEAD follows its GET."""
    its_method, _, rule = endpoint.partition(" ")
    if its_method != method and (method, its_method) != ("HEAD", "GET"):
        return False
    return re.fullmatch(_pattern(rule), path, re.DOTALL) is not None


def _pattern(rule: str) -> str:
    parts, position = [], 0
    for parameter in _PARAMETER.finditer(rule):
        taken = _TAKEN.get(parameter[1] or "default", ".+")
        parts += [re.escape(rule[position : parameter.start()]), taken]
        position = parameter.end()
    return "".join([*parts, re.escape(rule[position:])])
