"""The parity cases, a module a resource."""

from tests.parity.case import Case
from tests.parity.cases import (
    can_trade,
    config,
    faults,
    get_trades,
    health,
    market,
    native_only,
    post_trades,
    status,
    trade_bodies,
    trade_keys,
    unclaimed,
    within_window,
)

CASES: tuple[Case, ...] = (
    *health.CASES,
    *status.CASES,
    *within_window.CASES,
    *can_trade.CASES,
    *post_trades.CASES,
    *trade_bodies.CASES,
    *trade_keys.CASES,
    *get_trades.CASES,
    *config.CASES,
    *market.CASES,
    *unclaimed.CASES,
    *faults.CASES,
    *native_only.CASES,
)
