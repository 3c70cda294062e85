"""The endpoints that judge by a window's rules, and which of them the old side may answer."""

from collections.abc import Mapping

from shared.modes import EndpointMode

JUDGING_ENDPOINTS = (
    "GET /api/status",
    "GET /api/trading-window/within-window",
    "GET /api/trading-window/can-trade",
    "POST /api/trading-window/trades",
    "GET /api/trading-window/config",
    "PUT /api/trading-window/config",
    "POST /api/orders",
)
"""Those whose legacy side goes by the rules. In every mode but `native` it answers some clients, or is compared."""


def served_by_legacy(modes: Mapping[str, EndpointMode]) -> tuple[str, ...]:
    """The judging endpoints that aren't in mode native."""
    return tuple(name for name in JUDGING_ENDPOINTS if name in modes and modes[name].mode != "native")
