"""Two observations of one request, held against each other."""

import marshal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.body_differences import body_differences
from fastapi_app.cutover.comparing.header_differences import header_differences
from fastapi_app.cutover.comparing.json_differences import (
    differences,
    only_candidate,
    only_primary,
    parse_effects,
    shown,
)
from fastapi_app.cutover.comparing.length_difference import WITHOUT_CONTENT, length_difference
from fastapi_app.cutover.comparing.observation import Difference, Observation

MAX_DIFFERENCES = 50
"""In one verdict; a last one says how many more there are."""

MAX_COUNTED = 1_000
"""Past it, differences of a mismatch are no more looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """`reason` names the accepted difference, the first one that applied; it is empty for a match and a mismatch.

    The differences of a mismatch are those that nobody accepted.
    """

    outcome: Literal["match", "mismatch", "accepted"]
    reason: str = ""
    differences: tuple[Difference, ...] = ()


MATCH = Verdict(outcome="match")


def compare(
    primary: Observation,
    candidate: Observation,
    *,
    accepted: Sequence[AcceptedDifference] = (),
    method: str = "GET",
) -> Verdict:
    """What a client could notice of an answer (see `header_differences`, `length_difference` and
    `body_differences`), and effects as JSON.

    `accepted` are the rules that apply to the endpoint, `method` is the request's. A side that raised while the other
    did not is a difference, also where both answered 500, since one of them chose its answer and one didn't. Where both
    raised, the exception's type is compared and its message is not, which may hold addresses.
    """
    unlike_effects_bytes = _unlike_effects_bytes(primary.effects, candidate.effects)
    return _judged(primary, candidate, accepted, method=method, unlike_effects_bytes=unlike_effects_bytes)


def compare_small(
    primary: Observation,
    candidate: Observation,
    *,
    accepted: Sequence[AcceptedDifference] = (),
    method: str = "GET",
    below: int,
) -> Verdict | None:
    """As `compare`; None where bodies that aren't equal, and effects that aren't written alike, have so many bytes."""
    ours, theirs = primary.answer.body, candidate.answer.body
    body_bytes = 0 if ours == theirs else len(ours) + len(theirs)
    effects_bytes = _unlike_effects_bytes(primary.effects, candidate.effects)
    if body_bytes + effects_bytes >= below:
        return None
    return _judged(primary, candidate, accepted, method=method, unlike_effects_bytes=effects_bytes)


def _judged(
    primary: Observation,
    candidate: Observation,
    accepted: Sequence[AcceptedDifference],
    *,
    method: str,
    unlike_effects_bytes: int,
) -> Verdict:
    found, covered = _Bounded(), _Bounded()
    reason = ""
    for difference in _differences(primary, candidate, method=method, unlike_effects_bytes=unlike_effects_bytes):
        rule = next((rule for rule in accepted if rule.covers(difference, primary=primary.side)), None)
        if rule is None:
            found.add(difference)
            if found.count > MAX_COUNTED:
                break
        else:
            reason = reason or rule.name
            covered.add(difference)
    if found.count:
        return Verdict(outcome="mismatch", differences=found.told())
    if covered.count:
        return Verdict(outcome="accepted", reason=reason, differences=covered.told())
    return MATCH


@dataclass(slots=True)
class _Bounded:
    kept: list[Difference] = field(default_factory=list)
    count: int = 0

    def add(self, difference: Difference) -> None:
        self.count += 1
        if self.count <= MAX_DIFFERENCES:
            primary, candidate = shown(difference.primary), shown(difference.candidate)
            self.kept.append(replace(difference, primary=primary, candidate=candidate))

    def told(self) -> tuple[Difference, ...]:
        if self.count <= MAX_DIFFERENCES:
            return tuple(self.kept)
        past = "more than " if self.count > MAX_COUNTED else ""
        more = f"{past}{min(self.count, MAX_COUNTED) - MAX_DIFFERENCES}"
        return (*self.kept, Difference(path=f"and {more} more", primary_has=False, candidate_has=False))


def _differences(
    primary: Observation, candidate: Observation, *, method: str, unlike_effects_bytes: int
) -> Iterator[Difference]:
    ours, theirs = primary.answer, candidate.answer
    if ours.status != theirs.status:
        yield Difference(path="status", primary=ours.status, candidate=theirs.status)
    yield from _raised(primary.raised, candidate.raised)
    have_content = ours.status not in WITHOUT_CONTENT or ours.status != theirs.status
    yield from header_differences(ours.headers, theirs.headers, have_content=have_content)
    if (length := length_difference(ours, theirs, method=method)) is not None:
        yield length
    yield from body_differences(ours, theirs)
    if unlike_effects_bytes:
        yield from _effect_differences(primary.effects, candidate.effects)


def _raised(primary: str | None, candidate: str | None) -> Iterator[Difference]:
    if primary is None and candidate is None:
        return
    if primary is None:
        yield only_candidate("raised", candidate)
    elif candidate is None:
        yield only_primary("raised", primary)
    elif primary.partition(":")[0] != candidate.partition(":")[0]:
        yield Difference(path="raised", primary=primary, candidate=candidate)


def _effect_differences(primary: Mapping[str, Any], candidate: Mapping[str, Any]) -> Iterator[Difference]:
    try:
        yield from differences("effects", parse_effects(primary), parse_effects(candidate))
    except RecursionError:
        yield Difference(path="effects", primary="nested too deeply", candidate="nested too deeply")


def _unlike_effects_bytes(primary: Any, candidate: Any) -> int:
    """How many they are together; 0 where both are written alike, and so are equal, which is quick to tell, for the
    usual case. Unlike `==` it tells 1, 1.0 and True apart."""
    if not (primary or candidate):
        return 0
    try:
        # Later versions write an object that is met again as a reference.
        ours, theirs = marshal.dumps(primary, 2), marshal.dumps(candidate, 2)
    except ValueError:
        return sys.maxsize
    return 0 if ours == theirs else len(ours) + len(theirs)
