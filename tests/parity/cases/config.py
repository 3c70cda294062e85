"""`/api/trading-window/config`"""

from tests.parity.case import (
    JSON,
    NOT_FOUND,
    TRADE,
    Answer,
    At,
    Case,
    Left,
    MovedTo,
    Step,
    allows,
    answers,
    entry_of,
    entry_of_config_change,
    error,
    get,
    head,
    head_of,
    not_allowed,
    ok,
    post_trade,
    put_config,
    registered,
    stray,
    trade_of,
    without_content_type,
)

READ = get("/api/trading-window/config")
NOON = "2025-03-03T12:00:00Z"

START = "a whole number from 0 to 23"
END = "a whole number from 0 to 24"
LIMIT = "a whole number from 0 to 1000000"
KNOWN = "expected: the known fields are start_hour, end_hour, max_trades_per_day"


def config(start: int = 0, end: int = 24, limit: int = 5, zone: str = "UTC") -> Answer:
    return ok(f'{{"end_hour":{end},"max_trades_per_day":{limit},"start_hour":{start},"timezone":"{zone}"}}')


def bad(field: str, value: str, rule: str, *, shown: str | None = None) -> Step:
    return put_config(f'{{"{field}":{value}}}'), error(400, f"{field}: {shown or value} is not {rule}")


def malformed(body: str | bytes, problem: str) -> Step:
    return put_config(body), error(400, f"the body is malformed: {problem}")


CASES = (
    Case(
        name="config: the three keys and the zone",
        config={"start_hour": 9, "end_hour": 17, "max_trades_per_day": 3, "timezone": "Europe/Stockholm"},
        steps=(
            (READ, ok('{"end_hour":17,"max_trades_per_day":3,"start_hour":9,"timezone":"Europe/Stockholm"}')),
            MovedTo("UTC"),
            (READ, ok('{"end_hour":17,"max_trades_per_day":3,"start_hour":9,"timezone":"UTC"}')),
        ),
        leaves=Left(version=2, config={"timezone": "UTC"}),
        also_on_sqlite=True,
        rows=(13, 14),
    ),
    Case(
        name="config: each key by itself, all together, and the bounds",
        steps=(
            (put_config('{"start_hour":9}'), config(start=9)),
            (put_config('{"end_hour":17}'), config(9, 17)),
            (put_config('{"max_trades_per_day":3}'), config(9, 17, 3)),
            (READ, config(9, 17, 3)),
            (put_config('{"max_trades_per_day":0,"end_hour":0,"start_hour":0}'), config(0, 0, 0)),
            (put_config('{"start_hour":23,"end_hour":24,"max_trades_per_day":1000000}'), config(23, 24, 1_000_000)),
            (READ, config(23, 24, 1_000_000)),
        ),
        leaves=Left(
            version=6,
            config={"start_hour": 23, "end_hour": 24, "max_trades_per_day": 1_000_000},
            ledger=(
                entry_of_config_change(1, NOON, before={}, after={"start_hour": 9}, number=1),
                entry_of_config_change(
                    2, NOON, before={"start_hour": 9}, after={"start_hour": 9, "end_hour": 17}, number=2
                ),
                entry_of_config_change(
                    3,
                    NOON,
                    before={"start_hour": 9, "end_hour": 17},
                    after={"start_hour": 9, "end_hour": 17, "max_trades_per_day": 3},
                    number=3,
                ),
                entry_of_config_change(
                    4,
                    NOON,
                    before={"start_hour": 9, "end_hour": 17, "max_trades_per_day": 3},
                    after={"start_hour": 0, "end_hour": 0, "max_trades_per_day": 0},
                    number=4,
                ),
                entry_of_config_change(
                    5,
                    NOON,
                    before={"start_hour": 0, "end_hour": 0, "max_trades_per_day": 0},
                    after={"start_hour": 23, "end_hour": 24, "max_trades_per_day": 1_000_000},
                    number=5,
                ),
            ),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="config: no key, or the same values, change nothing",
        config={"start_hour": 9},
        steps=(
            (put_config("{}"), config(9)),
            (put_config(" {\n} ", ("Content-Type", "application/json; charset=utf-8")), config(9)),
            (put_config('{"start_hour":9,"end_hour":24}'), config(9)),
        ),
    ),
    Case(
        name="config: start may come after end",
        steps=((put_config('{"start_hour":22,"end_hour":6}'), config(22, 6)),),
        leaves=Left(
            version=2,
            config={"start_hour": 22, "end_hour": 6},
            ledger=(entry_of_config_change(1, NOON, before={}, after={"start_hour": 22, "end_hour": 6}),),
        ),
    ),
    Case(
        name="config: a value that is no whole number in range",
        steps=tuple(
            step
            for field, beyond, rule in (
                ("start_hour", "24", START),
                ("start_hour", "99", START),
                ("end_hour", "25", END),
                ("max_trades_per_day", "1000001", LIMIT),
            )
            for step in (
                *(
                    bad(field, value, rule)
                    for value in (beyond, "-1", "9.0", "9.5", '"5"', '""', "true", "false", "null", "[]", "[5]", "{}")
                ),
                bad(field, "1e1", rule, shown="1E+1"),
                bad(field, "9" * 200, rule, shown="9" * 80),
                bad(field, '"' + "5" * 200 + '"', rule, shown='"' + "5" * 79),
            )
        ),
        rows=(12, 28),
    ),
    Case(
        name="config: an unknown key, and the zone is one",
        steps=(
            bad("timezone", '"Europe/Stockholm"', KNOWN),
            bad("timezone", '"UTC"', KNOWN),
            bad("startHour", "9", KNOWN),
            bad("cooldown_seconds", "null", KNOWN),
            (
                put_config('{"start_hour":9,"timezone":"UTC"}'),
                error(400, f'timezone: "UTC" is not {KNOWN}'),
            ),
            (READ, config()),
        ),
        rows=(12,),
    ),
    Case(
        name="config: the first wrong field counts, and with it nothing is changed",
        steps=(
            (
                put_config('{"max_trades_per_day":-1,"end_hour":25,"start_hour":24}'),
                error(400, f"start_hour: 24 is not {START}"),
            ),
            (
                put_config('{"max_trades_per_day":-1,"end_hour":25,"start_hour":9}'),
                error(400, f"end_hour: 25 is not {END}"),
            ),
            (put_config('{"max_trades_per_day":-1,"zzz":1}'), error(400, f"max_trades_per_day: -1 is not {LIMIT}")),
            (
                put_config('{"start_hour":9,"end_hour":17,"max_trades_per_day":-1}'),
                error(400, f"max_trades_per_day: -1 is not {LIMIT}"),
            ),
            (READ, config()),
        ),
    ),
    Case(
        name="config: a body that can't be read, in the contract's order",
        max_body_bytes=1024,
        steps=(
            (
                without_content_type(put_config('{"start_hour":9}')),
                error(415, "Content-Type: missing is not application/json"),
            ),
            (
                put_config(b"x" * 2000, ("Content-Type", "text/plain")),
                error(415, 'Content-Type: "text/plain" is not application/json'),
            ),
            (put_config(b"x" * 2000), error(413, "the body is larger than 1024 bytes")),
            malformed("", "it is not JSON at line 1, column 1"),
            malformed("null", "it is not a JSON object"),
            malformed("[]", "it is not a JSON object"),
            malformed('[["start_hour",9]]', "it is not a JSON object"),
            malformed('{"start_hour":NaN}', "NaN is not a JSON number"),
            malformed('{"start_hour":Infinity}', "Infinity is not a JSON number"),
            malformed(b'{"start_hour":"\xff"}', "it is not UTF-8"),
            malformed('{"start_hour":9,"start_hour":10}', 'the key "start_hour" is there more than once'),
            (READ, config()),
        ),
        also_on_sqlite=True,
        rows=(6, 7, 8, 9, 10, 11),
    ),
    Case(
        name="config: a change is in force at once",
        steps=(
            (post_trade(TRADE), registered(trade_of("trade-1", "2025-03-03T12:00:00"), trades_today=1, remaining=4)),
            (put_config('{"max_trades_per_day":1}'), config(limit=1)),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":false}')),
            (
                post_trade(TRADE),
                answers(409, '{"error":"daily trade limit of 1 reached","max_trades_per_day":1,"trades_today":1}'),
            ),
            At("2025-03-03T13:00:00Z"),
            (put_config('{"end_hour":13}'), config(end=13, limit=1)),
            (get("/api/trading-window/within-window"), ok('{"within_window":false}')),
            (
                post_trade(TRADE),
                answers(403, '{"error":"outside the trading window 0:00 - 13:00","trading_hours":"0:00 - 13:00"}'),
            ),
            (put_config('{"end_hour":14,"max_trades_per_day":2}'), config(end=14, limit=2)),
            (post_trade(TRADE), registered(trade_of("trade-4", "2025-03-03T13:00:00"), trades_today=2, remaining=0)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            version=4,
            config={"end_hour": 14, "max_trades_per_day": 2},
            ledger=(
                entry_of(1, trade_of("trade-1", "2025-03-03T12:00:00")),
                entry_of_config_change(2, NOON, before={}, after={"max_trades_per_day": 1}, number=1),
                entry_of_config_change(
                    3,
                    "2025-03-03T13:00:00Z",
                    before={"max_trades_per_day": 1},
                    after={"max_trades_per_day": 1, "end_hour": 13},
                    number=2,
                ),
                entry_of_config_change(
                    4,
                    "2025-03-03T13:00:00Z",
                    before={"max_trades_per_day": 1, "end_hour": 13},
                    after={"max_trades_per_day": 2, "end_hour": 14},
                    number=3,
                ),
                entry_of(5, trade_of("trade-4", "2025-03-03T13:00:00")),
            ),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="config: HEAD, OPTIONS, other methods and slashes",
        steps=(
            (head("/api/trading-window/config"), head_of(config())),
            (stray("OPTIONS", "/api/trading-window/config"), allows("GET, HEAD, OPTIONS, PUT")),
            (
                stray("POST", "/api/trading-window/config", ("Content-Type", JSON), body=b"{}"),
                not_allowed("GET, HEAD, OPTIONS, PUT"),
            ),
            (stray("PATCH", "/api/trading-window/config"), not_allowed("GET, HEAD, OPTIONS, PUT")),
            (stray("PUT", "/api/trading-window/config/", ("Content-Type", JSON), body=b'{"start_hour":9}'), NOT_FOUND),
        ),
        rows=(2, 33, 35, 36),
    ),
)
