"""`POST /api/trading-window/trades`: bodies that are refused before a rule is asked. None counts anything."""

from tests.parity.case import (
    JSON,
    TRADE,
    Case,
    Left,
    Request,
    Step,
    entry_of,
    error,
    object_of,
    post_trade,
    registered,
    trade_of,
    without_content_type,
)
from tests.parity.case_refusals import DECIMAL_RULE, SIDE_RULE, SYMBOL_RULE

FIRST = trade_of("trade-1", "2025-03-03T12:00:00")

STRATEGY = "a text of 1 to 64 printable characters"
KNOWN = "expected: the known fields are symbol, side, quantity, price, strategy"


def typed(content_type: str, body: str | bytes = TRADE) -> Request:
    return post_trade(body, ("Content-Type", content_type))


def malformed(body: str | bytes, problem: str) -> Step:
    return post_trade(body), error(400, f"the body is malformed: {problem}")


def bad(field: str, value: str, rule: str, *, shown: str | None = None) -> Step:
    """A body with one wrong value, both as they are written in JSON."""
    members = {"symbol": '"BTC-USD"', "side": '"buy"', "quantity": '"0.50"', "price": '"64250.10"', field: value}
    return post_trade(object_of(members)), error(400, f"{field}: {shown or value} is not {rule}")


def without(field: str, rule: str) -> Step:
    members = {"symbol": '"BTC-USD"', "side": '"buy"', "quantity": '"0.50"', "price": '"64250.10"'}
    given = {name: written for name, written in members.items() if name != field}
    return post_trade(object_of(given)), error(400, f"{field}: missing is not {rule}")


CASES = (
    Case(
        name="trades: a Content-Type that is not JSON",
        steps=(
            (
                without_content_type(post_trade(TRADE)),
                error(415, "Content-Type: missing is not application/json"),
            ),
            (typed(""), error(415, 'Content-Type: "" is not application/json')),
            (typed("text/plain"), error(415, 'Content-Type: "text/plain" is not application/json')),
            (
                typed("application/x-www-form-urlencoded", "symbol=BTC-USD&side=buy"),
                error(415, 'Content-Type: "application/x-www-form-urlencoded" is not application/json'),
            ),
            (
                typed("multipart/form-data; boundary=x", "--x--\r\n"),
                error(415, 'Content-Type: "multipart/form-data; boundary=x" is not application/json'),
            ),
            (typed("application/jsonx"), error(415, 'Content-Type: "application/jsonx" is not application/json')),
            (typed("text/json"), error(415, 'Content-Type: "text/json" is not application/json')),
            (
                typed("t/" + "a" * 100),
                error(415, 'Content-Type: "t/' + "a" * 77 + " is not application/json"),
            ),
            (
                post_trade(TRADE, ("Content-Type", JSON), ("Content-Type", JSON)),
                error(415, 'Content-Type: "application/json,application/json" is not application/json'),
            ),
            (typed("tëxt/plain"), error(415, 'Content-Type: "t\\u00ebxt/plain" is not application/json')),
            (
                typed("application/json, text/plain"),
                error(415, 'Content-Type: "application/json, text/plain" is not application/json'),
            ),
        ),
        rows=(8,),
    ),
    Case(
        name="trades: Content-Types that are JSON",
        steps=tuple(
            (
                typed(content_type),
                registered(
                    trade_of(f"trade-{number}", "2025-03-03T12:00:00"), trades_today=number, remaining=5 - number
                ),
            )
            for number, content_type in enumerate(
                (JSON, "application/json; charset=utf-8", "Application/JSON", "application/vnd.bot+json"), start=1
            )
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=4,
            ledger=tuple(
                entry_of(number, trade_of(f"trade-{number}", "2025-03-03T12:00:00")) for number in range(1, 5)
            ),
        ),
        rows=(8,),
    ),
    Case(
        name="trades: a body at the limit is read, one byte more is too large",
        max_body_bytes=1024,
        steps=(
            (post_trade(TRADE.ljust(1025)), error(413, "the body is larger than 1024 bytes")),
            (post_trade(TRADE.ljust(1024)), registered(FIRST, trades_today=1, remaining=4)),
            (post_trade(b"\xff" * 50_000), error(413, "the body is larger than 1024 bytes")),
        ),
        leaves=Left(trade_day="2025-03-03", trades_today=1, ledger=(entry_of(1, FIRST),)),
    ),
    Case(
        name="trades: errors come in the contract's order",
        max_body_bytes=1024,
        config={"start_hour": 9, "end_hour": 10},
        trade_day="2025-03-03",
        trades_today=5,
        steps=(
            # each body keeps every later mistake
            (
                typed("text/plain", b"\xff" * 1025),
                error(415, 'Content-Type: "text/plain" is not application/json'),
            ),
            (post_trade(b"\xff" * 1025, key="a b"), error(413, "the body is larger than 1024 bytes")),
            (
                post_trade('{"symbol":0', key="a b"),
                error(400, "the body is malformed: it is not JSON at line 1, column 12"),
            ),
            (
                post_trade('{"zzz":1,"strategy":"","price":0,"quantity":0,"side":0,"symbol":0}', key="a b"),
                error(400, f"symbol: 0 is not {SYMBOL_RULE}"),
            ),
            (
                post_trade('{"zzz":1,"strategy":"","price":0,"quantity":0,"side":0,"symbol":"A"}', key="a b"),
                error(400, f"side: 0 is not {SIDE_RULE}"),
            ),
            (
                post_trade('{"zzz":1,"strategy":"","price":0,"quantity":0,"side":"buy","symbol":"A"}', key="a b"),
                error(400, f"quantity: 0 is not {DECIMAL_RULE}"),
            ),
            (
                post_trade('{"zzz":1,"strategy":"","price":0,"quantity":1,"side":"buy","symbol":"A"}', key="a b"),
                error(400, f"price: 0 is not {DECIMAL_RULE}"),
            ),
            (
                post_trade('{"zzz":1,"strategy":"","price":1,"quantity":1,"side":"buy","symbol":"A"}', key="a b"),
                error(400, f'strategy: "" is not {STRATEGY}'),
            ),
            (
                post_trade('{"zzz":1,"yyy":2,"price":1,"quantity":1,"side":"buy","symbol":"A"}', key="a b"),
                error(400, f"yyy: 2 is not {KNOWN}"),
            ),
            (
                post_trade(TRADE, key="a b"),
                error(400, 'Idempotency-Key: "a b" is not 1 to 255 visible ASCII characters'),
            ),
        ),
        rows=(6, 8, 12),
    ),
    Case(
        name="trades: a body that is no JSON object",
        steps=(
            malformed("", "it is not JSON at line 1, column 1"),
            malformed(" \n ", "it is not JSON at line 2, column 2"),
            malformed("{", "it is not JSON at line 1, column 2"),
            malformed(TRADE[:-1], "it is not JSON at line 1, column 70"),
            malformed(TRADE + "x", "it is not JSON at line 1, column 71"),
            malformed(TRADE + TRADE, "it is not JSON at line 1, column 71"),
            malformed("{'symbol': 1}", "it is not JSON at line 1, column 2"),
            malformed("\ufeff" + TRADE, "it is not JSON at line 1, column 1"),
            malformed(TRADE.encode("utf-16"), "it is not UTF-8"),
            malformed(b'{"symbol":"\xff"}', "it is not UTF-8"),
            malformed(b'{"symbol":"\xed\xa0\x80"}', "it is not UTF-8"),
            malformed("null", "it is not a JSON object"),
            malformed("[]", "it is not a JSON object"),
            malformed(f"[{TRADE}]", "it is not a JSON object"),
            malformed('"BTC-USD"', "it is not a JSON object"),
            malformed("5", "it is not a JSON object"),
            malformed("true", "it is not a JSON object"),
            malformed("NaN", "NaN is not a JSON number"),
            malformed('{"quantity":NaN}', "NaN is not a JSON number"),
            malformed('{"price":Infinity}', "Infinity is not a JSON number"),
            malformed('{"zzz":[-Infinity]}', "-Infinity is not a JSON number"),
            malformed('{"symbol":"A","symbol":"A"}', 'the key "symbol" is there more than once'),
            malformed('{"a":{"b":1,"b":1}}', 'the key "b" is there more than once'),
            malformed("[" * 100_000, "it holds more than 4096 objects and lists"),
            malformed('{"a":' * 300, "its objects and lists are more than 256 deep"),
            malformed('{"quantity":' + "9" * 5000 + "}", "it holds a number that is too long"),
        ),
        also_on_sqlite=True,
        rows=(6, 7, 9, 10, 11),
    ),
    Case(
        name="trades: a wrong symbol",
        steps=(
            without("symbol", SYMBOL_RULE),
            bad("symbol", "null", SYMBOL_RULE),
            bad("symbol", "5", SYMBOL_RULE),
            bad("symbol", '["BTC-USD"]', SYMBOL_RULE),
            bad("symbol", '""', SYMBOL_RULE),
            bad("symbol", '"btc-usd"', SYMBOL_RULE),
            bad("symbol", '"BTC/USD"', SYMBOL_RULE),
            bad("symbol", '"BTC-"', SYMBOL_RULE),
            bad("symbol", '"BTC-USD\\n"', SYMBOL_RULE),
            bad("symbol", '"' + "A" * 33 + '"', SYMBOL_RULE),
            bad("symbol", '"Ä"', SYMBOL_RULE, shown='"\\u00c4"'),
            bad("symbol", '"\\ud800"', SYMBOL_RULE),
        ),
        rows=(12, 15),
    ),
    Case(
        name="trades: a wrong side",
        steps=(
            without("side", SIDE_RULE),
            *(bad("side", value, SIDE_RULE) for value in ('"BUY"', '" buy"', '""', "1", "null", "true", '["buy"]')),
        ),
        rows=(12,),
    ),
    Case(
        name="trades: a wrong quantity or price",
        steps=tuple(
            step
            for field in ("quantity", "price")
            for step in (
                without(field, DECIMAL_RULE),
                *(
                    bad(field, value, DECIMAL_RULE)
                    for value in (
                        *(
                            "0",
                            "-1",
                            "0.0",
                            '"0"',
                            '"-1"',
                            "null",
                            "true",
                            "[]",
                            "{}",
                            '""',
                            '"abc"',
                            '"NaN"',
                            '"Infinity"',
                        ),
                        *('" 1"', '"1 "', '"+1"', '".5"', '"1."', '"01"', '"1_0"', '"0x10"', '"1,5"'),
                        *("1000000000000000000", '"1000000000000000000"', '"1e999999"'),
                        *("1234567890123456789012345", "0.1234567890123456789012345", '"1e18"', '"1e-19"'),
                    )
                ),
                bad(field, "1e999999", DECIMAL_RULE, shown="1E+999999"),
                bad(field, "0.0000000000000000001", DECIMAL_RULE, shown="1E-19"),
                bad(field, '"\uff11"', DECIMAL_RULE, shown='"\\uff11"'),
            )
        ),
        rows=(11, 12, 18),
    ),
    Case(
        name="trades: a wrong strategy",
        steps=(
            *(
                bad("strategy", value, STRATEGY)
                for value in ('""', "5", "1.5", "true", "[]", "{}", '"a\\nb"', '"\\ud800"')
            ),
            bad("strategy", '"' + "x" * 65 + '"', STRATEGY),
            bad("strategy", '"a\u200bb"', STRATEGY, shown='"a\\u200bb"'),
        ),
        rows=(12,),
    ),
    Case(
        name="trades: an unknown field is named, the first by name",
        steps=(
            bad("id", '"mine"', KNOWN),
            bad("Symbol", '"BTC-USD"', KNOWN),
            bad("", "1", KNOWN),
            (
                post_trade(TRADE[:-1] + ',"zebra":1,"ant":{"deep":[1,2.50]}}'),
                error(400, f'ant: {{"deep": [1, "2.50"]}} is not {KNOWN}'),
            ),
            (post_trade(TRADE[:-1] + ',"å":1}'), error(400, f"\\u00e5: 1 is not {KNOWN}")),
        ),
        rows=(12,),
    ),
    Case(
        name="trades: a sentence cuts the value at 80 characters, and the field too",
        steps=(
            bad("symbol", '"' + "a" * 78 + '"', SYMBOL_RULE),
            bad("symbol", '"' + "a" * 79 + '"', SYMBOL_RULE, shown='"' + "a" * 79),
            bad("symbol", '"' + "a" * 9_000 + '"', SYMBOL_RULE, shown='"' + "a" * 79),
            bad("symbol", "[" + ",".join("1" * 100) + "]", SYMBOL_RULE, shown="[" + "1, " * 26 + "1"),
            bad("quantity", "1" * 200, DECIMAL_RULE, shown="1" * 80),
            bad("price", "0." + "1" * 200, DECIMAL_RULE, shown="0." + "1" * 78),
            bad("side", '"' + "😀" * 100 + '"', SIDE_RULE, shown='"' + "\\ud83d\\ude00" * 6 + "\\ud83d\\"),
            (post_trade(TRADE[:-1] + f',"{"z" * 200}":1}}'), error(400, f"{'z' * 80}: 1 is not {KNOWN}")),
        ),
    ),
)
