"""`POST /api/orders` with an `Idempotency-Key`. Two of the arms change sides with each request, so each replay is also
one across the sides, both ways."""

from tests.parity.case import (
    TRADE,
    Answer,
    At,
    CandleTrades,
    Case,
    HaltedBy,
    Left,
    Request,
    entry_of,
    error,
    get,
    post_trade,
    registered,
    trade_of,
)
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
from tests.parity.case_refusals import KEY_REUSED, NINE_TO_FIVE, SHUT, SYMBOL_RULE, limit_reached

NAME = "key-74b1acce5e4f3a50a7c3d5ef"
"""The first 24 digits of the SHA-256 of `POST /api/orders`, a line feed and `order-1`, as sha256sum shows them."""
FIRST = order_of(1, name=NAME)
WAITING = resting(1, name=NAME)
FILLED_LATER = {
    **WAITING,
    "status": "filled",
    "filled_quantity": "0.50",
    "average_price": "64000.0",
    "fee": "32.00000000",
    "updated_at": "2025-03-03T12:00:10.000000Z",
}
CANCELLED = {**WAITING, "status": "cancelled", "updated_at": "2025-03-03T12:02:00.000000Z"}
ODD_PERMIT = permit_of(3, order_of(0, name=NAME, symbol="BTC-EUR"))
FULL = limit_reached(1, 1)


def keyed(body: str = MARKET_ORDER) -> Request:
    return post_order(body, key="order-1")


def once_more(*answers_to: Answer) -> tuple[tuple[Request, Answer], ...]:
    return tuple((keyed(), answer) for answer in answers_to)


CASES = (
    Case(
        name="order keys: an equal request gets its order again, whatever has become of window and account since",
        config={**NINE_TO_FIVE, "max_trades_per_day": 1},
        steps=(
            *once_more(placed(FIRST), placed(FIRST), placed(FIRST)),
            (post_order(MARKET_ORDER), FULL),
            *once_more(placed(FIRST), placed(FIRST)),
            At("2025-03-03T20:00:00Z"),
            (post_order(MARKET_ORDER), SHUT),
            *once_more(placed(FIRST), placed(FIRST)),
            HaltedBy("maintenance"),
            *once_more(placed(FIRST), placed(FIRST)),
            At("2025-03-09T20:00:00Z"),
            *once_more(placed(FIRST), placed(FIRST)),
            (get(ORDERS), listed(FIRST)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            halt="maintenance",
            orders=("paper-1 filled 0.50",),
            ledger=tuple(filled_at_once(1, 1, FIRST)),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="order keys: bodies are compared by what they say, also where the rules would refuse the other one",
        config={"max_trades_per_day": 1},
        steps=(
            (keyed(), placed(FIRST)),
            *(
                (keyed(other), placed(FIRST))
                for other in (
                    MARKET_ORDER.replace('"0.50"', '"0.5"'),
                    MARKET_ORDER.replace('"0.50"', "0.500"),
                    MARKET_ORDER.replace('"0.50"', "5e-1"),
                    MARKET_ORDER.replace("}", ',"price":null}'),
                    '{"quantity":0.5,"type":"market","side":"buy","symbol":"BTC-USD"}',
                )
            ),
            *(
                (keyed(other), KEY_REUSED)
                for other in (
                    MARKET_ORDER.replace("0.50", "0.51"),
                    MARKET_ORDER.replace("buy", "sell"),
                    MARKET_ORDER.replace("BTC", "ETH"),
                    LIMIT_ORDER,
                    LIMIT_ORDER.replace("64000.0", "64250.15"),
                )
            ),
            (keyed('{"symbol":1}'), error(400, f"symbol: 1 is not {SYMBOL_RULE}")),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=tuple(filled_at_once(1, 1, FIRST)),
        ),
    ),
    Case(
        name="order keys: a refusal is not kept, the same key is judged anew",
        config=NINE_TO_FIVE,
        at="2025-03-03T08:59:59Z",
        steps=(
            (keyed(), SHUT),
            At("2025-03-03T12:00:00Z"),
            HaltedBy("maintenance"),
            (keyed(), error(403, "halted: maintenance")),
            HaltedBy(None),
            (keyed(MARKET_ORDER.replace("BTC-USD", "BTC-EUR")), error(404, "no symbol is named 'BTC-EUR'")),
            (keyed(), placed(FIRST)),
            (keyed(), placed(FIRST)),
            (keyed(MARKET_ORDER.replace("BTC-USD", "BTC-EUR")), KEY_REUSED),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(
                *sent(1, ODD_PERMIT),
                released(3, ODD_PERMIT, "no symbol is named 'BTC-EUR'"),
                *filled_at_once(4, 4, FIRST, trade=1),
            ),
        ),
    ),
    Case(
        name="order keys: an order that rests is shown as it is by now, and is traded once it is filled",
        steps=(
            *((keyed(LIMIT_ORDER), placed(WAITING)) for _ in range(3)),
            At("2025-03-03T12:00:10Z"),
            CandleTrades("63999.99"),
            *((keyed(LIMIT_ORDER), placed(FILLED_LATER)) for _ in range(3)),
            (keyed(MARKET_ORDER), KEY_REUSED),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(
                *sent(1, permit_of(1, WAITING)),
                *confirmed(3, permit_of(1, WAITING), traded(1, FILLED_LATER)),
            ),
        ),
    ),
    Case(
        name="order keys: an order that was cancelled is shown so, and isn't placed again",
        steps=(
            (keyed(LIMIT_ORDER), placed(WAITING)),
            At("2025-03-03T12:02:00Z"),
            (delete_order("paper-1"), found(CANCELLED)),
            *((keyed(LIMIT_ORDER), placed(CANCELLED)) for _ in range(2)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=0,
            orders=("paper-1 cancelled 0",),
            ledger=(
                *sent(1, permit_of(1, WAITING)),
                in_doubt(3, permit_of(1, WAITING), at="2025-03-03T12:02:00Z", deadline="2025-03-03T12:01:00.000000Z"),
                released(4, permit_of(1, WAITING), "the order is cancelled", at="2025-03-03T12:02:00Z"),
            ),
        ),
    ),
    Case(
        name="order keys: where the config has it so, a fill during a halt becomes a trade after it",
        config={"confirm_while_halted": False},
        steps=(
            (keyed(LIMIT_ORDER), placed(WAITING)),
            At("2025-03-03T12:00:10Z"),
            CandleTrades("64000"),
            HaltedBy("maintenance"),
            *((keyed(LIMIT_ORDER), placed(FILLED_LATER)) for _ in range(2)),
            HaltedBy(None),
            At("2025-03-03T12:00:20Z"),
            *((keyed(LIMIT_ORDER), placed(FILLED_LATER)) for _ in range(2)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            orders=("paper-1 filled 0.50",),
            ledger=(
                *sent(1, permit_of(1, WAITING)),
                *confirmed(3, permit_of(1, WAITING), traded(3, FILLED_LATER, at="2025-03-03T12:00:20.000000Z")),
            ),
        ),
    ),
    Case(
        name="order keys: a key of a trade is another one",
        steps=(
            (
                post_trade(TRADE, key="order-1"),
                registered(trade_of("trade-1", "2025-03-03T12:00:00"), trades_today=1, remaining=4),
            ),
            (keyed(), placed(FIRST)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            orders=("paper-1 filled 0.50",),
            ledger=(
                entry_of(1, trade_of("trade-1", "2025-03-03T12:00:00")),
                *filled_at_once(2, 1, FIRST, trade=2),
            ),
        ),
    ),
)
