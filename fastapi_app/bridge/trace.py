"""What became of one request in the bridge, for who asks: put a Trace into its scope at TRACE."""

from starlette.types import Scope

from fastapi_app.bridge.exchange import Exchange

TRACE = "fastapi_app.bridge.trace"


class Trace:
    """`refused` says that a 503 is the bridge's own, and no answer of the app's."""

    def __init__(self) -> None:
        self.refused = False
        self.exchange: Exchange | None = None

    @property
    def finished(self) -> bool:
        """Whether the app is through with the request. Behind its answer there may be work in `close()`."""
        return self.exchange is None or self.exchange.finished


def trace_of(scope: Scope) -> Trace | None:
    trace = scope.get(TRACE)
    return trace if isinstance(trace, Trace) else None
