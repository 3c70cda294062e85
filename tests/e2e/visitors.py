"""Clients on one event loop: each sends all kinds of requests over a connection that it keeps, and knows what it was
told."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.e2e.servers import DEADLINE_SECONDS, HOST

MAX_BODY_BYTES = 4_096
"""What the server must be told, for `_too_large` to be that."""

TRADES = "/api/trading-window/trades"
CONFIG = "/api/trading-window/config"
ORDERS = "/api/orders"
STRATEGIES = "/api/backtest/strategies"
BACKTEST = "/api/backtest/run"


class Asked(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Told(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """HTTP/1.1 by hand: a client library would take more of the machine than the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, asked: Asked) -> Told:
        """Raises OSError and EOFError when the connection breaks, TimeoutError."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            if self._streams is None:
                self._streams = await asyncio.open_connection(HOST, self._port)
            reader, writer = self._streams
            length = {"Content-Length": f"{len(asked.body)}"} if asked.body or asked.method in ("POST", "PUT") else {}
            lines = [f"{name}: {value}\r\n" for name, value in {"Host": HOST, **asked.headers, **length}.items()]
            writer.write(f"{asked.method} {asked.path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + asked.body)
            first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
            size = 0 if asked.method == "HEAD" else int(headers["content-length"])
            told = Told(int(first.split()[1]), headers, await reader.readexactly(size))
        if headers.get("connection") == "close":
            self.close()
        return told

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Visitors:
    """Many clients of one server, whose requests are drawn by the seed, and what they were told."""

    def __init__(self, port: int, *, clients: int, seed: int) -> None:
        self.statuses: Counter[tuple[str, int]] = Counter()
        """How often each came, by method and path without query."""
        self.sides: Counter[str] = Counter()
        self.told_without_key: list[str] = []
        """The ids of trades."""
        self.told_by_key: dict[str, list[str]] = {}
        self.orders: set[str] = set()
        """The client order ids of those that were taken."""
        self.may_go = asyncio.Event()
        """While it isn't set, nobody asks."""
        self.stopping = False
        self._clients = [(Connection(port), random.Random(f"{seed}/{number}")) for number in range(clients)]
        self._due = 0.0

    async def visit(self, *, per_second: float) -> None:
        """All at once, at most at this rate in all, until they are told to stop. Raises what breaks a connection."""
        self.stopping = False
        self._due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for connection, draw in self._clients:
                group.create_task(self._be_a_client(connection, draw, 1 / per_second))

    async def _be_a_client(self, connection: Connection, draw: random.Random, seconds_each: float) -> None:
        while True:
            await self.may_go.wait()
            # Who was late makes nobody hurry.
            self._due = max(self._due + seconds_each, time.monotonic() - 0.1)
            await asyncio.sleep(self._due - time.monotonic())
            if self.stopping:
                return
            await self._ask(connection, drawn(draw))

    async def _ask(self, connection: Connection, asked: Asked) -> None:
        told = await connection.ask(asked)
        path = asked.path.partition("?")[0]
        self.statuses[f"{asked.method} {path}", told.status] += 1
        self.sides[told.headers["x-cutover-side"]] += 1
        if asked.method == "POST" and path == ORDERS and told.status == 201:
            self.orders.add(json.loads(told.body)["client_order_id"])
        elif asked.method == "POST" and told.status == 201:
            trade_id = json.loads(told.body)["trade"]["id"]
            key = asked.headers.get("Idempotency-Key")
            if key is None:
                self.told_without_key.append(trade_id)
            else:
                self.told_by_key.setdefault(key, []).append(trade_id)

    def close(self) -> None:
        for connection, _ in self._clients:
            connection.close()


def drawn(draw: random.Random) -> Asked:
    """A request to one of the endpoints that both sides have."""
    (make,) = draw.choices(list(_KINDS), weights=list(_KINDS.values()))
    return make(draw)


def _plain_read(draw: random.Random) -> Asked:
    path = draw.choice(
        [
            "/api/health",
            "/api/status",
            "/api/bot-status",
            STRATEGIES,
            "/api/trading-window/within-window",
            "/api/trading-window/can-trade",
            CONFIG,
            TRADES,
        ]
    )
    return Asked(draw.choice(["GET", "GET", "GET", "HEAD"]), path)


def _listing(draw: random.Random) -> Asked:
    parameters = [
        draw.choice(["symbol=BTC-USD", "symbol=ETH-USD", "symbol=no+symbol", "symbol=%C3%A9"]),
        draw.choice(["limit=1", "limit=3&limit=9", "limit=500", "limit=0", "limit=x"]),
        draw.choice(["date=2030-01-01", "date=2024-02-30", "date="]),
    ]
    return Asked("GET", f"{TRADES}?{'&'.join(draw.sample(parameters, draw.randint(1, 2)))}")


def _prices(draw: random.Random) -> Asked:
    symbol = draw.choice(["BTC-USD", "BTC-USD", "BTC-USD", "ETH-USD", "btc-usd", "XRP%20USD", "%C3%A9"])
    query = draw.choice(["", "?limit=2", "?limit=50", "?limit=0", "?timeframe=1d&limit=1", "?timeframe=2m"])
    path = draw.choice(["/api/market/ticker", "/api/market/ohlcv", "/api/orderbook"])
    return Asked("GET", f"{path}/{symbol}{query}")


def _trade(draw: random.Random) -> Asked:
    body = {
        "symbol": draw.choice(["BTC-USD", "ETH-USD", "SOL-USD"]),
        "side": draw.choice(["buy", "sell"]),
        "quantity": draw.choice(["0.10", "3", 2, "1e2"]),
        "price": draw.choice(["64000.5", "0.00000001", 17]),
    }
    if draw.random() < 0.5:
        body["strategy"] = draw.choice(["rsi", "grün", "a b"])
    return _sent("POST", TRADES, body)


def _trade_with_new_key(draw: random.Random) -> Asked:
    return _with_key(_trade(draw), f"new-{draw.getrandbits(64):x}")


def _trade_with_shared_key(draw: random.Random) -> Asked:
    """The body belongs to the key, so that several clients ask for the very same trade, now and then at once."""
    key = f"shared-{draw.randrange(500)}"
    return _with_key(_trade(random.Random(key)), key)


def _trade_with_key_of_another(draw: random.Random) -> Asked:
    return _with_key(
        _sent("POST", TRADES, {**_GOOD_TRADE, "price": draw.randint(1, 999)}), f"shared-{draw.randrange(500)}"
    )


def _order(draw: random.Random) -> Asked:
    """Most are taken until the money is gone; what reduces brings some back. A limit far away rests."""
    body: dict[str, Any] = {
        "symbol": draw.choice(["BTC-USD", "BTC-USD", "ETH-USD", "XRP-USD"]),
        "side": draw.choice(["buy", "buy", "sell"]),
        "type": "market",
        "quantity": draw.choice(["0.001", "0.0020", 1000]),
    }
    if draw.random() < 0.1:
        body |= {"type": "limit", "side": "buy", "price": "0.01"}
    return _sent("POST", ORDERS, body)


def _order_with_shared_key(draw: random.Random) -> Asked:
    key = f"shared-{draw.randrange(100)}"
    return _with_key(_order(random.Random(key)), key)


def _bad_order(draw: random.Random) -> Asked:
    wrong: Any = draw.choice([{"type": "limit", "symbol": "BTC-USD", "side": "buy", "quantity": 1}, {}, [], {"id": 1}])
    return _sent("POST", ORDERS, wrong)


def _account(draw: random.Random) -> Asked:
    order = f"{ORDERS}/{draw.choice(['BTC-USD', 'paper-1', f'paper-{draw.randrange(1, 200)}'])}"
    path = draw.choice(
        ["/api/balances", "/api/positions", ORDERS, f"{ORDERS}?status=open&limit=5", f"{ORDERS}?limit=0", order]
    )
    return Asked("GET", path)


def _cancellation(draw: random.Random) -> Asked:
    return Asked("DELETE", f"{ORDERS}/{draw.choice(['BTC-USD', f'paper-{draw.randrange(1, 200)}'])}")


def _bad_trade(draw: random.Random) -> Asked:
    wrong: Any = draw.choice(
        [
            {**_GOOD_TRADE, "quantity": -1},
            {**_GOOD_TRADE, "side": "hold"},
            {**_GOOD_TRADE, "colour": "red"},
            {"symbol": "BTC-USD"},
            [],
        ]
    )
    return _sent("POST", TRADES, wrong)


def _unreadable(draw: random.Random) -> Asked:
    method, path = draw.choice([("POST", TRADES), ("PUT", CONFIG)])
    return draw.choice(
        [
            Asked(method, path, _JSON, b'{"symbol": '),
            Asked(method, path, _JSON, b"\xff\xfe"),
            Asked(method, path, _JSON),
            Asked(method, path, {"Content-Type": "text/plain"}, b"{}"),
            Asked(method, path, {}, b"{}"),
        ]
    )


def _bad_key(draw: random.Random) -> Asked:
    return _with_key(_sent("POST", TRADES, _GOOD_TRADE), draw.choice(["", "two words", "k" * 256]))


def _too_large(draw: random.Random) -> Asked:
    method, path = draw.choice([("POST", TRADES), ("PUT", CONFIG)])
    return _sent(method, path, {"symbol": "A" * MAX_BODY_BYTES})


def _config_change(draw: random.Random) -> Asked:
    """Now and then the window is closed, or used up, until a next change."""
    change = draw.choice(
        [
            *[{"start_hour": 0, "end_hour": 24, "max_trades_per_day": 1_000_000}] * 4,
            {"max_trades_per_day": 1},
            {"max_trades_per_day": 0},
            {"start_hour": 20, "end_hour": 22},
            {"end_hour": 24},
        ]
    )
    return _sent("PUT", CONFIG, change)


def _bad_config_change(draw: random.Random) -> Asked:
    wrong: Any = draw.choice(
        [{"start_hour": 24}, {"end_hour": "noon"}, {"max_trades_per_day": -1}, {"timezone": "UTC"}, {"pace": 1}, 7]
    )
    return _sent("PUT", CONFIG, wrong)


def _sent(method: str, path: str, body: Any) -> Asked:
    return Asked(method, path, _JSON, json.dumps(body).encode())


def _with_key(asked: Asked, key: str) -> Asked:
    return asked._replace(headers={**asked.headers, "Idempotency-Key": key})


_JSON = {"Content-Type": "application/json"}
_GOOD_TRADE = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.10", "price": "64000.5"}


def _bot_told(draw: random.Random) -> Asked:
    return Asked("POST", draw.choice(["/api/bot/start", "/api/bot/stop"]))


def _backtest(draw: random.Random) -> Asked:
    body: dict[str, Any] = {
        "strategy": draw.choice(["ema_crossover", "rsi", "fair_value_gap"]),
        "symbol": draw.choice(["BTC-USD", "ETH-USD"]),
        "timeframe": draw.choice(["1m", "1h"]),
    }
    if draw.random() < 0.5:
        body["initial_capital"] = draw.choice(["1000", 17, "250.50"])
    return _sent("POST", BACKTEST, body)


def _bad_backtest(draw: random.Random) -> Asked:
    good = {"strategy": "rsi", "symbol": "BTC-USD", "timeframe": "1m"}
    wrong: Any = draw.choice(
        [{"strategy": "hodl"}, {"timeframe": "2m"}, {"parameters": {"period": 1}}, {"colour": "red"}]
    )
    return _sent("POST", BACKTEST, good | wrong)


_KINDS: dict[Callable[[random.Random], Asked], int] = {
    _plain_read: 40,
    _listing: 8,
    _prices: 10,
    _trade: 14,
    _trade_with_new_key: 10,
    _trade_with_shared_key: 10,
    _trade_with_key_of_another: 3,
    _order: 8,
    _order_with_shared_key: 5,
    _bad_order: 1,
    _account: 8,
    _bot_told: 2,
    _backtest: 1,
    _bad_backtest: 1,
    _cancellation: 3,
    _bad_trade: 4,
    _unreadable: 3,
    _bad_key: 2,
    _too_large: 1,
    _config_change: 4,
    _bad_config_change: 2,
}
