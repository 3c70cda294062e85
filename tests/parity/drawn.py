"""Drawns of requests, valid and not, with what happens around them: the clock, halts, a store that fails, and
endpoints that move."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from shared.errors import ExchangeUnavailable, MarketUnavailable, OutcomeUnknown, StoreUnavailable
from shared.modes import EndpointMode, Mode
from tests.parity.case import (
    JSON,
    At,
    BotRuns,
    BrokerFails,
    CandleTrades,
    Case,
    Event,
    HaltedBy,
    MarketFails,
    MovedTo,
    Request,
    StoreFails,
    post_trade,
    put_config,
    trade_of,
)
from tests.parity.case_orders import ORDERS, delete_order, post_order
from tests.parity.cases.backtest import post_backtest
from tests.parity.endpoints import BOTH_SIDES, path_of


@dataclass(frozen=True, slots=True)
class Moved:
    """A person moves endpoints to other modes."""

    modes: Mapping[str, EndpointMode]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What is there at the start, the modes in force then, and what happens."""

    start: Case
    modes: Mapping[str, EndpointMode]
    steps: tuple[Request | Event | Moved, ...]


ZONES = ("UTC", "Europe/Stockholm", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago")
NATIVE_ONLY = ("/api/trading-window", "/api/trading-window/remaining-trades")
MAX_BODY_BYTES = 1_024
CHOICES: tuple[tuple[Mode, float | None], ...] = (
    ("shadow", None),
    ("shadow", None),
    ("verify", None),
    ("verify", None),
    ("canary", 0),
    ("canary", 30),
    ("canary", 60),
    ("canary", 100),
)

# around midnight in the zones above, on days with and without a change of clocks
instants = st.builds(
    lambda start, hours, microseconds: start + timedelta(hours=hours, microseconds=microseconds),
    st.sampled_from(
        [
            datetime(2025, 3, 3, 5, tzinfo=UTC),
            datetime(2025, 3, 9, 5, tzinfo=UTC),
            datetime(2025, 3, 29, 23, tzinfo=UTC),
            datetime(2025, 10, 25, 22, tzinfo=UTC),
            datetime(2024, 12, 31, 23, tzinfo=UTC),
        ]
    ),
    st.integers(-30, 30),
    st.sampled_from([-1, 0, 1, 1_800_000_000]),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["0.50", "1e2"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)

good_trades = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["BTC-USD", "BTC-USD", "ETH-USD"]),
        "side": st.just("buy"),
        "quantity": st.sampled_from(["0.50", "0.50", "0.5", 1]),
        "price": st.just("64250.10"),
    },
    optional={"strategy": st.sampled_from(["rsi", None, "återköp"])},
)
bad_trades = st.dictionaries(
    st.sampled_from(["symbol", "side", "quantity", "price", "strategy", "id", "é"]), json_values, min_size=1
)
trades = good_trades | st.builds(lambda good, bad: {**good, **bad}, good_trades, bad_trades)
config_keys = st.sampled_from(["start_hour", "end_hour", "max_trades_per_day", "timezone"])
config_changes = st.fixed_dictionaries(
    {},
    optional={
        "start_hour": st.integers(0, 23),
        "end_hour": st.integers(0, 24),
        "max_trades_per_day": st.integers(0, 6),
    },
) | st.dictionaries(config_keys, json_values | st.integers(-1, 30), max_size=3)

headers = st.sampled_from(
    [(), (), (), (), (("Content-Type", "text/plain"),), (("Content-Type", "application/vnd.bot+json; a=b"),)]
)
good_orders = st.builds(
    lambda order, limit: {**order, **({"type": "limit", "price": limit} if limit else {"type": "market"})},
    st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(["BTC-USD", "BTC-USD", "BTC-USD", "ETH-USD", "XRP-USD"]),
            "side": st.sampled_from(["buy", "buy", "sell"]),
            "quantity": st.sampled_from(["0.50", "0.50", "0.5", 1, "0.10", "2"]),
        }
    ),
    st.sampled_from([None, None, None, "64000.0", "64250.15", 65_000]),
)
bad_orders = st.dictionaries(
    st.sampled_from(["symbol", "side", "type", "quantity", "price", "reduces", "é"]), json_values, min_size=1
)
new_orders = good_orders | st.builds(lambda good, bad: {**good, **bad}, good_orders, bad_orders)

backtests = st.builds(
    lambda asked, bad: {**asked, **bad},
    st.fixed_dictionaries(
        {
            "strategy": st.sampled_from(["ema_crossover", "rsi", "hodl"]),
            "symbol": st.sampled_from(["BTC-USD", "WAVE-USD", "XRP-USD"]),
            "timeframe": st.sampled_from(["1m", "1m", "1d", "2m"]),
        }
    ),
    st.dictionaries(
        st.sampled_from(["strategy", "timeframe", "parameters", "initial_capital", "é"]),
        json_values | st.fixed_dictionaries({"fast": st.integers(-1, 3)}),
        max_size=2,
    ),
)

keys = st.sampled_from([None, None, None, "one", "one", "two", "a b"])


def _raw(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


bodies_of_trades = trades.map(_raw) | st.binary(max_size=40)
bodies_of_changes = config_changes.map(_raw) | st.binary(max_size=40)

posts = st.builds(lambda body, extra, key: post_trade(body, *extra, key=key), bodies_of_trades, headers, keys)
good_posts = st.builds(lambda trade, key: post_trade(_raw(trade), key=key), good_trades, keys)
puts = st.builds(lambda body, extra: put_config(body, *extra), bodies_of_changes, headers)

order_posts = st.builds(
    lambda order, extra, key: post_order(order, *extra, key=key),
    new_orders.map(_raw) | st.binary(max_size=40),
    headers,
    keys,
)
good_order_posts = st.builds(lambda order, key: post_order(_raw(order), key=key), good_orders, keys)
order_ids = st.sampled_from(["paper-1", "paper-1", "paper-2", "paper-3", "paper-9", "x"])

query_values = st.sampled_from(
    ["", "1", "2", "0", "x", "open", "filled", "2025-03-03", "2025-03-04", "BTC-USD", "5m", "1d", "%ff", "%2B1"]
) | st.text(max_size=4).map(quote)
queries = st.lists(
    st.tuples(st.sampled_from(["date", "symbol", "status", "timeframe", "limit", "limit", "other"]), query_values).map(
        "=".join
    ),
    max_size=3,
).map("&".join)
symbols = st.one_of(
    st.sampled_from(["BTC-USD", "BTC-USD", "%42TC-USD", "ETH-USD"]),
    st.sampled_from(["btc-usd", "XRP", "BTC%2FUSD", "BTC-USD%0A", "%ff"]),
    st.text(min_size=1, max_size=3).map(lambda text: quote(text, safe="")),
)
paths = st.builds(path_of, st.sampled_from([*BOTH_SIDES, *(f"GET {path}" for path in NATIVE_ONLY)]), symbols)
market_paths = st.builds(path_of, st.sampled_from([name for name in BOTH_SIDES if "<symbol>" in name]), symbols)


def _reads(paths: st.SearchStrategy[str]) -> st.SearchStrategy[Request]:
    return st.builds(
        lambda method, path, query: Request(method=method, target=f"{path}?{query}" if query else path),
        st.sampled_from(["GET", "GET", "GET", "HEAD"]),
        paths,
        queries,
    )


reads = _reads(paths)
market_reads = _reads(market_paths)
order_reads = _reads(
    st.sampled_from(["/api/orders", "/api/balances", "/api/positions"]) | order_ids.map(lambda name: f"{ORDERS}/{name}")
)
orders = st.one_of(
    good_order_posts, good_order_posts, good_order_posts, order_posts, order_ids.map(delete_order), order_reads
)
bot_told = st.sampled_from(["start", "start", "stop", "stop"]).map(
    lambda word: Request(method="POST", target=f"/api/bot/{word}")
)
bot_reads = _reads(st.sampled_from(["/api/bot-status", "/api/status"]))
bot_requests = bot_told | bot_reads
backtest_posts = st.builds(
    lambda body, extra: post_backtest(body, *extra), backtests.map(_raw) | st.binary(max_size=40), headers
)
strays = st.builds(
    lambda method, path, tail: Request(
        method=method, target=path + tail, headers=(("Content-Type", JSON), ("Content-Length", "2")), body=b"{}"
    ),
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
    paths | st.sampled_from(["/", "/nowhere", "/static/x"]),
    st.sampled_from(["", "/", "//", "/x", "%20", "?limit=1"]),
)

oversized = st.sampled_from(
    [post_trade(b" " * (MAX_BODY_BYTES + 1)), put_config(b"[" + b"0," * MAX_BODY_BYTES + b"0]")]
)
clients = st.sampled_from(
    [(), (("X-Client-Id", "bot-1"),), (("X-Client-Id", "bot-2"),), (("X-API-Key", "key-3"),), (("Authorization", "4"),)]
)
requests = st.builds(
    lambda request, client: replace(request, headers=(*request.headers, *client)),
    st.one_of(
        good_posts,
        good_posts,
        good_posts,
        orders,
        orders,
        bot_requests,
        reads,
        reads,
        posts,
        puts,
        backtest_posts,
        strays,
        oversized,
    ),
    clients,
)
faults = st.sampled_from([StoreFails(StoreUnavailable("the disk is gone")), StoreFails(RuntimeError("a fault"))])
market_faults = st.sampled_from(
    [MarketFails(MarketUnavailable("the exchange is away")), MarketFails(RuntimeError("a fault"))]
)

broker_faults = st.builds(
    BrokerFails,
    st.sampled_from(
        [OutcomeUnknown("the connection was lost"), ExchangeUnavailable("no route"), RuntimeError("a fault")]
    ),
    only=st.sampled_from([None, "place", "place", "cancel", "order_by_client_id", "positions"]),
) | st.builds(
    BrokerFails,
    st.sampled_from([OutcomeUnknown("the connection was lost"), RuntimeError("a fault")]),
    only=st.sampled_from(["place", "cancel"]),
    afterwards=st.just(True),
)
candles = st.sampled_from(["63000", "64000.0", "66000"]).map(CandleTrades)

# with every comparison made, some, or none
modes = st.sampled_from(
    [
        EndpointMode(mode="legacy"),
        EndpointMode(mode="native"),
        *(
            EndpointMode(mode=mode, percent=percent, sample_rate=sample_rate)
            for mode, percent in CHOICES
            for sample_rate in (1.0, 1.0, 1.0, 0.5, 0.0)
        ),
    ]
)
moves = st.dictionaries(st.sampled_from(BOTH_SIDES), modes, min_size=1, max_size=8).map(Moved)

# what may happen between two requests, or around one
scenes: st.SearchStrategy[tuple[Request | Event | Moved, ...]] = st.one_of(
    st.tuples(moves, requests, requests),
    st.tuples(requests),
    st.tuples(requests, requests, requests),
    st.tuples(instants.map(lambda instant: At(instant.isoformat())), requests, requests),
    st.tuples(st.sampled_from(ZONES).map(MovedTo), requests),
    st.tuples(st.just(HaltedBy("maintenance")), requests, st.just(HaltedBy(None))),
    st.tuples(faults, requests, st.just(StoreFails(None))),
    st.tuples(orders, orders, orders),
    st.tuples(bot_told, bot_requests, bot_requests),
    st.tuples(bot_told, faults, bot_requests, st.just(StoreFails(None)), bot_told, st.just(BotRuns(1)), bot_reads),
    st.tuples(orders, broker_faults, orders, orders, st.just(BrokerFails(None)), orders),
    st.tuples(orders, instants.map(lambda instant: At(instant.isoformat())), candles, orders),
    st.tuples(market_reads, market_faults, market_reads, requests, st.just(MarketFails(None))),
)

starts = st.builds(
    lambda at, config, count: Case(
        name="drawn",
        steps=(),
        at=at.isoformat(),
        config=config,
        trade_day="2025-03-03" if count else None,
        trades_today=count,
        trades=(trade_of("a", "2025-03-02T10:00:00"), trade_of("b", "2025-03-03T10:00:00", symbol="ETH-USD")),
        max_body_bytes=MAX_BODY_BYTES,
    ),
    instants,
    st.fixed_dictionaries(
        {"max_trades_per_day": st.integers(1, 6), "timezone": st.sampled_from(ZONES)},
        optional={"start_hour": st.integers(0, 9), "end_hour": st.integers(9, 24)},
    ),
    st.integers(0, 2),
)

sequences = st.builds(
    Drawn,
    start=starts,
    modes=st.fixed_dictionaries(dict.fromkeys(BOTH_SIDES, modes)),
    steps=st.lists(scenes, min_size=4, max_size=12).map(lambda drawn: tuple(chain.from_iterable(drawn))),
)
