"""Numbers on the command line. What is none is refused with its option, the value and the rule."""

import json
import math
from collections.abc import Callable
from typing import TypeVar

import typer
from pydantic import BaseModel

N = TypeVar("N", int, float)


def number(
    kind: Callable[[str | N], N], rule: str, *, low: float = -math.inf, high: float = math.inf
) -> Callable[[str | N], N]:
    """The parser of an option or an argument for `int` or `float`, from `low` to `high`, both included. The rule says
    what is taken, such as "a whole number from 0"."""

    def read(given: str | N) -> N:
        try:
            value = kind(given)
        except ValueError:
            value = None
        if value is None or value < low or value > high:
            raise typer.BadParameter(f"{json.dumps(given)} is not {rule}")
        return value

    return read


def whole_number_for(model: type[BaseModel], field: str) -> Callable[[str | int], int]:
    """The parser of an option for a field whose bounds the model holds, and checks."""
    return number(int, model.model_fields[field].description or "a whole number")
