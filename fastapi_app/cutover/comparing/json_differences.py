"""Where two JSON values differ."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from fastapi_app.cutover.comparing.observation import Difference
from fastapi_app.cutover.comparing.paths import under_index, under_key

MAX_SHOWN_CHARACTERS = 200
"""Of a value in a difference."""

MAX_DEPTH = 100
"""Below it, values that differ are shown whole."""

MAX_ALIGNED = 10_000
"""To align two lists takes time by the product of their lengths, past it elements are paired by position."""

_EXACT = Context(prec=1_000_000)


@dataclass(frozen=True, slots=True)
class _Number:
    """A number with a point or an exponent, by its exact value, or NaN or an infinity, which many parsers take."""

    text: str

    @classmethod
    def parse(cls, text: str) -> "_Number":
        number = Decimal(text)
        # Zero has a sign and any exponent.
        return cls(str(number.normalize(_EXACT)) if number else "0")

    def shown(self) -> float | str:
        number = float(self.text)
        return number if Decimal(repr(number)) == Decimal(self.text) and number - number == 0 else self.text


def parse(text: str) -> Any:
    """The value of a JSON text, for `differences`.

    Raises ValueError for what is no JSON, or has a key twice in one object, since clients don't agree on which of the
    two counts; ArithmeticError for an exponent that no decimal has; RecursionError for one that is nested too deeply.
    """
    return _DECODE(text)


def parse_effects(effects: Mapping[str, Any]) -> Any:
    return parse(json.dumps(effects, default=repr))


def differences(path: str, primary: Any, candidate: Any) -> Iterator[Difference]:
    """In the order of the primary; their values are for `shown`. Of a list the index is the primary's, but for an
    element that only the candidate has.

    Raises RecursionError for values that are nested too deeply.
    """
    if not _same(primary, candidate):
        yield from _walk(path, primary, candidate, 0)


def _walk(path: str, primary: Any, candidate: Any, depth: int) -> Iterator[Difference]:
    """For values that aren't the same."""
    if isinstance(primary, dict) and isinstance(candidate, dict) and depth < MAX_DEPTH:
        for key in primary | candidate:
            if key not in candidate:
                yield only_primary(under_key(path, key), primary[key])
            elif key not in primary:
                yield only_candidate(under_key(path, key), candidate[key])
            elif not _same(primary[key], candidate[key]):
                yield from _walk(under_key(path, key), primary[key], candidate[key], depth + 1)
    elif isinstance(primary, list) and isinstance(candidate, list) and depth < MAX_DEPTH:
        yield from _walk_lists(path, primary, candidate, depth)
    else:
        yield Difference(path=path, primary=primary, candidate=candidate)


def _walk_lists(path: str, primary: list[Any], candidate: list[Any], depth: int) -> Iterator[Difference]:
    """Aligned, so that one element more is one difference, and not one for each that follows."""
    for ours, theirs in _unequal_runs(primary, candidate):
        for index, other_index in zip_longest(ours, theirs):
            if other_index is None:
                yield only_primary(under_index(path, index), primary[index])
            elif index is None:
                yield only_candidate(under_index(path, other_index), candidate[other_index])
            elif not _same(primary[index], candidate[other_index]):
                yield from _walk(under_index(path, index), primary[index], candidate[other_index], depth + 1)


def _unequal_runs(ours: list[Any], theirs: list[Any]) -> Iterator[tuple[range, range]]:
    """The indices, in both, of elements that stand against each other and aren't all the same."""
    shorter = min(len(ours), len(theirs))
    start = next((index for index in range(shorter) if not _same(ours[index], theirs[index])), shorter)
    left = shorter - start
    alike = next((back for back in range(left) if not _same(ours[-1 - back], theirs[-1 - back])), left)
    end, other_end = len(ours) - alike, len(theirs) - alike
    if (end - start) * (other_end - start) > MAX_ALIGNED:
        yield range(start, end), range(start, other_end)
        return
    texts = [_canonical(value) for value in ours[start:end]]
    other_texts = [_canonical(value) for value in theirs[start:other_end]]
    matcher = SequenceMatcher(None, texts, other_texts, autojunk=False)
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        if tag != "equal":
            yield range(start + first, start + last), range(start + other_first, start + other_last)


def only_primary(path: str, value: Any) -> Difference:
    return Difference(path=path, primary=value, candidate_has=False)


def only_candidate(path: str, value: Any) -> Difference:
    return Difference(path=path, candidate=value, primary_has=False)


def plain(value: Any) -> Any:
    """A value of a difference as `json.loads` has it, with floats."""
    return json.loads(json.dumps(value, default=lambda number: float(number.text)))


def shown(value: Any) -> Any:
    """A value as it is kept: JSON as it is while it is short, otherwise the beginning of its text."""
    if isinstance(value, str):
        # A lone surrogate, which JSON can spell, is in no encoding.
        return _cut(value.encode(errors="backslashreplace").decode())
    text = json.dumps(value, default=_Number.shown)
    return json.loads(text) if len(text) <= MAX_SHOWN_CHARACTERS else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return made


def _same(primary: Any, candidate: Any) -> bool:
    """Unlike `==` it tells 1 and true apart, at any depth; 1.0 is no int here."""
    return bool(primary == candidate) and _of_same_types(primary, candidate)


def _of_same_types(primary: Any, candidate: Any) -> bool:
    """For equal values: whether each part is of the type of the other's. As deep as they may be."""
    left = [(primary, candidate)]
    while left:
        ours, theirs = left.pop()
        if type(ours) is not type(theirs):
            return False
        if type(ours) is dict:
            left += [(value, theirs[key]) for key, value in ours.items()]
        elif type(ours) is list:
            left += zip(ours, theirs, strict=True)
    return True


def _canonical(value: Any) -> str:
    """Equal for values that are the same, and for those alone."""
    return _ENCODE(value)


def _number_as_json(number: _Number) -> Any:
    # No value that was parsed is written like this: its NaN is a number, too.
    return [float("nan"), number.text]


# Made once: to make one takes longer than to read a small answer.
_DECODE = json.JSONDecoder(parse_float=_Number.parse, parse_constant=_Number, object_pairs_hook=_object).decode
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_number_as_json).encode
