"""Orders by either side, from two processes, at an exchange at which everything goes wrong: whatever it has taken, the
window accounts for, once."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from fastapi_app import orders as native
from legacy_flask.orders import Orders as LegacyOrders
from legacy_flask.trading_window import TradingWindow
from shared.broker.exchange_orders import name_at_exchange
from shared.broker.service import BrokerService
from shared.clock import FrozenClock
from shared.errors import TradingWindowError
from shared.ports import LivePorts, Ports
from shared.store.base import LedgerQuery
from shared.store.memory import MemoryStore
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from shared.wire import read_idempotency_key
from shared.wire_orders import PLACE_ORDER, NewOrder
from tests.fakes.exchange import Fault, cut, done_then, dropped, failed, slow
from tests.fakes.trading import TradingExchange
from tests.shared.broker.at_exchange import AT, ORDER, TRADES, broker_at, trading

Side = Callable[[Ports, NewOrder, str], Any]

DROPS_AFTER_SECONDS, SETTLE_SECONDS = 0.3, 0.35
CONFIG = WindowConfig(start_hour=0, end_hour=24, max_trades_per_day=1_000)
ON_PLACING: list[Fault | None] = [
    *[None] * 3,
    failed(503),
    failed(429),
    dropped(),
    cut(),
    done_then(failed(503, code=-1)),
    done_then(dropped()),
    slow(0.25),  # comes in after its sender has left
    slow(0.5),  # comes to be looked at when it is too old
]
ON_READING = [failed(503), failed(429), dropped(), cut()]


def by_legacy(ports: Ports, order: NewOrder, key: str) -> Any:
    found = read_idempotency_key(key, endpoint=PLACE_ORDER, request=order)
    return LegacyOrders(ports, TradingWindow({}, ports=ports)).place(order, key=found)


def by_native(ports: Ports, order: NewOrder, key: str) -> Any:
    found = read_idempotency_key(key, endpoint=PLACE_ORDER, request=order)
    return asyncio.run(native.place_order(ports, order, key=found))


def drawn(random: Random) -> NewOrder:
    price = random.choice([None, None, "1290", "1301.05", "1300.95"])
    return NewOrder(
        symbol=random.choice(["BTC-USD", "ETH-USD"]),
        side=random.choice(["buy", "buy", "sell"]),
        type="market" if price is None else "limit",
        quantity=Decimal(random.choice(["0.01", "0.30001", "1", "900"])),
        price=None if price is None else Decimal(price),
    )


def fail(random: Random, exchange: TradingExchange) -> None:
    for path in (TRADES, "/api/v3/account"):
        exchange.fail(path, *random.choices(ON_READING, k=random.choice([0, 0, 0, 1, 7])))
    if (fault := random.choice(ON_PLACING)) is not None:
        exchange.fail(ORDER, fault, method="POST")
    exchange.fail(ORDER, *random.choices(ON_READING, k=random.choice([0, 0, 1, 2])), method="GET")
    exchange.fail(ORDER, *random.choices([*ON_READING, done_then(dropped())], k=1), method="DELETE")


def play(seed: int) -> int:
    """How many permits were in doubt."""
    random, store, clock = Random(seed), MemoryStore(), FrozenClock(AT)
    with ExitStack() as stack:
        exchange = stack.enter_context(trading(USD="100000", BTC="0.5"))
        exchange.drops_after_seconds = DROPS_AFTER_SECONDS
        options = {"settle_seconds": SETTLE_SECONDS, "request_timeout_seconds": 0.2, "read_timeout_seconds": 2}
        brokers = [stack.enter_context(broker_at(exchange, **options)) for _ in range(2)]
        processes = [LivePorts(store=store, clock=clock, services={"broker": BrokerService(each)}) for each in brokers]
        store.create(DEFAULT_WINDOW_ID, CONFIG)
        asked: list[NewOrder] = []
        for _ in range(6):
            fail(random, exchange)
            number = random.randrange(len(asked)) if asked and random.random() < 0.3 else len(asked)
            asked[number:] = asked[number:] or [drawn(random)]
            calls = [
                (random.choice([by_legacy, by_native]), process.for_request())
                for process in random.sample(processes, random.choice([1, 1, 2]))
            ]
            with ThreadPoolExecutor(2) as pool:
                placing = [pool.submit(side, ports, asked[number], f"key-{number}") for side, ports in calls]
            for each in placing:
                assert isinstance(each.exception(), TradingWindowError | None), each.exception()
            for resting in exchange.placed():
                exchange.meet(resting, random.choice([Decimal(0), Decimal("0.00333"), Decimal(1)]))
            if (open_ones := [each for each in exchange.placed() if each.open]) and random.random() < 0.5:
                chosen = random.choice(open_ones)
                with suppress(TradingWindowError):
                    ports = random.choice(processes).for_request()
                    asyncio.run(native.cancel(ports, f"{chosen.symbol[:3]}-USD:{chosen.id}"))
            with suppress(TradingWindowError):
                asyncio.run(native.reconcile(random.choice(processes).for_request()))
            exchange.recover()
        time.sleep(DROPS_AFTER_SECONDS + SETTLE_SECONDS)  # what is under way still comes in, or is dropped
        clock.step(timedelta(minutes=2))
        for process in processes:
            asyncio.run(native.reconcile(process.for_request()))
        return check(seed, exchange, store)


def check(seed: int, exchange: TradingExchange, store: MemoryStore) -> int:
    """Each order at the exchange is one trade of what was filled, or, while it is open, has one permit."""
    entries = store.ledger(DEFAULT_WINDOW_ID, LedgerQuery(limit=1_000)).entries
    trades = {entry.id: entry.data for entry in entries if entry.kind == "trade"}
    steps = [entry.data for entry in entries if entry.kind == "permit"]
    ends = Counter(each["id"] for each in steps if each["status"] in ("confirmed", "released"))
    left = store.snapshot(DEFAULT_WINDOW_ID).state.get("permits", {})
    assert set(ends.values()) <= {1}, seed
    assert {each["id"] for each in steps} == ends.keys() | left.keys(), seed
    of_trades = {
        name_at_exchange(each["client_order_id"]): trades.pop(each["trade_id"])
        for each in steps
        if each["status"] == "confirmed"
    }
    assert trades == {}, seed
    placed = exchange.placed()
    assert len({each.client_id for each in placed}) == len(placed), seed
    done = {each.client_id: each.filled for each in placed if not each.open and each.filled}
    assert {name: Decimal(trade["quantity"]) for name, trade in of_trades.items()} == done, seed
    names = sorted(name_at_exchange(each["client_order_id"]) for each in left.values())
    assert names == sorted(each.client_id for each in placed if each.open), seed
    return sum(each["status"] == "in_doubt" for each in steps)


def test_no_order_is_doubled_lost_or_unaccounted_for_by_the_window() -> None:
    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(play, range(16))) > 12
