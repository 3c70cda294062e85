"""`/api/orders`, `/api/balances` and `/api/positions`: what is placed, shown and cancelled."""

from shared.errors import StoreUnavailable
from tests.parity.case import (
    NOT_FOUND,
    At,
    BrokerFails,
    CandleTrades,
    Case,
    Left,
    Step,
    StoreFails,
    allows,
    error,
    get,
    head,
    head_of,
    moved,
    not_allowed,
    stray,
)
from tests.parity.case_orders import (
    LIMIT_ORDER,
    MARKET_ORDER,
    ORDERS,
    balances,
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
)
from tests.parity.case_refusals import (
    FAULT,
    LIST_LIMIT_RULE,
    MARKET_AWAY,
    MARKET_FAILS,
    STORE_FAILS,
    STORE_GONE,
    SYMBOL_RULE,
)

BALANCES = "/api/balances"
POSITIONS = "/api/positions"

BOUGHT = order_of(1)
SOLD = order_of(
    2,
    side="sell",
    quantity="0.20",
    reduces=True,
    filled_quantity="0.20",
    average_price="64250.05",
    fee="12.85001000",
    realized_pnl="-0.02000000",
)
ETHER = order_of(
    3,
    symbol="ETH-USD",
    side="sell",
    quantity="1000",
    filled_quantity="1000",
    average_price="0.00000149",
    fee="0.00000149",
)
STATUS_RULE = '"open", "filled", "cancelled" or "rejected"'


def long(quantity: str, unrealized: str, *, entry: str = "64250.15000000") -> str:
    return (
        f'{{"entry_price":"{entry}","quantity":"{quantity}","side":"long","symbol":"BTC-USD",'
        f'"unrealized_pnl":"{unrealized}"}}'
    )


SHORT_OF_ETHER = (
    '{"entry_price":"0.00000149","quantity":"1000","side":"short","symbol":"ETH-USD","unrealized_pnl":"-0.00001000"}'
)


def bad(query: str, sentence: str) -> Step:
    return get(f"{ORDERS}?{query}"), error(400, sentence)


CASES = (
    Case(
        name="orders: nothing was ordered yet",
        steps=(
            (get(ORDERS), listed()),
            (get(BALANCES), balances("100000.00000000", "100000.00000000")),
            (get(POSITIONS), positions()),
            (get(f"{ORDERS}/paper-1"), error(404, "no order is named 'paper-1'")),
            (delete_order("paper-1"), error(404, "no order is named 'paper-1'")),
            (head(ORDERS), head_of(listed())),
            (head(BALANCES), head_of(balances("100000.00000000", "100000.00000000"))),
            (head(POSITIONS), head_of(positions())),
            (head(f"{ORDERS}/paper-1"), head_of(error(404, "no order is named 'paper-1'"))),
        ),
    ),
    Case(
        name="orders: a purchase, a sale of a part of it, and a short sale of another symbol",
        steps=(
            (post_order(MARKET_ORDER), placed(BOUGHT)),
            (get(BALANCES), balances("67842.79992500", "99967.84992500")),
            (get(POSITIONS), positions(long("0.50", "-0.02500000"))),
            (post_order('{"symbol":"BTC-USD","side":"sell","type":"market","quantity":0.20}'), placed(SOLD)),
            (get(POSITIONS), positions(long("0.30", "-0.01500000"))),
            (post_order('{"symbol":"ETH-USD","side":"sell","type":"market","quantity":"1e3"}'), placed(ETHER)),
            (get(POSITIONS), positions(long("0.30", "-0.01500000"), SHORT_OF_ETHER)),
            (get(ORDERS), listed(ETHER, SOLD, BOUGHT)),
            (get(f"{ORDERS}/paper-2"), found(SOLD)),
            (head(f"{ORDERS}/paper-2"), head_of(found(SOLD))),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            orders=("paper-1 filled 0.50", "paper-2 filled 0.20", "paper-3 filled 1000"),
            ledger=(
                *filled_at_once(1, 1, BOUGHT),
                *filled_at_once(5, 2, SOLD),
                *filled_at_once(9, 3, ETHER),
            ),
            tally={"symbol": {"BTC-USD": 1, "ETH-USD": 1}, "side": {"buy": 1, "sell": 1}, "strategy": {}},
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="orders: one that rests keeps its slot until it is cancelled, which can be done once",
        steps=(
            (post_order(LIMIT_ORDER), placed(resting(1))),
            (get(f"{ORDERS}/paper-1"), found(resting(1))),
            (get(BALANCES), balances("67968.00000000", "100000.00000000")),
            (get(POSITIONS), positions()),
            At("2025-03-03T12:00:30Z"),
            (delete_order("paper-1"), found(resting(1, status="cancelled", updated_at="2025-03-03T12:00:30.000000Z"))),
            (delete_order("paper-1"), error(409, "order 'paper-1' is cancelled, and can't be cancelled any more")),
            (get(BALANCES), balances("100000.00000000", "100000.00000000")),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=0,
            orders=("paper-1 cancelled 0",),
            ledger=(
                *sent(1, permit_of(1, resting(1))),
                released(
                    3,
                    permit_of(1, resting(1), deadline=None),
                    "the order is cancelled",
                    at="2025-03-03T12:00:30.000000Z",
                ),
            ),
        ),
    ),
    Case(
        name="orders: a limit that the quote meets is filled at once, and one that was filled isn't cancelled",
        steps=(
            (
                post_order(LIMIT_ORDER.replace("64000.0", "64250.15")),
                placed(order_of(1, type="limit", price="64250.15")),
            ),
            (delete_order("paper-1"), error(409, "order 'paper-1' is filled, and can't be cancelled any more")),
            (
                post_order(LIMIT_ORDER.replace("64000.0", "64300").replace("0.50", "0.5")),
                placed(order_of(2, type="limit", price="64300", quantity="0.5", filled_quantity="0.5")),
            ),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            orders=("paper-1 filled 0.50", "paper-2 filled 0.5"),
            ledger=(
                *filled_at_once(1, 1, order_of(1, type="limit", price="64250.15")),
                *filled_at_once(5, 2, order_of(2, type="limit", price="64300", quantity="0.5", filled_quantity="0.5")),
            ),
        ),
    ),
    Case(
        name="orders: the list by status, symbol and limit, the newest first",
        steps=(
            (post_order(LIMIT_ORDER), placed(resting(1))),
            (post_order(LIMIT_ORDER.replace("64000.0", "1.0")), placed(resting(2, price="1.0"))),
            (delete_order("paper-1"), found(resting(1, status="cancelled"))),
            (get(ORDERS), listed(resting(2, price="1.0"), resting(1, status="cancelled"))),
            (get(f"{ORDERS}?status=open"), listed(resting(2, price="1.0"))),
            (get(f"{ORDERS}?status=cancelled"), listed(resting(1, status="cancelled"))),
            (get(f"{ORDERS}?status=filled"), listed()),
            (get(f"{ORDERS}?status=rejected"), listed()),
            (get(f"{ORDERS}?symbol=BTC-USD&status=open"), listed(resting(2, price="1.0"))),
            (get(f"{ORDERS}?symbol=ETH-USD"), listed()),
            (get(f"{ORDERS}?limit=1"), listed(resting(2, price="1.0"))),
            (get(f"{ORDERS}?limit=1&limit=x&other=1"), listed(resting(2, price="1.0"))),
            bad("limit=0", f'limit: "0" is not {LIST_LIMIT_RULE}'),
            bad("limit=501", f'limit: "501" is not {LIST_LIMIT_RULE}'),
            bad("status=done", f'status: "done" is not {STATUS_RULE}'),
            bad("status=", f'status: "" is not {STATUS_RULE}'),
            bad("symbol=btc", f'symbol: "btc" is not {SYMBOL_RULE}'),
            bad("limit=0&symbol=btc&status=OPEN", f'status: "OPEN" is not {STATUS_RULE}'),
            bad("limit=0&symbol=btc", f'symbol: "btc" is not {SYMBOL_RULE}'),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            permits={"permit-2": "sent"},
            orders=("paper-1 cancelled 0", "paper-2 open 0"),
            ledger=(
                *sent(1, permit_of(1, resting(1))),
                *sent(3, permit_of(2, resting(2, price="1.0"))),
                released(5, permit_of(1, resting(1), deadline=None), "the order is cancelled"),
            ),
        ),
        rows=(25, 26),
    ),
    Case(
        name="orders: a market that moves, and one that is away",
        steps=(
            (post_order(LIMIT_ORDER), placed(resting(1))),
            At("2025-03-03T12:00:10Z"),
            CandleTrades("63000"),
            (
                get(f"{ORDERS}/paper-1"),
                found(
                    order_of(
                        1,
                        type="limit",
                        price="64000.0",
                        average_price="64000.0",
                        fee="32.00000000",
                        updated_at="2025-03-03T12:00:10.000000Z",
                    )
                ),
            ),
            (get(POSITIONS), positions(long("0.50", "125.05000000", entry="64000.00000000"))),
            MARKET_FAILS,
            (get(POSITIONS), MARKET_AWAY),
            (get(BALANCES), MARKET_AWAY),
            (post_order(MARKET_ORDER), MARKET_AWAY),
            (get(f"{ORDERS}?limit=1&status=open"), listed()),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            permits={"permit-1": "sent"},
            orders=("paper-1 filled 0.50",),
            ledger=sent(1, permit_of(1, resting(1))),
        ),
    ),
    Case(
        name="orders: a store that fails takes no order, and hides none",
        steps=(
            STORE_FAILS,
            (post_order(MARKET_ORDER), STORE_GONE),
            (post_order(MARKET_ORDER, key="one"), STORE_GONE),
            (get(ORDERS), listed()),
            (get(BALANCES), balances("100000.00000000", "100000.00000000")),
            (delete_order("paper-1"), error(404, "no order is named 'paper-1'")),
            StoreFails(None),
            BrokerFails(StoreUnavailable("the disk is gone")),
            (get(ORDERS), STORE_GONE),
            (get(f"{ORDERS}/paper-1"), STORE_GONE),
            (get(BALANCES), STORE_GONE),
            (get(POSITIONS), STORE_GONE),
            (delete_order("paper-1"), STORE_GONE),
            (post_order(MARKET_ORDER), STORE_GONE),
            BrokerFails(RuntimeError("a secret of the machine")),
            (get(ORDERS), FAULT),
            (post_order(MARKET_ORDER), FAULT),
        ),
        rows=(4, 5),
    ),
    Case(
        name="orders: HEAD, OPTIONS, other methods and slashes",
        steps=(
            (stray("OPTIONS", BALANCES), allows("GET, HEAD, OPTIONS")),
            (stray("OPTIONS", POSITIONS), allows("GET, HEAD, OPTIONS")),
            (stray("OPTIONS", ORDERS), allows("GET, HEAD, OPTIONS, POST")),
            (stray("OPTIONS", f"{ORDERS}/paper-1"), allows("DELETE, GET, HEAD, OPTIONS")),
            (stray("POST", BALANCES), not_allowed("GET, HEAD, OPTIONS")),
            (stray("DELETE", POSITIONS), not_allowed("GET, HEAD, OPTIONS")),
            (stray("DELETE", ORDERS), not_allowed("GET, HEAD, OPTIONS, POST")),
            (stray("PUT", f"{ORDERS}/paper-1"), not_allowed("DELETE, GET, HEAD, OPTIONS")),
            (stray("POST", f"{ORDERS}/paper-1"), not_allowed("DELETE, GET, HEAD, OPTIONS")),
            (stray("GET", f"{ORDERS}/"), NOT_FOUND),
            (stray("DELETE", f"{ORDERS}/"), NOT_FOUND),
            (stray("GET", f"{BALANCES}/"), NOT_FOUND),
            (stray("GET", f"{ORDERS}/paper-1/"), NOT_FOUND),
            (stray("DELETE", f"{ORDERS}/paper%2F1"), NOT_FOUND),
            (stray("GET", "/api//orders?limit=1"), moved("http://bot.example/api/orders?limit=1")),
        ),
        rows=(2, 33, 35, 36),
    ),
    Case(
        name="orders: an id is looked up as it came",
        steps=tuple(
            (request, error(404, f"no order is named {shown}"))
            for given, shown in (
                ("paper-0", "'paper-0'"),
                ("paper-01", "'paper-01'"),
                ("1", "'1'"),
                ("%70aper-9", "'paper-9'"),
                ("A" * 200, f"'{'A' * 80}'"),
                ("paper-1%0A", "'paper-1\\n'"),
                ("B%C3%A9ta", "'B\u00e9ta'"),
                ("%ff", "'\ufffd'"),
                ("paper-1%00", "'paper-1\\x00'"),
                ("paper-99999999999999999999", "'paper-99999999999999999999'"),
            )
            for request in (get(f"{ORDERS}/{given}"), delete_order(given))
        ),
        rows=(29,),
    ),
)
