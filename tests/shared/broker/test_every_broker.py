"""What every broker promises: one suite for all of them and both faces. A new broker is one more line in BROKERS."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.broker.account import Account
from shared.broker.base import Broker
from shared.broker.books import Books
from shared.broker.exchange import ExchangeBroker
from shared.broker.memory_books import MemoryBooks
from shared.broker.paper import PaperBroker
from shared.broker.sqlite_books import SQLiteBooks
from shared.candle import Candle
from shared.errors import (
    ClientOrderIdReused,
    InsufficientBalance,
    NothingToReduce,
    OrderClosed,
    UnknownOrder,
    UnknownSymbol,
)
from tests.fakes.exchange import serving
from tests.fakes.trading import TradingExchange
from tests.shared.broker.at_exchange import SYMBOLS, Served, client_of
from tests.shared.broker.face import Face
from tests.shared.broker.markets import BTC, ETH, FREE, NOON, Market, buy, sell


@contextmanager
def _paper(books: Callable[[Path, Account], Books], state_file: Path) -> Iterator[Broker]:
    account = Account.opened({"USD": Decimal(1000)}, FREE)
    market = Market(BTC_USD="100", ETH_USD="100")
    with closing(PaperBroker(prices=market, books=books(state_file, account), rules=FREE)) as broker:
        yield broker


@pytest.fixture(scope="module", name="served")
def _served() -> Iterator[Served]:
    candle = Candle(NOON, *map(Decimal, (100, 100, 100, 100, 1)))
    with serving(TradingExchange([candle], NOON)) as exchange, client_of(exchange) as client:
        yield exchange, client


@contextmanager
def _at_exchange(served: Served) -> Iterator[Broker]:
    exchange, client = served
    exchange.begin_anew(USD="1000")
    yield ExchangeBroker(client, SYMBOLS)


BROKERS: dict[str, Callable[[Path, Served], AbstractContextManager[Broker]]] = {
    "paper in memory": lambda state_file, _: _paper(lambda _file, account: MemoryBooks(account), state_file),
    "paper in SQLite": lambda state_file, _: _paper(SQLiteBooks, state_file),
    "exchange": lambda _state_file, served: _at_exchange(served),
}
"""Each has 1,000 dollars, in a market in which bitcoin and ether cost 100."""


@pytest.fixture(params=["blocking", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "awaited")


@pytest.fixture(params=list(BROKERS))
def broker(request: pytest.FixtureRequest, awaited: bool, state_file: Path, served: Served) -> Iterator[Face]:
    with BROKERS[request.param](state_file, served) as broker:
        yield Face(broker, awaited=awaited)


async def test_a_new_account_has_placed_nothing(broker: Face) -> None:
    assert await broker.orders() == ()
    assert await broker.positions() == ()
    assert [(each.currency, each.available, each.total) for each in await broker.balances()] == [
        ("USD", Decimal(1000), Decimal(1000))
    ]


async def test_a_market_order_is_filled_at_once(broker: Face) -> None:
    placed = await broker.place(buy("2", client_order_id="first"))
    assert (placed.client_order_id, placed.status, placed.filled_quantity) == ("first", "filled", Decimal(2))
    assert placed.average_price == pytest.approx(Decimal(100), abs=Decimal("0.1"))
    assert await broker.order(placed.id) == placed
    (position,) = await broker.positions()
    assert (position.symbol, position.side, position.entry_price) == (BTC, "long", placed.average_price)


async def test_the_same_order_placed_twice_is_one_order(broker: Face) -> None:
    first = await broker.place(buy("2", client_order_id="once"))
    assert await broker.place(buy("2.0", client_order_id="once")) == first
    assert await broker.orders() == (first,)


async def test_twenty_callers_place_one_order_at_once(broker: Face) -> None:
    request = buy("1")
    answers = await asyncio.gather(*(broker.place(request) for _ in range(20)))
    assert set(answers) == {(await broker.orders())[0]}


async def test_an_order_placed_again_is_given_as_it_is_by_then(broker: Face) -> None:
    request = buy("1", "90")
    resting = await broker.place(request)
    cancelled = await broker.cancel(resting.id)
    assert await broker.place(request) == cancelled


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal("2.5")},
        {"side": "sell"},
        {"symbol": ETH},
        {"type": "limit", "price": Decimal(50)},
        {"reduces": True},
    ],
)
async def test_another_order_under_the_same_client_order_id_is_refused(broker: Face, changes: Any) -> None:
    first = await broker.place(buy("2", client_order_id="once"))
    with pytest.raises(ClientOrderIdReused) as caught:
        await broker.place(replace(buy("2", client_order_id="once"), **changes))
    assert caught.value.client_order_id == "once"
    assert await broker.orders() == (first,)


async def test_an_order_is_found_by_its_client_order_id(broker: Face) -> None:
    placed = await broker.place(buy("1", client_order_id="mine"))
    assert await broker.order_by_client_id("mine") == placed
    assert await broker.order_by_client_id("yours") is None


async def test_an_order_for_what_nobody_trades(broker: Face) -> None:
    for symbol in ("DOGE-USD", "BTC"):
        with pytest.raises(UnknownSymbol) as caught:
            await broker.place(buy("1", symbol=symbol))
        assert caught.value.symbol == symbol
    assert await broker.orders() == ()


async def test_a_closed_order_can_t_be_cancelled(broker: Face) -> None:
    filled = await broker.place(buy("1"))
    resting = await broker.place(buy("1", "90"))
    await broker.cancel(resting.id)
    for order_id, status in ((filled.id, "filled"), (resting.id, "cancelled")):
        with pytest.raises(OrderClosed) as caught:
            await broker.cancel(order_id)
        assert (caught.value.order_id, caught.value.status) == (order_id, status)


async def test_orders_are_listed_newest_first_by_status_and_symbol(broker: Face) -> None:
    filled = await broker.place(buy("1"))
    other = await broker.place(buy("1", symbol=ETH))
    resting = await broker.place(buy("1", "90"))
    other_resting = await broker.place(buy("1", "9", symbol=ETH))
    cancelled = await broker.cancel((await broker.place(buy("1", "80"))).id)
    assert await broker.orders() == (cancelled, other_resting, resting, other, filled)
    assert await broker.orders(limit=2) == (cancelled, other_resting)
    assert await broker.orders(status="open") == (other_resting, resting)
    assert await broker.orders(status="open", limit=1) == (other_resting,)
    assert await broker.orders(status="rejected") == ()
    assert await broker.orders(symbol=BTC) == (cancelled, resting, filled)
    assert await broker.orders(symbol=ETH, status="filled") == (other,)


async def test_a_naive_instant_is_refused(broker: Face) -> None:
    with pytest.raises(ValueError, match="not aware of its time zone"):
        await broker.place(buy("1"), at=NOON.replace(tzinfo=None))
    assert await broker.orders() == ()


async def test_a_cancelled_order_is_open_no_more(broker: Face) -> None:
    resting = await broker.place(buy("2", "90"))
    assert (resting.status, resting.filled_quantity, resting.average_price) == ("open", Decimal(0), None)
    assert [each.available for each in await broker.balances()] == [820]
    cancelled = await broker.cancel(resting.id)
    assert replace(cancelled, updated_at=resting.updated_at) == replace(resting, status="cancelled")
    assert await broker.order(resting.id) == cancelled
    assert [each.available for each in await broker.balances()] == [1000]


async def test_a_refused_order_leaves_nothing_and_its_client_order_id_is_free(broker: Face) -> None:
    with pytest.raises(InsufficientBalance) as caught:
        await broker.place(buy("11", client_order_id="again"))
    assert (caught.value.currency, Decimal(caught.value.needed), Decimal(caught.value.available)) == (
        "USD",
        Decimal(1100),
        Decimal(1000),
    )
    assert await broker.order_by_client_id("again") is None
    assert (await broker.place(buy("5", client_order_id="again"))).status == "filled"


async def test_an_unknown_order(broker: Face) -> None:
    await broker.place(buy("1"))
    for order_id in ("paper-99", "BTC-USD:99", "OLD-USD:1", "BTC-USD:-1", "BTC-USD", ""):
        for ask in (broker.order, broker.cancel):
            with pytest.raises(UnknownOrder) as caught:
                await ask(order_id)
            assert caught.value.order_id == order_id


async def test_an_order_that_only_reduces(broker: Face) -> None:
    with pytest.raises(NothingToReduce) as caught:
        await broker.place(sell("1", reduces=True))
    assert (caught.value.symbol, caught.value.side) == (BTC, "sell")
    with pytest.raises(NothingToReduce):
        await broker.place(buy("1", reduces=True))
    held = (await broker.place(buy("1")), (await broker.positions())[0].quantity)[1]
    request = sell("3", reduces=True)
    sold = await broker.place(request)
    assert (sold.status, sold.reduces, sold.quantity, sold.filled_quantity) == ("filled", True, Decimal(3), held)
    assert await broker.place(request) == sold == await broker.order(sold.id)
    assert await broker.positions() == ()
