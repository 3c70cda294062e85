"""The endpoints that both sides have, and which of them a request is for."""

import re
from urllib.parse import unquote

from tests.parity.case import Request

BOTH_SIDES = (
    "DELETE /api/orders/<order_id>",
    "GET /api/backtest/strategies",
    "GET /api/balances",
    "GET /api/bot-status",
    "GET /api/health",
    "GET /api/market/ohlcv/<symbol>",
    "GET /api/market/ticker/<symbol>",
    "GET /api/orderbook/<symbol>",
    "GET /api/orders",
    "GET /api/orders/<order_id>",
    "GET /api/positions",
    "GET /api/status",
    "GET /api/trading-window/can-trade",
    "GET /api/trading-window/config",
    "GET /api/trading-window/trades",
    "GET /api/trading-window/within-window",
    "POST /api/backtest/run",
    "POST /api/bot/start",
    "POST /api/bot/stop",
    "POST /api/orders",
    "POST /api/trading-window/trades",
    "PUT /api/trading-window/config",
)
"""The rows of the old backend's contract, by their names in the inventory."""

_BY_PATTERN = {
    re.compile(re.sub("<[a-z_]+>", "[^/]+", name.partition(" ")[2])): name for name in BOTH_SIDES if "<" in name
}


def path_of(endpoint: str, parameter: str = "BTC-USD") -> str:
    """A path that the endpoint claims; `parameter`, percent-encoded, stands where its rule has one."""
    return re.sub("<[a-z_]+>", parameter, endpoint.partition(" ")[2])


def native_rule(endpoint: str) -> str:
    """The endpoint's rule as Starlette writes it."""
    return endpoint.partition(" ")[2].replace("<", "{").replace(">", "}")


def endpoint_of(request: Request) -> str:
    """By the name of the endpoint that claims its path, with the request's own method; a HEAD follows its GET."""
    return f"{'GET' if request.method == 'HEAD' else request.method} {rule_of(request)}"


def rule_of(request: Request) -> str:
    """The rule, or the path itself where it is no rule's with a parameter."""
    path = unquote(request.path)
    rules = (name.partition(" ")[2] for pattern, name in _BY_PATTERN.items() if pattern.fullmatch(path))
    return next(rules, path)
