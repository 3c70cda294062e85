"""`POST /api/orders`: what is refused before a rule is asked. The window is closed and the broker fails throughout,
which nobody gets to hear."""

from tests.parity.case import JSON, BrokerFails, Case, Step, error, object_of, without_content_type
from tests.parity.case_orders import LIMIT_ORDER, MARKET_ORDER, post_order
from tests.parity.case_refusals import DECIMAL_RULE, SIDE_RULE, SYMBOL_RULE

TYPE = '"market" or "limit"'
PRICE = f"{DECIMAL_RULE}, which a limit order needs and a market order can't have"
KNOWN = "expected: the known fields are symbol, side, type, quantity, price"
KEY = "1 to 255 visible ASCII characters"

NEVER_OPEN = {"start_hour": 9, "end_hour": 9}


def malformed(body: str | bytes, problem: str) -> Step:
    return post_order(body), error(400, f"the body is malformed: {problem}")


def bad(field: str, value: str, rule: str, *, kind: str = "limit", shown: str | None = None) -> Step:
    """A body with one wrong value, both as they are written in JSON."""
    members = {"symbol": '"BTC-USD"', "side": '"buy"', "type": f'"{kind}"', "quantity": "1"}
    members |= {"price": "1"} if kind == "limit" else {}
    return post_order(object_of({**members, field: value})), error(400, f"{field}: {shown or value} is not {rule}")


def without(member: str, sentence: str, *, body: str = LIMIT_ORDER) -> Step:
    assert member in body
    return post_order(body.replace(member, "")), error(400, sentence)


CASES = (
    Case(
        name="order bodies: the wrong type, too large, malformed, or no object",
        config=NEVER_OPEN,
        max_body_bytes=1_024,
        steps=(
            BrokerFails(RuntimeError("a fault")),
            (
                without_content_type(post_order(MARKET_ORDER)),
                error(415, "Content-Type: missing is not application/json"),
            ),
            (
                post_order(b" " * 1_025, ("Content-Type", "text/plain")),
                error(415, 'Content-Type: "text/plain" is not application/json'),
            ),
            (post_order(b" " * 1_025), error(413, "the body is larger than 1024 bytes")),
            malformed("[]", "it is not a JSON object"),
            malformed('{"quantity":NaN}', "NaN is not a JSON number"),
            (
                post_order("{}", ("Content-Type", JSON), ("Content-Type", JSON)),
                error(415, 'Content-Type: "application/json,application/json" is not application/json'),
            ),
        ),
        rows=(11, 12),
    ),
    Case(
        name="order bodies: each field's rule, the first one that fails",
        config=NEVER_OPEN,
        steps=(
            BrokerFails(RuntimeError("a fault")),
            (post_order("{}"), error(400, f"symbol: missing is not {SYMBOL_RULE}")),
            without('"symbol":"BTC-USD",', f"symbol: missing is not {SYMBOL_RULE}"),
            without('"side":"buy",', f"side: missing is not {SIDE_RULE}"),
            without('"type":"limit",', f"type: missing is not {TYPE}"),
            without(',"quantity":"0.50"', f"quantity: missing is not {DECIMAL_RULE}"),
            without(',"price":"64000.0"', f"price: missing is not {PRICE}"),
            bad("symbol", '"btc-usd"', SYMBOL_RULE),
            bad("symbol", "1", SYMBOL_RULE),
            bad("side", '"hold"', SIDE_RULE),
            bad("side", "null", SIDE_RULE),
            bad("type", '"stop"', TYPE),
            bad("type", "null", TYPE),
            bad("quantity", '"0"', DECIMAL_RULE),
            bad("quantity", "-1", DECIMAL_RULE),
            bad("quantity", '"1,5"', DECIMAL_RULE),
            bad("quantity", "1e18", DECIMAL_RULE, shown="1E+18"),
            bad("quantity", "null", DECIMAL_RULE),
            bad("price", "null", PRICE),
            bad("price", '"0.0"', PRICE),
            bad("price", '"1e-19"', PRICE),
            bad("price", '"1"', PRICE, kind="market"),
            bad("price", "64250.15", PRICE, kind="market"),
            bad("id", '"x"', KNOWN),
            bad("reduces", "true", KNOWN),
            bad("strategy", '"rsi"', KNOWN, kind="market"),
            (
                post_order('{"symbol":"BTC-USD","side":"x","type":"y","quantity":0,"price":0,"id":1}'),
                error(400, f'side: "x" is not {SIDE_RULE}'),
            ),
            (
                post_order('{"symbol":"BTC-USD","side":"buy","type":"y","quantity":0,"price":0,"id":1}'),
                error(400, f'type: "y" is not {TYPE}'),
            ),
            (
                post_order('{"symbol":"BTC-USD","side":"buy","type":"market","quantity":0,"price":1,"id":1}'),
                error(400, f"quantity: 0 is not {DECIMAL_RULE}"),
            ),
            (
                post_order('{"symbol":"BTC-USD","side":"buy","type":"market","quantity":1,"price":1,"id":1}'),
                error(400, f"price: 1 is not {PRICE}"),
            ),
        ),
    ),
    Case(
        name="order bodies: the key comes after the fields, and before the hours",
        config=NEVER_OPEN,
        steps=(
            (post_order(MARKET_ORDER, key="a b"), error(400, f'Idempotency-Key: "a b" is not {KEY}')),
            (post_order(MARKET_ORDER, key=""), error(400, f'Idempotency-Key: "" is not {KEY}')),
            (post_order("{}", key="a b"), error(400, f"symbol: missing is not {SYMBOL_RULE}")),
            (
                post_order(MARKET_ORDER, ("Idempotency-Key", "x" * 256)),
                error(400, f'Idempotency-Key: "{"x" * 79} is not {KEY}'),
            ),
        ),
    ),
)
