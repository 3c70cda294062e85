"""What a comparison is about: a request, what each side made of it, and how the two differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from unicodedata import normalize

from shared.modes import EndpointMode, Side

Outcome = Literal["match", "mismatch", "accepted", "skipped"]

SkipReason = Literal[
    "request_too_large",
    "request_unread",
    "response_too_large",
    "candidate_too_large",
    "stream",
    "client_left",
    "queue_full",
    "timed_out",
    "unrecorded_read",
    "unsafe",
    "costly",
    "candidates_busy",
    "primary_busy",
    "expect_continue",
    "stopped",
    "heavy",
    "stale",
    "unfinished",
    "fault",
    "shutdown",
]
"""Why a comparison was not made: `unsafe` is a method with effects that no ports record, `costly` is declared,
`primary_busy` is the bridge's own 503, `request_unread` was answered before its body had come, `expect_continue` a
client that waits for leave to send its body, `stopped` waited when its endpoint was compared no more, `heavy` came too
soon after two that kept the event loop for long, `stale` waited so long that the world, or the minute, may have
changed, and `unfinished` is a primary that goes on behind its answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRequest:
    """A request as it came over the wire. `path` is the raw one, percent-encoded; header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenAnswer:
    """A whole response; header names are in lower case, in the order in which they were sent."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What one side made of a request. `effects` is JSON: the state, ledger entries and calls that it leaves.

    `raised` names the exception behind an answer that a side didn't choose, such as `KeyError: 'price'`. `raised_at`
    says what a candidate raised and where, also behind an answer that it gave all the same; it is not compared.
    """

    side: Side
    answer: SeenAnswer
    effects: Mapping[str, Any] = field(default_factory=dict)
    raised: str | None = None
    raised_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One place where the two sides differ, by a path that a person can follow, such as `body.trades[0].price`,
    `status`, `headers.content-type` or `effects.ledger.default[1]`. A side without a value there has None and `…_has`
    False; where neither has one, the path is a remark."""

    path: str
    primary: Any = None
    candidate: Any = None
    primary_has: bool = True
    candidate_has: bool = True

    def __str__(self) -> str:
        return self.between("primary", "candidate")

    def between(self, primary: str, candidate: str) -> str:
        """A sentence that names the two by these words. Two texts that differ in how Unicode composes their characters
        are escaped, for they look alike."""
        if not self.primary_has and not self.candidate_has:
            return self.path
        shown = ascii if _look_alike(self.primary, self.candidate) else repr
        ours = shown(self.primary) if self.primary_has else "nothing"
        theirs = shown(self.candidate) if self.candidate_has else "nothing"
        return f"{self.path}: {primary} {ours}, {candidate} {theirs}"


def _look_alike(one: Any, other: Any) -> bool:
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    return normalize("NFC", one) == normalize("NFC", other)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """A comparison with a difference that nobody accepted, in full; secrets are redacted before it is kept.

    `recording` is what the effects need to put the request to both sides again; None where they record nothing.
    """

    endpoint: str
    at: datetime
    mode: EndpointMode
    request: SeenRequest
    primary: Observation
    candidate: Observation
    differences: tuple[Difference, ...]
    recording: Mapping[str, Any] | None = None
    id: int | None = None
    """None until it is kept."""

    @property
    def first_difference(self) -> str:
        """In words, with the sides by their names."""
        return self.differences[0].between(self.primary.side, self.candidate.side)
