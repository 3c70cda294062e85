"""Paths of differences, such as `body.trades[0].price` or `body["a b"]`: written, read, and matched by patterns."""

import json
import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(
    r'\[(?P<index>[0-9]+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|\[(?P<any_item>\*)\]'
    r"|\.?(?P<deep>\*\*)|\.?(?P<any>\*)|\.?(?P<key>[A-Za-z_][A-Za-z0-9_-]*)"
)


class Wildcard(Enum):
    STEP = "*"
    STEPS = "**"


Step = str | int | Wildcard


def under_key(path: str, key: str) -> str:
    """Keys with odd characters are quoted as in JSON."""
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{json.dumps(key)}]"


def under_index(path: str, index: int) -> str:
    return f"{path}[{index}]"


@lru_cache(maxsize=4096)
def steps_of(path: str) -> tuple[Step, ...]:
    """The steps of a path or of a pattern, in which `*` stands for one step and `**` for any number. Raises
    ValueError, which names the place."""
    steps: list[Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or (path[position] == ".") is not (position > 0 and path[position] != "["):
            raise ValueError(f"{path!r} is no path: see {path[position:]!r}")
        steps.append(_step_of(match))
        position = match.end()
    if not steps:
        raise ValueError("a path has one step at least")
    return tuple(steps)


def _step_of(match: re.Match[str]) -> Step:
    text = match[match.lastgroup or 0]
    match match.lastgroup:
        case "index":
            return int(text)
        case "quoted":
            return str(json.loads(text))
        case "deep":
            return Wildcard.STEPS
        case "any" | "any_item":
            return Wildcard.STEP
        case _:
            return text


def matches(pattern: Sequence[Step], path: Sequence[Step]) -> bool:
    if not pattern:
        return not path
    first, rest = pattern[0], pattern[1:]
    if first is Wildcard.STEPS:
        return any(matches(rest, path[start:]) for start in range(len(path) + 1))
    return bool(path) and (first is Wildcard.STEP or first == path[0]) and matches(rest, path[1:])
