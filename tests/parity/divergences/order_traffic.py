"""Requests under which every divergence of the orders' routes shows, and the status of each answer."""

from shared.errors import OutcomeUnknown
from tests.parity.case import At, BrokerFails, Case, Event, Request, get, trade_of
from tests.parity.case_orders import LIMIT_ORDER, MARKET_ORDER, ORDERS, delete_order, post_order

BALANCES = "/api/balances"
POSITIONS = "/api/positions"

GET_BALANCES = f"GET {BALANCES}"
GET_POSITIONS = f"GET {POSITIONS}"
GET_ORDERS = f"GET {ORDERS}"
POST_ORDER = f"POST {ORDERS}"
GET_ORDER = f"GET {ORDERS}/<order_id>"
DELETE_ORDER = f"DELETE {ORDERS}/<order_id>"

BEFORE = Case(
    name="one trade a day, the last one on Friday",
    steps=(),
    # a quarter past nine in Stockholm, on a Monday
    at="2025-03-03T08:15:00Z",
    config={"start_hour": 9, "end_hour": 17, "max_trades_per_day": 1, "timezone": "Europe/Stockholm"},
    trade_day="2025-02-28",
    trades_today=1,
    trades=(trade_of("old-1", "2025-02-28T09:00:00"),),
)

TRAFFIC: tuple[tuple[Request, int] | Event, ...] = (
    # Of one slot: an order that rests takes it.
    (get(BALANCES), 200),
    (get(POSITIONS), 200),
    (post_order(LIMIT_ORDER.replace(',"price":"64000.0"', "")), 400),
    (post_order(MARKET_ORDER, key="a b"), 400),
    (post_order(MARKET_ORDER.replace("0.50", "2")), 409),
    (post_order(LIMIT_ORDER, key="one"), 201),
    (post_order(LIMIT_ORDER, key="one"), 201),
    (post_order(MARKET_ORDER, key="one"), 422),
    (post_order(MARKET_ORDER), 409),
    (get(f"{ORDERS}/paper-1"), 200),
    (get(f"{ORDERS}/paper-2"), 404),
    (delete_order("paper-1"), 200),
    (delete_order("paper-1"), 409),
    (delete_order("paper-2"), 404),
    # It is free again; what reduces takes none.
    (post_order(MARKET_ORDER), 201),
    (post_order(MARKET_ORDER), 409),
    (post_order(MARKET_ORDER.replace("buy", "sell").replace("0.50", "0.20")), 201),
    (get(BALANCES), 200),
    (get(POSITIONS), 200),
    (get(ORDERS), 200),
    (get(f"{ORDERS}?status=filled"), 200),
    (get(f"{ORDERS}?limit=0"), 400),
    At("2025-03-03T20:00:00Z"),
    (post_order(MARKET_ORDER), 403),
    (post_order(MARKET_ORDER.replace("buy", "sell").replace("0.50", "0.30")), 201),
    # A broker whose answer is lost.
    At("2025-03-04T08:15:00Z"),
    BrokerFails(OutcomeUnknown("the connection was lost"), only="place", afterwards=True),
    (post_order(MARKET_ORDER, key="two"), 503),
    BrokerFails(None),
    (post_order(MARKET_ORDER, key="two"), 201),
)
