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
    order_bodies,
    order_faults,
    order_keys,
    order_rules,
    orders,
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
    *orders.CASES,
    *order_bodies.CASES,
    *order_rules.CASES,
    *order_keys.CASES,
    *order_faults.CASES,
    *unclaimed.CASES,
    *faults.CASES,
    *native_only.CASES,
)
