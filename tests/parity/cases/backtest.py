"""`/api/backtest/…`. Flask alone runs the old bot here, every other arm the new one. Amounts are reckoned by hand."""

import json
from typing import Any

from tests.parity.case import (
    NOT_FOUND,
    Answer,
    At,
    Case,
    HaltedBy,
    MarketFails,
    Request,
    Step,
    allows,
    error,
    get,
    head,
    head_of,
    not_allowed,
    ok,
    stray,
    with_body,
    without_content_type,
)
from tests.parity.case_refusals import (
    FAULT,
    MARKET_AWAY,
    MARKET_FAILS,
    STORE_FAILS,
    STORE_GONE,
    SYMBOL_RULE,
    TIMEFRAME_RULE,
)

STRATEGIES = "/api/backtest/strategies"
RUN = "/api/backtest/run"

WAVE = (
    '{"strategy":"ema_crossover","symbol":"WAVE-USD","timeframe":"1m","parameters":{"fast":2,"slow":3},'
    '"initial_capital":1000}'
)
"""A body for `POST run`: over a wave, on which the averages cross every sixth candle."""
QUIET = '{"strategy":"rsi","symbol":"BTC-USD","timeframe":"1m"}'

CAPITAL = "a decimal greater than 0 with at most 18 digits on either side of the point"
DIRECTION = {"default": "both", "rule": '"long", "short" or "both"'}


def post_backtest(body: str | bytes, *headers: tuple[str, str]) -> Request:
    return with_body("POST", RUN, body, headers)


def shown(body: Any) -> Answer:
    return ok(json.dumps(body, sort_keys=True, separators=(",", ":")))


def minute(hour: int, minute: int) -> str:
    return f"2025-03-03T{hour}:{minute:02}:00.000000Z"


def bad(member: str, other: str, sentence: str, *, body: str = WAVE) -> Step:
    assert member in body
    return post_backtest(body.replace(member, other)), error(400, sentence)


LISTED = shown(
    {
        "strategies": [
            {
                "name": "ema_crossover",
                "parameters": {
                    "direction": DIRECTION,
                    "fast": {"default": 12, "rule": "a whole number from 1 to 1000"},
                    "slow": {"default": 26, "rule": "a whole number greater than fast, and at most 1000"},
                },
            },
            {
                "name": "fair_value_gap",
                "parameters": {
                    "direction": DIRECTION,
                    "max_age": {"default": 120, "rule": "a whole number from 1 to 10000"},
                    "min_gap_percent": {"default": "0.05", "rule": "a number from 0 to 100"},
                },
            },
            {
                "name": "rsi",
                "parameters": {
                    "direction": DIRECTION,
                    "overbought": {"default": 70.0, "rule": "a number greater than oversold, and less than 100"},
                    "oversold": {"default": 30.0, "rule": "a number between 0 and 100"},
                    "period": {"default": 14, "rule": "a whole number from 2 to 1000"},
                },
            },
        ]
    }
)

ENTRY = {
    "timestamp": minute(11, 50),
    "purpose": "entry",
    "side": "buy",
    "quantity": "4.878048",  # a hundredth of the capital, by 2 % of the close, 102.50
    "price": "102.551250",  # half a thousandth above it
    "fee": "0.50024992",
    "realized_pnl": "0",
    "reason": "the EMA of 2 (102.1111111) went above the EMA of 3 (102)",
}
LEAVING = {
    "timestamp": minute(11, 54),
    "purpose": "take_profit",
    "side": "sell",
    "quantity": "4.878048",
    "price": "106.446750",
    "fee": "0.51925236",
    "realized_pnl": "19.00243598",
    "reason": "the price reached the take-profit at 106.65330000",
}
HELD = ["999.24975012", "1004.12779812", "1009.00584612", "1013.88389412"]
"""What the account is worth while the wave rises by one a minute."""


def of_wave(equity: list[str], trades: list[Any], *refusals: tuple[str, str]) -> Answer:
    code, reason = ("OUTSIDE_HOURS", "outside the trading window 12:00 - 24:00")
    if len(trades) == 2:
        code, reason = ("DAILY_LIMIT", "daily trade limit of 1 reached")
    times = [minute(11, 46 + number) for number in range(14)] + [minute(12, number) for number in range(6)]
    return shown(
        {
            "strategy": "ema_crossover",
            "symbol": "WAVE-USD",
            "timeframe": "1m",
            "parameters": {"direction": "both", "fast": 2, "slow": 3},
            "initial_capital": "1000",
            "final_equity": equity[-1],
            "candles": {"count": 20, "first": minute(11, 45), "last": minute(12, 4)},
            "equity": [{"timestamp": at, "equity": worth} for at, worth in zip(times, equity, strict=True)],
            "trade_count": len(trades),
            "trades": trades,
            "refusal_counts": {code: len(refusals)},
            "refusals": [{"timestamp": minute(*map(int, at)), "code": code, "reason": reason} for at in refusals],
        }
    )


LIMITED = of_wave(["1000.00000000"] * 4 + HELD + ["1017.98293370"] * 12, [ENTRY, LEAVING], ("11", "56"), ("12", "02"))
LATE_ENTRY = {
    **ENTRY,
    "timestamp": minute(12, 2),
    "reason": "the EMA of 2 (102.1109589) went above the EMA of 3 (101.9923096)",
}
LATE = of_wave(["1000.00000000"] * 16 + HELD, [LATE_ENTRY], ("11", "50"), ("11", "56"))

NOTHING = shown(
    {
        "strategy": "rsi",
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "parameters": {"direction": "both", "overbought": 70.0, "oversold": 30.0, "period": 14},
        "initial_capital": "10000",
        "final_equity": "10000.00000000",
        "candles": {"count": 3, "first": minute(11, 57), "last": minute(11, 59)},
        "equity": [
            {"timestamp": at, "equity": "10000.00000000"} for at in (minute(11, 58), minute(11, 59), minute(12, 0))
        ],
        "trade_count": 0,
        "trades": [],
        "refusal_counts": {},
        "refusals": [],
    }
)

CASES = (
    Case(
        name="strategies: each with its parameters, their defaults and rules, whatever ails market and store",
        steps=(
            (get(STRATEGIES), LISTED),
            (get(f"{STRATEGIES}?limit=x"), LISTED),
            (head(STRATEGIES), head_of(LISTED)),
            MarketFails(RuntimeError("a fault")),
            STORE_FAILS,
            (get(STRATEGIES), LISTED),
        ),
    ),
    Case(
        name="backtest: what is traded, what the daily limit refuses, and what the account is worth",
        at="2025-03-03T12:05:00Z",
        config={"max_trades_per_day": 1},
        trade_day="2025-03-03",
        trades_today=1,
        steps=(
            (post_backtest(WAVE), LIMITED),
            (post_backtest(WAVE), LIMITED),
            (post_backtest(WAVE.replace("1000", '"1000"')), LIMITED),
            HaltedBy("maintenance"),
            (post_backtest(WAVE), LIMITED),
            HaltedBy(None),
        ),
    ),
    Case(
        name="backtest: what the hours refuse",
        at="2025-03-03T12:05:00Z",
        config={"start_hour": 12, "max_trades_per_day": 2},
        steps=((post_backtest(WAVE), LATE), At("2025-03-03T12:05:59.999999Z"), (post_backtest(WAVE), LATE)),
    ),
    Case(
        name="backtest: defaults, and a market too short for a signal",
        steps=(
            (post_backtest(QUIET), NOTHING),
            (post_backtest(QUIET.replace("}", ',"parameters":{},"initial_capital":1e4}')), NOTHING),
            (post_backtest(QUIET, ("Content-Type", "application/vnd.bot+json")), NOTHING),
        ),
    ),
    Case(
        name="backtest: what can't be read, and each field's rule, the first one that fails",
        max_body_bytes=1_024,
        steps=(
            (without_content_type(post_backtest(WAVE)), error(415, "Content-Type: missing is not application/json")),
            (post_backtest(b" " * 1_025), error(413, "the body is larger than 1024 bytes")),
            (post_backtest("[]"), error(400, "the body is malformed: it is not a JSON object")),
            (post_backtest("{}"), error(400, "strategy: missing is not the name of a strategy")),
            bad('"ema_crossover"', "1", "strategy: 1 is not the name of a strategy"),
            bad('"WAVE-USD"', '"wave"', f'symbol: "wave" is not {SYMBOL_RULE}'),
            bad('"1m"', '"2m"', f'timeframe: "2m" is not {TIMEFRAME_RULE}'),
            bad('"timeframe":"1m",', "", f"timeframe: missing is not {TIMEFRAME_RULE}"),
            bad('{"fast":2,"slow":3}', "null", "parameters: null is not an object of the strategy's parameters"),
            bad("1000", "0", f"initial_capital: 0 is not {CAPITAL}"),
            bad("1000", "null", f"initial_capital: null is not {CAPITAL}"),
            bad('"1m"', '"2m","initial_capital2":1', f'timeframe: "2m" is not {TIMEFRAME_RULE}'),
            bad(
                "initial_capital",
                "capital",
                "capital: 1000 is not expected: the known fields are strategy, symbol, timeframe, parameters, "
                "initial_capital",
            ),
        ),
    ),
    Case(
        name="backtest: a strategy or a parameter that there isn't, then a symbol",
        steps=(
            bad('"ema_crossover"', '"hodl"', 'strategy: "hodl" is not one of ema_crossover, fair_value_gap, rsi'),
            bad('"fast":2', '"fast":0', "parameters.fast: 0 is not a whole number from 1 to 1000"),
            bad('"fast":2', '"fast":2.5', "parameters.fast: 2.5 is not a whole number from 1 to 1000"),
            bad('"fast":2', '"fast":3', "parameters.slow: 3 is not a whole number greater than fast, and at most 1000"),
            bad(
                '"fast":2',
                '"speed":2',
                "parameters.speed: 2 is not expected: the known fields are direction, fast, slow",
                body=WAVE.replace('"slow":3', '"slow":30'),
            ),
            bad(
                '"fast":2',
                '"fast":0',
                "parameters.fast: 0 is not a whole number from 1 to 1000",
                body=WAVE.replace("WAVE", "NO"),
            ),
            (post_backtest(WAVE.replace("WAVE-USD", "BTC-EUR")), error(404, "no symbol is named 'BTC-EUR'")),
        ),
    ),
    Case(
        name="backtest: a market or a store that can't answer, and faults of them",
        steps=(
            MARKET_FAILS,
            (post_backtest(WAVE), MARKET_AWAY),
            bad('"1m"', '"2m"', f'timeframe: "2m" is not {TIMEFRAME_RULE}'),
            MarketFails(RuntimeError("a secret of the machine")),
            (post_backtest(WAVE), FAULT),
            MarketFails(None),
            STORE_FAILS,
            (post_backtest(WAVE), STORE_GONE),
        ),
    ),
    Case(
        name="backtest: HEAD, OPTIONS, other methods and slashes",
        steps=(
            (stray("OPTIONS", STRATEGIES), allows("GET, HEAD, OPTIONS")),
            (stray("POST", STRATEGIES), not_allowed("GET, HEAD, OPTIONS")),
            (stray("OPTIONS", RUN), allows("OPTIONS, POST")),
            (stray("GET", RUN), not_allowed("OPTIONS, POST")),
            (stray("GET", f"{STRATEGIES}/"), NOT_FOUND),
            (stray("POST", f"{RUN}/"), NOT_FOUND),
        ),
    ),
)
