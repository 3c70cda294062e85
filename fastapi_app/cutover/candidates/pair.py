"""A primary's request and what its candidate is run with."""

import contextvars
import copy
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from fastapi_app.bridge.trace import Trace
from fastapi_app.cutover.candidates.capture import Capture
from fastapi_app.cutover.candidates.request_body import RequestBody
from fastapi_app.cutover.effects import Recording, Replay
from fastapi_app.cutover.modes.plan import Plan
from shared.modes import Side


@dataclass(kw_only=True, slots=True)
class Pair:
    """A primary's request and, once it is through, its candidate."""

    plan: Plan
    side: Side
    """The primary's."""
    scope: Scope
    """As it was before the primary ran; the candidate's own."""
    context: contextvars.Context
    request: RequestBody
    recording: Recording | None
    answer: Capture
    primary_trace: Trace
    candidate_trace: Trace
    body: bytes = b""
    """Of the request, once the primary is through."""
    since: float = 0.0
    """When it joined the line, by the monotonic clock."""
    raised: str | None = None
    client_left: bool = False
    """Whether a native primary was told so before its answer was out, and answered by it, perhaps. The candidate's
    client stays, and a WSGI app isn't told."""
    replay: Replay | None = None
    """The candidate's stand-in for the world."""
    answered_in_time: bool = False
    """Of a candidate that was given up: whether its answer was whole by then."""
    candidate_error: BaseException | None = None
    """What it raised, also behind an answer that it gave all the same."""

    @property
    def candidate_side(self) -> Side:
        return "native" if self.side == "legacy" else "legacy"

    @property
    def size(self) -> int:
        return len(self.body) + self.answer.size


CONTAINERS = (dict, list, set)
OF_THE_SERVER = frozenset({"asgi", "extensions", "headers", "state"})
"""Containers that a server puts into each scope: `asgi` is nobody's to change, and the others are copied flat."""


def scope_of_candidate(scope: Scope) -> Scope:
    """Frameworks write into the scope, and what middleware has put there, such as a session: the candidate gets it as
    it came."""
    extensions = scope.get("extensions") or {}
    put_there = {
        key: _copied(value)
        for key, value in scope.items()
        if isinstance(value, CONTAINERS) and key not in OF_THE_SERVER
    }
    return {
        **scope,
        **put_there,
        "headers": list(scope["headers"]),
        "state": dict(scope.get("state", ())),
        # Ways to answer that only a server has.
        "extensions": {name: value for name, value in extensions.items() if not name.startswith("http.response.")},
    }


def _copied(container: Any) -> Any:
    """The same one where there is something in it that can't be copied."""
    try:
        return copy.deepcopy(container)
    except Exception:
        return container
