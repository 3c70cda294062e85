"""How the cutover keeps a candidate from having effects: recording and replaying, as an app provides them."""

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.types import Scope


class Replay(Protocol):
    """The candidate's stand-in for the world."""

    def effects(self) -> Mapping[str, Any]:
        """What the candidate would have left and called, in the same form as the recording's."""
        ...

    def unrecorded_read(self) -> str | None:
        """What the candidate read that the primary's recording can't answer; None where it could always."""
        ...

    def until_unrecorded(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Of the primary's effects and of the candidate's what can be held against each other though the candidate read
        that: what it left before, as far as nothing that comes later can make it equal. Two times `{}` is nothing."""
        ...


class Recording(Protocol):
    """One primary request's dealings with the world, complete once the request has ended."""

    def effects(self) -> Mapping[str, Any]:
        """JSON: the state that the primary left, its ledger entries, its outbound calls."""
        ...

    def replay(self, scope: Scope) -> Replay:
        """Puts ports that answer from this recording, and write nowhere, into the scope of a candidate's request.

        The scope and its `state` are the candidate's own already.
        """
        ...

    def to_json(self) -> Mapping[str, Any]:
        """From which `Effects.from_json` makes an equal recording, in another process."""
        ...


class Effects(Protocol):
    """An app's effects, where they are behind ports. Without, only safe methods are compared."""

    async def record(self, scope: Scope) -> Recording:
        """Puts recording ports into the scope of a primary's request, before its handler runs."""
        ...

    def from_json(self, recording: Mapping[str, Any]) -> Recording: ...
