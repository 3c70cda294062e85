"""What the cutover keeps: the table of modes, who changed it, and the evidence. The contract of every backend."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from fastapi_app.cutover.comparing.observation import Mismatch, Outcome
from fastapi_app.cutover.inventory.endpoint import Endpoint
from shared.errors import TradingWindowError
from shared.modes import EndpointMode, Mode


@dataclass(frozen=True, slots=True)
class ModeTable:
    """Every endpoint's mode, frozen: those of the inventory, in its order, and those that are gone from it. `version`
    counts the changes, and `since` has the one in which each endpoint came into its mode."""

    version: int
    modes: Mapping[str, EndpointMode]
    since: Mapping[str, int] = field(default_factory=dict, compare=False)


ChangeKind = Literal["begin", "move", "forget"]

DecisionAuthor = Literal["guard", "watchdog"]
"""Who moves endpoints without a person. Any other author of a move is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An entry of the log: one endpoint's move, which made `version`. `before` is None for the seed. Where its evidence
    was forgotten, at `version`, `after` is as `before`, which it is of no move."""

    version: int
    at: datetime
    endpoint: str
    before: EndpointMode | None
    after: EndpointMode
    author: str
    reason: str

    @property
    def kind(self) -> ChangeKind:
        if self.before is None:
            return "begin"
        return "forget" if self.before == self.after else "move"


class CountKey(NamedTuple):
    """`reason` is that of a skip, or the name of an accepted difference; empty for a match and a mismatch."""

    endpoint: str
    mode: Mode
    outcome: Outcome
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What went of an endpoint's evidence: how many comparisons were counted, skipped ones too, and how many of the
    mismatches were kept."""

    endpoint: str
    comparisons: int
    mismatches: int


class ChangeRefused(TradingWindowError):
    """A change of modes that can't be: an endpoint that never was, or that lacks a side; nothing is written.
    `endpoints` are those without which the change could be, where that is known."""

    def __init__(self, sentence: str, *, endpoints: Sequence[str] = ()) -> None:
        self.endpoints = endpoints
        super().__init__(sentence)


class VersionConflict(TradingWindowError):
    """The table was changed since it was read; nothing is written."""

    def __init__(self, expected: int, current: int) -> None:
        self.expected = expected
        self.current = current
        super().__init__(f"the table of modes is at version {current}, not {expected}: read it again")


class CutoverStore(Protocol):
    """Blocking, and safe to call from any thread and from several processes. Every method raises
    shared.errors.StoreUnavailable when the store can't answer, and then nothing is written."""

    def register(
        self, endpoints: Sequence[Endpoint], initial: Mapping[str, EndpointMode], *, at: datetime
    ) -> ModeTable:
        """Keeps the inventory, and seeds the endpoints that it doesn't know, from `initial` or else with the side
        they have (legacy first). Every known one keeps its mode: also where it now lacks a side for that, and where it
        is gone from the inventory, since another process may still have it, and the next may have it again."""
        ...

    def endpoints(self) -> Sequence[Endpoint]:
        """The inventory as it was last registered, in its order; empty before."""
        ...

    def known_endpoints(self) -> Sequence[Endpoint]:
        """The inventory, and behind it those that are gone from it, marked so, with the sides that they had."""
        ...

    def table(self) -> ModeTable: ...

    def version(self) -> int:
        """Of the table; cheap, since each process asks four times a second."""
        ...

    @property
    def openings(self) -> int:
        """How often this object has opened what the table is kept in: with each time it may be another, at the same
        version."""
        ...

    def change(
        self,
        changes: Mapping[str, EndpointMode],
        *,
        author: str,
        reason: str,
        at: datetime,
        version: int | None = None,
    ) -> ModeTable:
        """Writes the changes and the log in one step, and answers with the new table.

        With `version`, only if the table is still at it: else VersionConflict. Raises ChangeRefused, whose sentence
        names the endpoint, the mode and what is wrong; of an endpoint that is gone from the inventory no side is known
        to be lacking. Without a difference nothing is written, and the version stays.
        """
        ...

    def log(self, *, limit: int = 50, endpoint: str | None = None) -> Sequence[Change]:
        """Newest first."""
        ...

    def add_evidence(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        """Adds to the counts, keeps the mismatches, drops the oldest past the bound; answers with their ids. All or
        nothing."""
        ...

    def counts(self) -> Mapping[CountKey, int]: ...

    def forget(
        self, endpoints: Collection[str] | None, *, author: str, reason: str, at: datetime
    ) -> Sequence[Forgotten]:
        """Drops the counts and the mismatches of these endpoints, or of all for None, and writes the log, in one step.
        Answers with what went; of an endpoint without evidence nothing is written.

        Modes and version stay, and no mismatch gets an id again that another had. What a process has found before and
        adds later is counted as new. Raises ChangeRefused for an endpoint that never was.
        """
        ...

    def mismatches(self, *, limit: int = 20, endpoint: str | None = None) -> Sequence[Mismatch]:
        """Newest first."""
        ...

    def mismatch(self, mismatch_id: int) -> Mismatch | None:
        """None where there is none of this id, or no more."""
        ...

    def close(self) -> None: ...
