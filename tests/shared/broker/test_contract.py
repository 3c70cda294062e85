"""What every paper broker promises besides (`test_every_broker`): one suite for all books and both faces. New books are
one more line in BOOKS."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from shared.broker import matching
from shared.broker.account import Account, Statement
from shared.broker.base import Balance, Broker, Fill, Order, Position
from shared.broker.books import Books
from shared.broker.memory_books import MemoryBooks
from shared.broker.money import PaperRules
from shared.broker.paper import PaperBroker
from shared.broker.sqlite_books import SQLiteBooks
from shared.errors import (
    InsufficientBalance,
    NothingToReduce,
    TooManyOpenOrders,
    UnknownOrder,
)
from tests.shared.broker.face import LATER, Face
from tests.shared.broker.markets import BTC, ETH, FREE, MINUTE, NOON, Market, buy, candle, sell
from tests.shared.store.helpers import DEADLINE_SECONDS, in_thread

BOOKS: dict[str, Callable[[Path, Account], Books]] = {
    "memory": lambda _file, account: MemoryBooks(account),
    "sqlite": SQLiteBooks,
}
"""Each opens books on the state in a file of the test's own."""
DURABLE = ["sqlite"]

OpenBroker = Callable[..., Face]


@pytest.fixture
def market() -> Market:
    return Market(BTC_USD="100", ETH_USD="10")


@pytest.fixture(params=list(BOOKS))
def books(request: pytest.FixtureRequest) -> Callable[[Path, Account], Books]:
    return BOOKS[request.param]


@pytest.fixture(params=["blocking", "awaited"])
def open_broker(
    request: pytest.FixtureRequest, books: Callable[[Path, Account], Books], state_file: Path, market: Market
) -> Iterator[OpenBroker]:
    """Opens brokers with 1,000 dollars; those with durable books stand on the same state."""
    opened: list[Broker] = []

    def open_one(rules: PaperRules = FREE, dollars: str = "1000") -> Face:
        account = Account.opened({"USD": Decimal(dollars)}, rules)
        opened.append(PaperBroker(prices=market, books=books(state_file, account), rules=rules))
        return Face(opened[-1], awaited=request.param == "awaited")

    yield open_one
    for broker in opened:
        in_thread(broker.close).result(DEADLINE_SECONDS)


@pytest.fixture
def broker(open_broker: OpenBroker) -> Face:
    return open_broker()


def dollars(available: str, total: str) -> tuple[Balance, ...]:
    return (Balance(currency="USD", available=Decimal(available), total=Decimal(total)),)


async def test_a_new_account_has_its_balances_and_nothing_else(broker: Face) -> None:
    assert await broker.balances() == dollars("1000", "1000")
    assert await broker.positions() == ()
    assert await broker.orders() == ()


async def test_a_market_order_is_filled_at_once(broker: Face) -> None:
    request = buy("2", client_order_id="first")
    placed = await broker.place(request)
    assert placed == Order(
        id="paper-1",
        client_order_id="first",
        symbol=BTC,
        side="buy",
        type="market",
        quantity=Decimal(2),
        price=None,
        reduces=False,
        status="filled",
        created_at=NOON,
        updated_at=NOON,
        filled_quantity=Decimal(2),
        average_price=Decimal(100),
    )
    assert await broker.order("paper-1") == placed
    assert await broker.balances() == dollars("800", "1000")
    assert await broker.positions() == (
        Position(symbol=BTC, side="long", quantity=Decimal(2), entry_price=Decimal(100), unrealized_pnl=Decimal(0)),
    )


async def test_an_order_placed_again_takes_no_market(broker: Face, market: Market) -> None:
    first = await broker.place(buy("2", client_order_id="once"))
    market.quotes.clear()
    again = await broker.place(buy("2.0", client_order_id="once"), at=LATER)
    assert again == first
    assert await broker.orders() == (first,)


async def test_what_was_written_reads_back_with_the_digits_as_they_came(broker: Face) -> None:
    placed = await broker.place(buy("0.50", "64.250"))
    found = await broker.order(placed.id)
    assert (str(found.quantity), str(found.price)) == ("0.50", "64.250")
    assert found == placed


async def test_twenty_callers_place_one_order_at_once(broker: Face) -> None:
    request = buy("1")
    answers = await asyncio.gather(*(broker.place(request) for _ in range(20)))
    assert set(answers) == {(await broker.orders())[0]}
    assert await broker.balances() == dollars("900", "1000")


async def test_twenty_callers_never_spend_more_than_there_is(broker: Face) -> None:
    async def place() -> Order | InsufficientBalance:
        try:
            return await broker.place(buy("1"))
        except InsufficientBalance as error:
            return error

    answers = await asyncio.gather(*(place() for _ in range(20)))
    assert sorted(answer.id for answer in answers if isinstance(answer, Order)) == sorted(
        f"paper-{number}" for number in range(1, 11)
    )
    assert await broker.balances() == dollars("0", "1000")


@pytest.mark.parametrize("order_id", ["paper-2", "paper-0", "paper-01", "1", "", "other-1", f"paper-{10**30}"])
async def test_an_unknown_order(broker: Face, order_id: str) -> None:
    await broker.place(buy("1"))
    with pytest.raises(UnknownOrder) as caught:
        await broker.order(order_id)
    assert caught.value.order_id == order_id
    with pytest.raises(UnknownOrder):
        await broker.cancel(order_id)


async def test_a_refused_order_leaves_nothing_and_its_client_order_id_is_free(broker: Face) -> None:
    with pytest.raises(InsufficientBalance) as caught:
        await broker.place(buy("11", client_order_id="again"))
    assert (caught.value.currency, caught.value.needed, caught.value.available) == (
        "USD",
        "1100.00000000",
        "1000.00000000",
    )
    assert await broker.order_by_client_id("again") is None
    assert (await broker.place(buy("10", client_order_id="again"))).id == "paper-1"


async def test_a_resting_order_binds_its_price_until_it_is_cancelled(broker: Face) -> None:
    resting = await broker.place(buy("2", "90"))
    assert resting.status == "open"
    assert (resting.filled_quantity, resting.average_price) == (Decimal(0), None)
    assert await broker.balances() == dollars("820", "1000")
    cancelled = await broker.cancel(resting.id)
    assert cancelled == replace(resting, status="cancelled", updated_at=LATER)
    assert await broker.order(resting.id) == cancelled
    assert await broker.balances() == dollars("1000", "1000")


async def test_a_candle_fills_the_orders_that_it_meets(broker: Face) -> None:
    low, lower = await broker.place(buy("1", "95", client_order_id="low")), await broker.place(buy("1", "90"))
    assert await broker.on_candle(candle("96", "120")) == ()
    filled_at = NOON + 3 * MINUTE
    assert await broker.on_candle(candle("94", "120", minute=2)) == (
        Fill(
            order_id=low.id,
            client_order_id="low",
            symbol=BTC,
            side="buy",
            quantity=Decimal(1),
            price=Decimal(95),
            fee=Decimal(0),
            realized_pnl=Decimal(0),
            reduces=False,
            filled_at=filled_at,
        ),
    )
    assert await broker.order(low.id) == replace(
        low, status="filled", filled_quantity=Decimal(1), average_price=Decimal(95), updated_at=filled_at
    )
    assert await broker.order(lower.id) == lower


async def test_a_candle_that_comes_twice_fills_once(broker: Face) -> None:
    await broker.place(buy("1", "95"))
    assert len(await broker.on_candle(candle("94", "120"))) == 1
    assert await broker.on_candle(candle("94", "120")) == ()
    assert [position.quantity for position in await broker.positions()] == [1]


async def test_a_candle_of_another_symbol_fills_nothing(broker: Face) -> None:
    await broker.place(buy("1", "95"))
    assert await broker.on_candle(candle("1", "1000"), ETH) == ()


async def test_an_order_that_only_reduces(broker: Face) -> None:
    with pytest.raises(NothingToReduce) as caught:
        await broker.place(sell("1", reduces=True))
    assert (caught.value.symbol, caught.value.side) == (BTC, "sell")
    await broker.place(buy("1"))
    sold = await broker.place(sell("3", reduces=True))
    assert sold.status == "filled"
    assert (sold.quantity, sold.filled_quantity) == (Decimal(3), Decimal(1))
    assert await broker.positions() == ()


async def test_no_more_orders_rest_than_may(broker: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MAX_OPEN_ORDERS", 3)
    requests = [buy("1", "90") for _ in range(3)]
    for request in requests:
        await broker.place(request)
    with pytest.raises(TooManyOpenOrders) as caught:
        await broker.place(buy("1", "90"))
    assert caught.value.limit == 3
    assert (await broker.place(buy("1"))).status == "filled"
    assert (await broker.place(requests[0])).status == "open"


async def test_balances_and_positions_follow_the_market(broker: Face, market: Market) -> None:
    await broker.place(buy("2"))
    await broker.place(sell("10", symbol=ETH))
    market.set(BTC, "110.50")
    market.set(ETH, "11")
    # 1000 - 200 + 100, and 221 for the bitcoin, less 110 for the ether that is owed.
    assert await broker.balances() == dollars("680", "1011")
    assert await broker.positions() == (
        Position(symbol=BTC, side="long", quantity=Decimal(2), entry_price=Decimal(100), unrealized_pnl=Decimal(21)),
        Position(symbol=ETH, side="short", quantity=Decimal(10), entry_price=Decimal(10), unrealized_pnl=Decimal(-10)),
    )
    assert await broker.statements() == (
        Statement(
            currency="USD",
            initial=Decimal(1000),
            cash=Decimal(900),
            worth=Decimal(111),
            realized_pnl=Decimal(0),
            unrealized_pnl=Decimal(11),
            fees=Decimal(0),
        ),
    )


@pytest.mark.parametrize("books", [BOOKS[name] for name in DURABLE], ids=DURABLE)
async def test_another_broker_on_the_same_state_goes_on(open_broker: OpenBroker) -> None:
    rules = PaperRules(fee_rate=Decimal("0.001"), slippage_rate=Decimal("0.01"))
    first, second = open_broker(rules), open_broker(rules, dollars="5")
    bought = await first.place(buy("3"))
    resting = await first.place(sell("1", "120"))
    assert await second.orders() == (resting, bought)
    assert await second.balances() == await first.balances()
    assert len(await second.on_candle(candle("100", "120"))) == 1
    assert (await first.order(resting.id)).realized_pnl == 19
    assert await first.balances() == await second.balances()
    assert (await first.place(buy("1", "50"))).id == "paper-3"
    assert await second.balances() == await first.balances()
