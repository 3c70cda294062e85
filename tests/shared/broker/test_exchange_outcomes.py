"""What the exchange broker does when nobody knows what came of an order, or of its cancelling."""

import asyncio
import time
from typing import Any

import pytest

from shared.broker.base import OrdersQuery
from shared.broker.exchange import ExchangeBroker
from shared.errors import (
    ClientOrderIdReused,
    ExchangeRefused,
    ExchangeUnavailable,
    OrderClosed,
    OutcomeUnknown,
)
from tests.fakes.exchange import HANDLERS, FakeExchange, Fault, Refusal, Request, cut, done_then, dropped, failed, slow
from tests.fakes.trading import TradingExchange
from tests.shared.broker.at_exchange import AT, ORDER, Served, another, sent
from tests.shared.broker.markets import buy

CID = "key-0123456789abcdef01234567"


@pytest.fixture(name="broker")
def _broker(served: Served, exchange: TradingExchange) -> ExchangeBroker:  # noqa: ARG001 - for its new beginning
    return another(served)


@pytest.mark.parametrize(
    "fault",
    [
        done_then(dropped()),
        done_then(failed(503)),
        done_then(failed(503, code=-1)),  # "Unknown error, please check your request or try again later."
        done_then(failed(500, code=-1013)),
        done_then(failed(503, code=-1003)),
        cut(),
        done_then(slow(0.8)),
    ],
    ids=str,
)
def test_an_order_of_which_nobody_knows_is_found_by_its_name(
    exchange: TradingExchange, broker: ExchangeBroker, fault: Fault
) -> None:
    exchange.fail(ORDER, fault, method="POST")
    request = buy("1", client_order_id=CID)
    with pytest.raises(OutcomeUnknown):
        broker.place(request, at=AT)
    found = broker.order_by_client_id(CID)
    assert found is not None
    assert found.status == "filled"
    assert broker.place(request, at=AT) == found
    assert len(sent(exchange)) == 1


def test_an_order_that_is_not_there_may_still_come(exchange: TradingExchange, served: Served) -> None:
    broker = another(served, settle_seconds=1.5)
    exchange.fail(ORDER, slow(1.0), method="POST")  # to come in when its sender has left
    request = buy("1", client_order_id=CID)
    begin = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        broker.place(request, at=AT)
    with pytest.raises(OutcomeUnknown, match=r"may still come in until 1.5 seconds have passed"):
        broker.order_by_client_id(CID)
    with pytest.raises(OutcomeUnknown, match=r"may still come in until 1.5 seconds have passed"):
        broker.place(request, at=AT)
    while not exchange.placed() and time.monotonic() < begin + 20:
        time.sleep(0.02)
    assert broker.place(request, at=AT).status == "filled"
    assert (len(sent(exchange)), len(exchange.placed())) == (1, 1)


def test_what_was_sent_is_still_unknown_when_it_can_t_be_asked_for(
    exchange: TradingExchange, broker: ExchangeBroker
) -> None:
    """To say that nothing was done would be true of the second call alone."""
    request = buy("1", client_order_id=CID)
    exchange.fail(ORDER, done_then(dropped()), method="POST")
    with pytest.raises(OutcomeUnknown):
        broker.place(request, at=AT)
    for fault in (failed(503), failed(401)):
        exchange.fail(ORDER, *[fault] * 6, method="GET")
        with pytest.raises(OutcomeUnknown):
            broker.place(request, at=AT)
        exchange.recover()
    assert broker.place(request, at=AT).status == "filled"
    assert len(exchange.placed()) == 1


def test_an_order_that_never_came_can_be_placed_once_it_can_t_come_any_more(
    exchange: TradingExchange, served: Served
) -> None:
    broker = another(served, settle_seconds=0.3)
    exchange.fail(ORDER, dropped(), method="POST")
    with pytest.raises(OutcomeUnknown):
        broker.place(buy("1", client_order_id=CID), at=AT)
    time.sleep(0.35)
    assert broker.order_by_client_id(CID) is None
    assert broker.place(buy("1", client_order_id=CID), at=AT).status == "filled"
    assert len(exchange.placed()) == 1


def test_an_order_that_is_under_way_is_not_said_to_be_absent(exchange: TradingExchange, broker: ExchangeBroker) -> None:
    async def ask() -> None:
        exchange.fail(ORDER, slow(0.3), method="POST")
        placing = asyncio.create_task(broker.place_async(buy("1", client_order_id=CID), at=AT))
        while not sent(exchange):  # noqa: ASYNC110 - it lives in other threads
            await asyncio.sleep(0.01)
        with pytest.raises(OutcomeUnknown, match="under way to binance"):
            await broker.order_by_client_id_async(CID)
        assert await placing == await broker.order_by_client_id_async(CID)

    asyncio.run(ask())


def test_a_twin_of_another_process_is_the_order(
    exchange: TradingExchange, broker: ExchangeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange says that it has the client order id open, after it has said that it doesn't know it."""
    twin = buy("1", "1290", client_order_id=CID)
    real, hidden = HANDLERS["POST", ORDER], HANDLERS["GET", ORDER]

    def place(served: FakeExchange, request: Request) -> Any:
        monkeypatch.setitem(HANDLERS, ("GET", ORDER), hidden)
        real(served, request)
        return real(served, request)

    def unknown(_served: FakeExchange, _request: Request) -> Any:
        raise Refusal(400, -2013, "Order does not exist.")

    monkeypatch.setitem(HANDLERS, ("POST", ORDER), place)
    monkeypatch.setitem(HANDLERS, ("GET", ORDER), unknown)
    placed = broker.place(twin, at=AT)
    assert (placed.client_order_id, placed.status, len(exchange.placed())) == (CID, "open", 1)
    monkeypatch.setitem(HANDLERS, ("GET", ORDER), unknown)
    with pytest.raises(ClientOrderIdReused):
        broker.place(buy("2", "1290", client_order_id=CID), at=AT)


def test_an_order_of_an_unknown_status_is_not_said_to_be_absent(
    exchange: TradingExchange, broker: ExchangeBroker
) -> None:
    resting = broker.place(buy("1", "1290", client_order_id=CID), at=AT)
    exchange.placed()[0].status = "PENDING_NEW"
    with pytest.raises(OutcomeUnknown, match=r"says PENDING_NEW of the order, which is no status that is known"):
        broker.order_by_client_id(CID)
    with pytest.raises(OutcomeUnknown, match="PENDING_NEW"):
        broker.order(resting.id)
    assert broker.orders(OrdersQuery()) == ()


def test_a_refusal_that_is_no_twin_stays_one(exchange: TradingExchange, broker: ExchangeBroker) -> None:
    exchange.fail(ORDER, failed(429), method="POST")
    with pytest.raises(ExchangeRefused, match="DDoSProtection"):
        broker.place(buy("1", client_order_id=CID), at=AT)
    assert broker.order_by_client_id(CID) is None
    assert broker.place(buy("1", client_order_id=CID), at=AT).status == "filled"


def test_an_exchange_that_can_t_be_asked_beforehand_gets_no_order(
    exchange: TradingExchange, broker: ExchangeBroker
) -> None:
    exchange.fail(ORDER, *[failed(503)] * 6, method="GET")
    with pytest.raises(ExchangeUnavailable):
        broker.place(buy("1"), at=AT)
    assert sent(exchange) == []


@pytest.mark.parametrize(
    "fault", [done_then(dropped()), cut(), done_then(failed(503)), done_then(slow(0.8)), dropped()], ids=str
)
def test_a_cancelling_of_which_nobody_knows_is_looked_up(
    exchange: TradingExchange, broker: ExchangeBroker, fault: Fault
) -> None:
    resting = broker.place(buy("1", "1290"), at=AT)
    exchange.fail(ORDER, fault, method="DELETE")
    assert broker.cancel(resting.id, at=AT).status == "cancelled"
    assert broker.order(resting.id).status == "cancelled"


@pytest.mark.parametrize(("fault", "error"), [(failed(503), OutcomeUnknown), (failed(429), ExchangeRefused)])
def test_a_cancelling_that_failed_leaves_the_order_open(
    exchange: TradingExchange, broker: ExchangeBroker, fault: Fault, error: type[Exception]
) -> None:
    resting = broker.place(buy("1", "1290"), at=AT)
    exchange.fail(ORDER, fault, method="DELETE")
    with pytest.raises(error):
        broker.cancel(resting.id, at=AT)
    assert broker.order(resting.id).status == "open"
    exchange.fail(ORDER, done_then(failed(503)), method="DELETE")
    exchange.fail(ORDER, Fault(performs=True), *[failed(503)] * 6, method="GET")
    with pytest.raises(OutcomeUnknown):
        broker.cancel(resting.id, at=AT)


def test_an_order_that_is_filled_before_its_cancelling_comes_in(
    exchange: TradingExchange, broker: ExchangeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    resting = broker.place(buy("1", "1290", client_order_id=CID), at=AT)
    real = HANDLERS["DELETE", ORDER]

    def quicker(served: FakeExchange, request: Request) -> Any:
        (truth,) = exchange.orders["BTCUSD"]
        exchange._trade(truth, truth.quantity, truth.price)
        return real(served, request)

    monkeypatch.setitem(HANDLERS, ("DELETE", ORDER), quicker)
    with pytest.raises(OrderClosed) as caught:
        broker.cancel(resting.id, at=AT)
    assert caught.value.status == "filled"


def test_a_twin_that_has_taken_the_money_is_the_order(
    exchange: TradingExchange, broker: ExchangeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.begin_anew(USD="2000")
    real, find = HANDLERS["POST", ORDER], HANDLERS["GET", ORDER]

    def place(served: FakeExchange, request: Request) -> Any:
        monkeypatch.setitem(HANDLERS, ("GET", ORDER), find)
        real(served, request)
        return real(served, request)

    def unknown(_served: FakeExchange, _request: Request) -> Any:
        raise Refusal(400, -2013, "Order does not exist.")

    monkeypatch.setitem(HANDLERS, ("POST", ORDER), place)
    monkeypatch.setitem(HANDLERS, ("GET", ORDER), unknown)
    assert broker.place(buy("1", client_order_id=CID), at=AT).status == "filled"
    assert len(exchange.placed()) == 1
