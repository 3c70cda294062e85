"""Path rules in Flask's notation and in Starlette's, taken apart so that the two can be held against each other."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from starlette.routing import PARAM_REGEX

Key = tuple[str, str]
"""A method and the shape of a rule."""

# As Werkzeug reads them.
_FLASK_PARAMETER = re.compile(r"<(?:([a-zA-Z_][a-zA-Z0-9_]*)(?:\((.*?)\))?:)?([a-zA-Z_][a-zA-Z0-9_]*)>")


class Parameter(NamedTuple):
    """What stands for text in a rule. `converter` says which text, by Flask's name; `arguments` are as written."""

    name: str
    converter: str = "string"
    arguments: str = ""

    def __str__(self) -> str:
        if self.arguments:
            return f"<{self.converter}({self.arguments}):{self.name}>"
        return f"<{self.name}>" if self.converter == "string" else f"<{self.converter}:{self.name}>"


class PathRule(NamedTuple):
    """A rule as literal text and parameters, in their order."""

    parts: tuple[str | Parameter, ...]

    def __str__(self) -> str:
        """In Flask's notation."""
        return "".join(map(str, self.parts))

    @property
    def parameters(self) -> list[Parameter]:
        return [part for part in self.parts if isinstance(part, Parameter)]

    @property
    def shape(self) -> str:
        """Without the names: rules of one shape take the same paths."""
        return "".join(str(part._replace(name="")) if isinstance(part, Parameter) else part for part in self.parts)

    @property
    def skeleton(self) -> str:
        """Without names and converters."""
        return "".join("<>" if isinstance(part, Parameter) else part for part in self.parts)


def flask_rule(rule: str) -> PathRule:
    """A rule such as `/items/<int:item_id>`."""

    def parameter(match: re.Match[str]) -> Parameter:
        converter, arguments, name = match.groups("")
        return Parameter(name, "string" if converter in ("", "default") else converter, arguments.strip())

    return PathRule(tuple(_taken_apart(rule, _FLASK_PARAMETER, parameter)))


def starlette_rule(path: str) -> PathRule:
    """A path such as `/items/{item_id:int}`."""

    def parameter(match: re.Match[str]) -> Parameter:
        name, convertor = match.groups("")
        return Parameter(name, "string" if convertor in ("", ":str") else convertor.removeprefix(":"))

    return PathRule(tuple(_taken_apart(path, PARAM_REGEX, parameter)))


def _taken_apart(
    text: str, pattern: re.Pattern[str], parameter: Callable[[re.Match[str]], Parameter]
) -> Iterator[str | Parameter]:
    end_of_last = 0
    for match in pattern.finditer(text):
        if match.start() > end_of_last:
            yield text[end_of_last : match.start()]
        yield parameter(match)
        end_of_last = match.end()
    if end_of_last < len(text):
        yield text[end_of_last:]
