"""`POST` and `DELETE /api/orders` at a broker that fails on the way: what nobody knows keeps its slot, and no retry
places a second order."""

from shared.errors import ExchangeRefused, ExchangeUnavailable, OutcomeUnknown, StoreUnavailable
from tests.parity.case import At, BrokerFails, Case, Left, Step, error, get, ok
from tests.parity.case_orders import (
    LIMIT_ORDER,
    MARKET_ORDER,
    ORDERS,
    confirmed,
    delete_order,
    filled_at_once,
    found,
    in_doubt,
    listed,
    order_of,
    permit_of,
    placed,
    post_order,
    released,
    resting,
    sent,
    traded,
)
from tests.parity.case_refusals import FAULT
from tests.parity.cases.order_keys import FIRST, NAME, keyed

LOST = OutcomeUnknown("the connection was lost")
NOBODY_KNOWS = error(503, "nobody knows what came of it at the exchange: the connection was lost")
ON_ITS_WAY = error(409, "an order with this key is on its way, and what comes of it isn't known yet")

OF_KEY = permit_of(1, FIRST)


def refused(raised: Exception, status: int, sentence: str) -> tuple[Step, ...]:
    return BrokerFails(raised, only="place"), (post_order(MARKET_ORDER), error(status, sentence))


CASES = (
    Case(
        name="order faults: no answer, and no order: the key waits, the slot is taken",
        config={"max_trades_per_day": 1},
        steps=(
            BrokerFails(LOST, only="place"),
            (keyed(), NOBODY_KNOWS),
            BrokerFails(None),
            (keyed(), ON_ITS_WAY),
            (keyed(), ON_ITS_WAY),
            (keyed(LIMIT_ORDER), ON_ITS_WAY),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":false}')),
            (get(ORDERS), listed()),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            permits={"permit-1": "in_doubt"},
            ledger=(*sent(1, OF_KEY), in_doubt(3, OF_KEY)),
        ),
    ),
    Case(
        name="order faults: no answer, though the order was placed: its key finds it, and there is one trade",
        config={"max_trades_per_day": 1},
        steps=(
            BrokerFails(LOST, only="place", afterwards=True),
            (keyed(), NOBODY_KNOWS),
            BrokerFails(None),
            At("2025-03-03T12:00:05Z"),
            (get(ORDERS), listed(FIRST)),
            *((keyed(), placed(FIRST)) for _ in range(4)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(
                *sent(1, OF_KEY),
                in_doubt(3, OF_KEY),
                *confirmed(4, OF_KEY, traded(1, FIRST, at="2025-03-03T12:00:05.000000Z")),
            ),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="order faults: a fault of the broker says as little as no answer",
        steps=(
            BrokerFails(RuntimeError("a secret of the machine"), only="place", afterwards=True),
            (post_order(MARKET_ORDER), FAULT),
            BrokerFails(RuntimeError("a secret of the machine"), only="place"),
            (post_order(MARKET_ORDER), FAULT),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            permits={"permit-1": "in_doubt", "permit-2": "in_doubt"},
            orders=("paper-1 filled 0.50",),
            ledger=(
                *sent(1, permit_of(1, order_of(1))),
                in_doubt(3, permit_of(1, order_of(1))),
                *sent(4, permit_of(2, order_of(2))),
                in_doubt(6, permit_of(2, order_of(2))),
            ),
        ),
    ),
    Case(
        name="order faults: who says that there is no order gives the slot back",
        config={"max_trades_per_day": 1},
        steps=(
            *refused(ExchangeRefused("InvalidOrder", "too small"), 502, "the exchange refuses: too small"),
            *refused(ExchangeUnavailable("no route"), 503, "the exchange can't answer: no route"),
            *refused(StoreUnavailable("the disk is gone"), 503, "the store can't answer: the disk is gone"),
            BrokerFails(None),
            (post_order(MARKET_ORDER), placed(order_of(1, name="order-4"))),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(
                *sent(1, permit_of(1, order_of(0, name="order-1"))),
                released(3, permit_of(1, order_of(0, name="order-1")), "the exchange refuses: too small"),
                *sent(4, permit_of(2, order_of(0, name="order-2"))),
                released(6, permit_of(2, order_of(0, name="order-2")), "the exchange can't answer: no route"),
                *sent(7, permit_of(3, order_of(0, name="order-3"))),
                released(9, permit_of(3, order_of(0, name="order-3")), "the store can't answer: the disk is gone"),
                *filled_at_once(10, 4, order_of(1, name="order-4"), trade=1),
            ),
        ),
    ),
    Case(
        name="order faults: a broker that can't tell of a key sends no order",
        steps=(
            BrokerFails(ExchangeUnavailable("no route"), only="order_by_client_id"),
            (keyed(), error(503, "the exchange can't answer: no route")),
            BrokerFails(ExchangeUnavailable("no route"), only="positions"),
            (keyed(), error(503, "the exchange can't answer: no route")),
            (post_order(MARKET_ORDER), error(503, "the exchange can't answer: no route")),
        ),
    ),
    Case(
        name="order faults: a cancellation without an answer leaves the permit to whoever asks again",
        steps=(
            (keyed(LIMIT_ORDER), placed(resting(1, name=NAME))),
            BrokerFails(LOST, only="cancel"),
            (delete_order("paper-1"), NOBODY_KNOWS),
            (get(ORDERS), listed(resting(1, name=NAME))),
            BrokerFails(LOST, only="cancel", afterwards=True),
            (delete_order("paper-1"), NOBODY_KNOWS),
            BrokerFails(None),
            (delete_order("paper-1"), error(409, "order 'paper-1' is cancelled, and can't be cancelled any more")),
            (get(f"{ORDERS}/paper-1"), found(resting(1, name=NAME, status="cancelled"))),
            (keyed(LIMIT_ORDER), placed(resting(1, name=NAME, status="cancelled"))),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=0,
            orders=("paper-1 cancelled 0",),
            ledger=(
                *sent(1, permit_of(1, resting(1, name=NAME))),
                released(3, permit_of(1, resting(1, name=NAME)), "the order is cancelled"),
            ),
        ),
    ),
)
