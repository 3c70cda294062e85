"""The servers that are measured and the requests that they get."""

import json

from tests.benchmarks.load import Request
from tests.benchmarks.servers import ServerSpec

CAN_TRADE = Request(name="GET can-trade", path="/api/trading-window/can-trade")
POST_TRADE = Request(
    name="POST trades",
    path="/api/trading-window/trades",
    body=json.dumps(
        {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10", "strategy": "rsi"},
        separators=(",", ":"),
    ),
)

_NATIVE_MODES = {
    "GET /api/trading-window/can-trade": "native",
    "POST /api/trading-window/trades": "native",
    "GET /api/trading-window/trades": "native",
}


def native(name: str = "native", *, workers: int = 1) -> ServerSpec:
    return ServerSpec(name=name, modes=_NATIVE_MODES, workers=workers)


OLD_SIDE = ServerSpec(name="old side, behind plain a2wsgi", app="tests.benchmarks.peers:old_side")
BARE = ServerSpec(name="bare FastAPI", app="tests.benchmarks.peers:bare", keeps=False)
ONE_COMMIT = ServerSpec(name="one commit per request", app="tests.benchmarks.peers:one_commit")
ONE_COMMIT_IN_LINE = ServerSpec(
    name="one commit per request, behind a lock", app="tests.benchmarks.peers:one_commit_in_line"
)
