"""Orders at an exchange at which everything goes wrong: none doubled, none lost, none unaccounted for."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import pytest

from shared.broker.base import Order, OrderRequest, OrdersQuery
from shared.broker.exchange import ExchangeBroker
from shared.errors import (
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientBalance,
    NothingToReduce,
    OrderClosed,
    OutcomeUnknown,
)
from tests.fakes.exchange import Fault, cut, done_then, dropped, failed, slow
from tests.fakes.trading import TradingExchange
from tests.shared.broker.at_exchange import AT, ORDER, SYMBOLS, TRADES, broker_at, trading
from tests.shared.broker.markets import order

DROPS_AFTER_SECONDS, SETTLE_SECONDS = 0.3, 0.35
ON_PLACING: list[Fault | None] = [
    *[None] * 4,
    failed(502),
    failed(503),
    failed(429),
    dropped(),
    cut(),
    done_then(failed(504)),
    done_then(dropped()),
    slow(0.25),  # comes in after its sender has left
    slow(0.5),  # comes to be looked at when it is too old
    done_then(slow(0.3)),
]
ON_READING = [failed(500), failed(503), failed(429), dropped(), cut()]
NOTHING_DONE = (ExchangeRefused, ExchangeUnavailable, InsufficientBalance, NothingToReduce)


@dataclass
class Caller:
    """Who sends orders, as the order flow does: it knows of each whether it is there, and asks where it doesn't."""

    random: Random
    exchange: TradingExchange
    broker: ExchangeBroker
    placed: dict[str, Order] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    doubts: int = 0

    def place(self, request: OrderRequest) -> None:
        cid = request.client_order_id
        try:
            self.placed[cid] = self.broker.place(request, at=AT)
        except NOTHING_DONE:
            self.absent.add(cid)
        except OutcomeUnknown:
            self.doubts += 1
            chance = self.random.random()
            if chance < 0.3:
                self.place(request)  # a client that tries again
                return
            if chance < 0.5:
                self.restart()
            self.reconcile(request)

    def restart(self) -> None:
        """Another process knows nothing of what was sent, so it lets the doubtful settle before it asks."""
        time.sleep(SETTLE_SECONDS)
        self.broker = ExchangeBroker(self.broker._client, SYMBOLS, settle_seconds=SETTLE_SECONDS)

    def reconcile(self, request: OrderRequest) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                found = self.broker.order_by_client_id(request.client_order_id)
            except (OutcomeUnknown, ExchangeUnavailable):
                time.sleep(0.03)
                continue
            if found is None:
                self.absent.add(request.client_order_id)
            else:
                self.placed[request.client_order_id] = found
            return
        raise AssertionError(f"no end of the doubt about {request}")

    def cancel(self, order_id: str) -> None:
        try:
            assert self.broker.cancel(order_id, at=AT).status == "cancelled"
        except (OrderClosed, OutcomeUnknown, *NOTHING_DONE):
            pass


def drawn(random: Random, number: int) -> OrderRequest:
    side = random.choice(["buy", "buy", "sell"])
    price = random.choice([None, None, "1290", "1301.05", "1310", "1300.95"])
    quantity = random.choice(["0.01", "0.05", "0.30001", "1", "900"])
    symbol = random.choice(["BTC-USD", "ETH-USD"])
    reduces = side == "sell" and random.random() < 0.5
    return order(side, quantity, price, symbol=symbol, client_order_id=f"order-{number}", reduces=reduces)


def play(seed: int) -> int:
    random = Random(seed)
    with ExitStack() as stack:
        exchange = stack.enter_context(trading(USD="100000", BTC="0.5"))
        exchange.drops_after_seconds = DROPS_AFTER_SECONDS
        broker = stack.enter_context(
            broker_at(exchange, settle_seconds=SETTLE_SECONDS, request_timeout_seconds=0.2, read_attempts=6)
        )
        caller, requests = Caller(random, exchange, broker), list[OrderRequest]()
        for number in range(8):
            request = random.choice(requests) if requests and random.random() < 0.2 else drawn(random, number)
            requests.append(request)
            exchange.reported_times, exchange.reported_late = random.randint(1, 3), random.randint(0, 2)
            for path in (TRADES, "/api/v3/account", "/api/v3/ticker/24hr"):
                exchange.fail(path, *random.choices(ON_READING, k=random.choice([0, 0, 0, 1, 1, 7])))
            if (fault := random.choice(ON_PLACING)) is not None:
                exchange.fail(ORDER, fault, method="POST")
            exchange.fail(ORDER, *random.choices(ON_READING, k=random.choice([0, 1, 2])), method="GET")
            caller.place(request)
            for resting in exchange.placed():
                exchange.meet(resting, random.choice([Decimal(0), Decimal("0.00333"), Decimal(1)]))
            if caller.placed and random.random() < 0.3:
                exchange.fail(ORDER, random.choice([*ON_READING, done_then(dropped())]), method="DELETE")
                caller.cancel(random.choice([*caller.placed.values()]).id)
            exchange.recover()
        time.sleep(DROPS_AFTER_SECONDS)  # what is under way still comes in, or is dropped
        exchange.reported_late = 0
        check(seed, caller, requests)
        return caller.doubts


def check(seed: int, caller: Caller, requests: list[OrderRequest]) -> None:
    """What the broker tells, and what its caller believes, is what the exchange has."""
    exchange, broker = caller.exchange, caller.broker
    absent = caller.absent - caller.placed.keys()
    assert sorted(each.client_id for each in exchange.placed()) == sorted(caller.placed), seed
    assert {each.client_order_id for each in requests} == caller.placed.keys() | absent, seed
    told = {each.client_order_id: each for each in broker.orders(OrdersQuery(limit=500))}
    for truth in exchange.placed():
        found = told.pop(truth.client_id)
        assert found == broker.order_by_client_id(truth.client_id) == broker.order(found.id), seed
        assert found.filled_quantity == sum(trade.quantity for trade in truth.trades), seed
        cost = sum(trade.quantity * trade.price for trade in truth.trades)
        assert (found.average_price or 0) * found.filled_quantity == pytest.approx(cost, abs=Decimal("0.000001")), seed
        fee = sum(trade.commission * (trade.price if trade.side == "BUY" else 1) for trade in truth.trades)
        assert found.fee == pytest.approx(fee, abs=Decimal("0.000001")), seed
    assert told == {}, seed
    positions = {each.symbol: each.quantity for each in broker.positions(at=AT)}
    assert positions == {symbol: held for symbol in ("BTC-USD", "ETH-USD") if (held := bought(exchange, symbol))}, seed


def bought(exchange: TradingExchange, symbol: str) -> Decimal:
    """What own trades have left of a symbol; 0 where that is too little to be sold."""
    held = Decimal(0)
    for trade in exchange.trades[symbol.replace("-", "")]:
        held = (
            held + trade.quantity - trade.commission if trade.side == "BUY" else max(Decimal(0), held - trade.quantity)
        )
    return held if held * 1301 >= 5 else Decimal(0)


def test_no_order_is_doubled_lost_or_unaccounted_for() -> None:
    with ThreadPoolExecutor(8) as pool:
        doubts = list(pool.map(play, [*range(23), 1083]))
    assert sum(doubts) > 24
