"""Accepted differences: what may differ between the sides, where, why and until when."""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi_app.cutover.comparing.json_differences import plain
from fastapi_app.cutover.comparing.observation import Difference
from fastapi_app.cutover.comparing.paths import matches, steps_of
from shared.modes import Side

logger = logging.getLogger(__name__)

_ENDPOINT = re.compile(r"\*|[A-Z]+ /.*")


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedDifference:
    """A rule under which a difference is no mismatch.

    `endpoint` is one such as `GET /items/<int:id>`, or `*` for all. `path` is a pattern over the paths of differences:
    `*` stands for one step and `**` for any number, as in `body.trades[*].price` or `headers.**`. From the day
    `expires` on the rule is expired: it applies still, but a suite fails by it.

    With `same`, a difference is covered only where both sides have a value and `same(legacy, native)` is true of the
    two; where it raises, it is not. JSON comes as `json.loads` has it; of a body that is none it is the line, or the
    bytes, where the two differ first. It has to be quick, and may be called in any thread.

    Raises ValueError, naming the field.
    """

    name: str
    endpoint: str
    path: str
    reason: str
    expires: date
    same: Callable[[Any, Any], bool] | None = None

    def __post_init__(self) -> None:
        for field in ("name", "reason"):
            if not getattr(self, field).strip():
                raise ValueError(f"an accepted difference needs a {field}")
        if not _ENDPOINT.fullmatch(self.endpoint):
            raise ValueError(f"endpoint {self.endpoint!r} is neither '*' nor a method and a rule, such as 'GET /items'")
        steps_of(self.path)
        if self.same is not None and not callable(self.same):
            raise ValueError(f"same {self.same!r} is no function of two values")

    def applies_to(self, endpoint: str) -> bool:
        return self.endpoint in ("*", endpoint)

    def covers(self, difference: Difference, *, primary: Side = "legacy") -> bool:
        """`primary` is the side whose value is the difference's `primary`."""
        if not matches(steps_of(self.path), steps_of(difference.path)):
            return False
        return self.same is None or _are_same(self.same, difference, primary)

    def expired(self, on: date) -> bool:
        return on >= self.expires


def _are_same(same: Callable[[Any, Any], bool], difference: Difference, primary: Side) -> bool:
    if not (difference.primary_has and difference.candidate_has):
        return False
    try:
        values = plain(difference.primary), plain(difference.candidate)
        return bool(same(*values) if primary == "legacy" else same(*reversed(values)))
    except Exception:
        return False


def assert_none_expired(rules: Iterable[AcceptedDifference], *, on: date) -> None:
    """For suites. Raises AssertionError with a sentence for each rule that is expired on that day."""
    expired = [rule for rule in rules if rule.expired(on)]
    assert not expired, "\n".join(_sentence(rule) for rule in expired)  # noqa: S101 - it is what this is for


class ExpiryWatch:
    """Warns in the log of rules that have expired, once of each."""

    def __init__(self, rules: Sequence[AcceptedDifference]) -> None:
        self._unwarned = list(rules)

    def warn(self, on: date) -> None:
        for rule in [rule for rule in self._unwarned if rule.expired(on)]:
            self._unwarned.remove(rule)
            logger.warning("%s; it applies still", _sentence(rule))


def _sentence(rule: AcceptedDifference) -> str:
    return f"the accepted difference {rule.name!r} of {rule.endpoint} expired on {rule.expires} ({rule.reason})"
