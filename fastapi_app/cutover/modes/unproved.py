"""What a move to native's answers lacks: endpoints that were never compared, or whose comparisons differ."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fastapi_app.cutover.store.base import CountKey, ModeTable

NeverCompared = Literal["unsafe", "costly"]
"""Reasons of a skip that stay, whatever the requests are: see SkipReason."""

_NEVER_COMPARED: tuple[NeverCompared, ...] = ("unsafe", "costly")


@dataclass(frozen=True, kw_only=True, slots=True)
class Differing:
    """An endpoint, and how many of its comparisons came to a mismatch that nobody accepted."""

    endpoint: str
    mismatches: int
    compared: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Unproved:
    """Endpoints whose clients get native's answers from now on, and got legacy's before. `skipped_as` has those of
    `never_compared` that won't be compared in shadow either, and why."""

    never_compared: tuple[str, ...] = ()
    skipped_as: Mapping[str, NeverCompared] = field(default_factory=dict)
    differing: tuple[Differing, ...] = ()


def unproved(moved: Iterable[str], before: ModeTable, after: ModeTable, counts: Mapping[CountKey, int]) -> Unproved:
    """Of those that were to move. `counts` are all that are kept, in any mode."""
    names = [name for name in moved if _gets_native_now(name, before, after)]
    compared: Counter[str] = Counter()
    mismatches: Counter[str] = Counter()
    for key, count in counts.items():
        if key.outcome != "skipped":
            compared[key.endpoint] += count
        if key.outcome == "mismatch":
            mismatches[key.endpoint] += count
    never = tuple(name for name in names if not compared[name])
    reasons = {name: _stays_skipped(name, counts) for name in never}
    return Unproved(
        never_compared=never,
        skipped_as={name: reason for name, reason in reasons.items() if reason is not None},
        differing=tuple(
            Differing(endpoint=name, mismatches=mismatches[name], compared=compared[name])
            for name in names
            if mismatches[name]
        ),
    )


def _gets_native_now(name: str, before: ModeTable, after: ModeTable) -> bool:
    old = before.modes.get(name)
    new = after.modes[name]
    if old is None or old == new or old.mode == "native" or (new.mode == "canary" and not new.percent):
        return False
    return new.mode in ("canary", "verify", "native")


def _stays_skipped(name: str, counts: Mapping[CountKey, int]) -> NeverCompared | None:
    """The settings may have changed in between; the reason that came more often counts."""
    total: Counter[NeverCompared] = Counter()
    for key, count in counts.items():
        for reason in _NEVER_COMPARED:
            if (key.endpoint, key.outcome, key.reason) == (name, "skipped", reason):
                total[reason] += count
    return max(total, key=total.__getitem__, default=None)
