"""`POST /api/orders`: what the trading window and the account allow."""

from tests.parity.case import (
    Answer,
    At,
    Case,
    HaltedBy,
    Left,
    answers,
    entry_of,
    entry_of_day,
    error,
    get,
    ok,
    post_trade,
    registered,
    trade_of,
)
from tests.parity.case_orders import (
    LIMIT_ORDER,
    MARKET_ORDER,
    ORDERS,
    Json,
    confirmed,
    delete_order,
    filled_at_once,
    found,
    listed,
    order_of,
    permit_of,
    placed,
    positions,
    post_order,
    released,
    resting,
    sent,
    traded,
)
from tests.parity.case_refusals import NINE_TO_FIVE, SHUT, limit_reached

SELL = MARKET_ORDER.replace("buy", "sell")
SOLD_IN_THE_EVENING = order_of(
    2,
    name="order-6",
    at="2025-03-03T20:00:00.000000Z",
    side="sell",
    reduces=True,
    average_price="64250.05",
    fee="32.12502500",
    realized_pnl="-0.05000000",
)
BOUGHT_IN_THE_MORNING = order_of(1, name="order-4", at="2025-03-04T08:00:00.000000Z")
MORNING = permit_of(4, BOUGHT_IN_THE_MORNING, day="2025-03-04", deadline="2025-03-04T08:01:00.000000Z")


def short_of(needed: str, available: str) -> Answer:
    return answers(
        409,
        f'{{"available":"{available}","currency":"USD","error":"the order needs {needed} USD, and {available} USD are '
        f'available","needed":"{needed}"}}',
    )


def _refused(name: str, **other: str) -> Json:
    """An order that never was one, as its permit tells of it."""
    return order_of(0, name=name, **other)


CASES = (
    Case(
        name="order rules: the limit counts orders and trades alike, one that rests too, but not what is given back",
        config={"max_trades_per_day": 2},
        steps=(
            (post_order(LIMIT_ORDER), placed(resting(1))),
            (
                post_trade(MARKET_ORDER.replace('"type":"market",', '"price":"64250.10",')),
                registered(trade_of("trade-1", "2025-03-03T12:00:00"), trades_today=2, remaining=0),
            ),
            (post_order(MARKET_ORDER), limit_reached(2, 2)),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":false}')),
            (delete_order("paper-1"), found(resting(1, status="cancelled"))),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":true}')),
            (post_order(MARKET_ORDER), placed(order_of(2, name="order-3"))),
            (post_order(MARKET_ORDER), limit_reached(2, 2)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            orders=("paper-1 cancelled 0", "paper-2 filled 0.50"),
            ledger=(
                *sent(1, permit_of(1, resting(1))),
                entry_of(3, trade_of("trade-1", "2025-03-03T12:00:00")),
                released(4, permit_of(1, resting(1)), "the order is cancelled"),
                *filled_at_once(5, 3, order_of(2, name="order-3"), trade=2),
            ),
        ),
    ),
    Case(
        name="order rules: outside the hours comes before the limit, and a new day has slots of its own",
        config={**NINE_TO_FIVE, "max_trades_per_day": 1, "timezone": "Europe/Stockholm"},
        at="2025-03-03T15:59:59Z",
        trade_day="2025-03-03",
        trades_today=1,
        steps=(
            (post_order(MARKET_ORDER), limit_reached(1, 1)),
            At("2025-03-03T16:00:00Z"),
            (post_order(MARKET_ORDER), SHUT),
            (post_order(LIMIT_ORDER), SHUT),
            At("2025-03-04T08:00:00Z"),
            (
                post_order(MARKET_ORDER),
                placed(BOUGHT_IN_THE_MORNING),
            ),
        ),
        leaves=Left(
            trade_day="2025-03-04",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(
                entry_of_day(1, "2025-03-04T08:00:00Z", before="2025-03-03", after="2025-03-04", trades=1),
                *sent(2, MORNING),
                *confirmed(4, MORNING, traded(1, BOUGHT_IN_THE_MORNING, day="2025-03-04")),
            ),
        ),
    ),
    Case(
        name="order rules: what only reduces a position goes out at any hour, past the limit, and takes no slot",
        config={**NINE_TO_FIVE, "max_trades_per_day": 1},
        steps=(
            (post_order(MARKET_ORDER), placed(order_of(1))),
            (post_order(MARKET_ORDER), limit_reached(1, 1)),
            (post_order(SELL.replace("0.50", "0.500001")), limit_reached(1, 1)),
            (post_order(SELL.replace("BTC", "ETH")), limit_reached(1, 1)),
            At("2025-03-03T20:00:00Z"),
            (post_order(SELL.replace("0.50", "0.51")), SHUT),
            (
                post_order(SELL),
                placed(SOLD_IN_THE_EVENING),
            ),
            (get("/api/positions"), positions()),
            (post_order(SELL), SHUT),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50", "paper-2 filled 0.50"),
            ledger=(
                *filled_at_once(1, 1, order_of(1)),
                *filled_at_once(
                    5,
                    6,
                    SOLD_IN_THE_EVENING,
                    deadline="2025-03-03T20:01:00.000000Z",
                    trade=2,
                ),
            ),
            tally={"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {}},
        ),
    ),
    Case(
        name="order rules: a halt refuses all orders, also what only reduces, but no cancellation",
        steps=(
            (post_order(MARKET_ORDER), placed(order_of(1))),
            (post_order(LIMIT_ORDER), placed(resting(2))),
            HaltedBy("maintenance"),
            (post_order(MARKET_ORDER), error(403, "halted: maintenance")),
            (post_order(SELL), error(403, "halted: maintenance")),
            (delete_order("paper-2"), found(resting(2, status="cancelled"))),
            (get(f"{ORDERS}?status=filled"), listed(order_of(1))),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            halt="maintenance",
            orders=("paper-1 filled 0.50", "paper-2 cancelled 0"),
            ledger=(
                *filled_at_once(1, 1, order_of(1)),
                *sent(5, permit_of(2, resting(2))),
                released(7, permit_of(2, resting(2)), "the order is cancelled"),
            ),
        ),
    ),
    Case(
        name="order rules: a balance that is too small, and a symbol that is not traded, give the slot back",
        config={"max_trades_per_day": 1},
        steps=(
            (
                post_order(MARKET_ORDER.replace("0.50", "2")),
                short_of("128628.80030000", "100000.00000000"),
            ),
            (
                post_order(MARKET_ORDER.replace("BTC-USD", "BTC-EUR")),
                error(404, "no symbol is named 'BTC-EUR'"),
            ),
            (post_order(MARKET_ORDER.replace("BTC-USD", "BTC")), error(404, "no symbol is named 'BTC'")),
            (post_order(MARKET_ORDER), placed(order_of(1, name="order-4"))),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(
                *sent(1, LARGE := permit_of(1, _refused("order-1", quantity="2"))),
                released(3, LARGE, "the order needs 128628.80030000 USD, and 100000.00000000 USD are available"),
                *sent(4, ODD := permit_of(2, _refused("order-2", symbol="BTC-EUR"))),
                released(6, ODD, "no symbol is named 'BTC-EUR'"),
                *sent(7, SHORT := permit_of(3, _refused("order-3", symbol="BTC"))),
                released(9, SHORT, "no symbol is named 'BTC'"),
                *filled_at_once(10, 4, order_of(1, name="order-4"), trade=1),
            ),
        ),
    ),
)
