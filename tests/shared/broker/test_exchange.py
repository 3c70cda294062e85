"""What the exchange broker does beyond the contract of every broker (`test_every_broker`)."""

from decimal import Decimal
from typing import Any

import pytest

from shared.broker.base import Balance, OrdersQuery, Position
from shared.broker.exchange import ExchangeBroker
from shared.broker.service import BrokerService
from shared.errors import (
    ClientOrderIdReused,
    ExchangeRefused,
    InsufficientBalance,
    InvalidField,
    NothingToReduce,
    UnknownOrder,
)
from tests.fakes.exchange import failed
from tests.fakes.trading import TradingExchange
from tests.shared.broker import at_exchange
from tests.shared.broker.at_exchange import AT, ORDER, TRADES, Served, another, sent
from tests.shared.broker.markets import BTC, ETH, buy, sell

ACCOUNT = "/api/v3/account"
CID = "key-0123456789abcdef01234567"


@pytest.fixture(name="broker")
def _broker(served: Served, exchange: TradingExchange) -> ExchangeBroker:  # noqa: ARG001 - for its new beginning
    return another(served)


def test_an_order_is_sent_with_its_name_and_its_exact_amounts(
    exchange: TradingExchange, broker: ExchangeBroker
) -> None:
    placed = broker.place(buy("0.30001", "1290.50", client_order_id=CID), at=AT)
    (request,) = sent(exchange)
    assert {
        name: request.fields[name] for name in ("symbol", "newClientOrderId", "quantity", "price", "timeInForce")
    } == {
        "symbol": "BTCUSD",
        "newClientOrderId": CID,
        "quantity": "0.30001",
        "price": "1290.5",
        "timeInForce": "GTC",
    }
    assert (placed.id, placed.client_order_id, placed.price) == ("BTC-USD:1", CID, Decimal("1290.50"))


def test_a_name_that_the_exchange_does_not_take_is_sent_as_its_digest(
    exchange: TradingExchange, broker: ExchangeBroker
) -> None:
    name = "ema_crossover-BTC-USD-2026-03-04T15:00:00Z-1"
    placed = broker.place(buy("1", client_order_id=name), at=AT)
    told = sent(exchange)[0].fields["newClientOrderId"]
    assert told == "h-53fc3ea065cd6d134ab93f4b2895558259"
    assert placed == broker.order_by_client_id(name) == broker.place(buy("1", client_order_id=name), at=AT)
    assert broker.order(placed.id).client_order_id == told
    assert len(sent(exchange)) == 1


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (buy("0.000015"), "quantity: 0.000015 is not a multiple of 0.00001"),
        (buy("0.003"), "quantity: 0.003 is not worth at least 5.0 USD at 1301.00000000"),
        (buy("1", "1000.001"), "price: 1000.001 is not a multiple of 0.01"),
        (sell("9001", reduces=True), "quantity: 9001 is not at most 9000.0"),
    ],
)
def test_what_the_market_can_t_take_is_refused_before_it_is_sent(
    exchange: TradingExchange, broker: ExchangeBroker, request_: Any, sentence: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        broker.place(request_, at=AT)
    assert str(caught.value) == f"{sentence}, which binance (sandbox) takes for BTC-USD"
    assert sent(exchange) == []


def test_fills_make_an_order_s_price_fee_and_profit(exchange: TradingExchange, broker: ExchangeBroker) -> None:
    bought = broker.place(buy("0.5"), at=AT)
    # 0.25 at 1301.05 and 0.25 at 1301.10; a thousandth of the coins is the fee.
    assert (bought.average_price, bought.fee) == (Decimal("1301.075"), Decimal("0.6505375"))
    sold = broker.place(sell("0.4"), at=AT)
    # 0.2 at 1300.95 and 0.2 at 1300.90, of what cost 1301.075.
    assert (sold.average_price, sold.fee, sold.realized_pnl) == (
        Decimal("1300.925"),
        Decimal("0.52037"),
        Decimal("-0.06"),
    )
    assert broker.positions(at=AT) == (
        Position(
            symbol=BTC,
            side="long",
            quantity=Decimal("0.0995"),
            entry_price=Decimal("1301.075"),
            unrealized_pnl=Decimal("-0.0074625"),
        ),
    )
    assert broker.orders(OrdersQuery()) == (sold, bought)
    assert exchange.free["BTC"] == Decimal("3.0995")


def test_a_sale_after_a_restart_has_its_profit(served: Served, broker: ExchangeBroker) -> None:
    broker.place(buy("0.5"), at=AT)
    assert another(served).place(sell("0.4"), at=AT).realized_pnl == Decimal("-0.06")


def test_the_worth_of_positions_is_in_the_balance_and_other_coins_are_by_themselves(
    exchange: TradingExchange, broker: ExchangeBroker
) -> None:
    broker.place(buy("1"), at=AT)
    broker.place(sell("0.5", "1400"), at=AT)
    free = exchange.free["USD"]
    assert broker.balances(at=AT) == (
        # Of 3.999 coins the 0.999 that were bought are a position; what a sale binds is bound of the others first.
        Balance(currency="BTC", available=Decimal(3), total=Decimal(3)),
        Balance(currency="USD", available=free, total=free + Decimal("0.999") * 1301),
    )


def test_coins_that_were_not_bought_are_no_position(broker: ExchangeBroker) -> None:
    assert broker.positions(at=AT) == ()
    with pytest.raises(NothingToReduce):
        broker.place(sell("1", reduces=True), at=AT)


def test_what_was_withdrawn_is_no_position(exchange: TradingExchange, broker: ExchangeBroker) -> None:
    broker.place(buy("1"), at=AT)
    exchange.free["BTC"] = Decimal("0.4")
    (position,) = broker.positions(at=AT)
    assert (position.quantity, position.entry_price) == (Decimal("0.4"), Decimal("1301.075"))
    sold = broker.place(sell("1", reduces=True), at=AT)
    assert (sold.quantity, sold.filled_quantity) == (Decimal(1), Decimal("0.4"))


def test_what_is_too_little_to_be_sold_is_no_position(exchange: TradingExchange, broker: ExchangeBroker) -> None:
    broker.place(buy("0.01"), at=AT)
    broker.place(sell("0.007"), at=AT)
    assert broker.positions(at=AT) == ()  # 0.00299 coins are worth less than 5 dollars
    with pytest.raises(NothingToReduce):
        broker.place(sell("0.01", reduces=True), at=AT)
    assert exchange.free["BTC"] == Decimal("3.00299")


def test_an_order_may_come_in_as_late_as_its_requests_may_take(exchange: TradingExchange) -> None:
    """Five reads of 15 seconds, 5 for its turn, 5 to send it, and 10 until it can't come any more."""
    with at_exchange.broker_at(exchange) as broker:
        assert BrokerService(broker).settles_after_seconds() == 95


def test_what_only_reduces_is_known_as_such_after_a_restart(served: Served, broker: ExchangeBroker) -> None:
    broker.place(buy("0.5"), at=AT)
    request = sell("0.5", reduces=True, client_order_id="stop")
    sold = broker.place(request, at=AT)
    assert (sold.quantity, sold.filled_quantity, sold.reduces) == (Decimal("0.5"), Decimal("0.49950"), True)
    later = another(served)
    assert later.order_by_client_id("stop") == sold == later.place(request, at=AT)
    with pytest.raises(ClientOrderIdReused):
        later.place(sell("0.6", reduces=True, client_order_id="stop"), at=AT)


def test_partial_fills_of_a_resting_order(exchange: TradingExchange, broker: ExchangeBroker) -> None:
    resting = broker.place(buy("1", "1290", client_order_id=CID), at=AT)
    (truth,) = exchange.placed(CID)
    exchange.meet(truth, Decimal("0.25"))
    exchange.reported_times, exchange.reported_late = 3, 1
    early = broker.order(resting.id)
    assert (early.status, early.filled_quantity, early.average_price, early.fee) == (
        "open",
        Decimal("0.25"),
        Decimal(1290),
        Decimal(0),
    )
    exchange.meet(truth, Decimal("0.25"))
    assert broker.order(resting.id).fee == Decimal("0.3225")  # of the first, of which the report came late
    exchange.reported_late = 0
    cancelled = broker.cancel(resting.id, at=AT)
    assert (cancelled.status, cancelled.filled_quantity, cancelled.average_price) == (
        "cancelled",
        Decimal("0.5"),
        Decimal(1290),
    )
    assert broker.order(resting.id).fee == Decimal("0.645")
    assert [each.quantity for each in broker.positions(at=AT)] == [Decimal("0.4995")]


def test_fills_come_page_by_page_and_the_newest_are_asked_for_again(
    exchange: TradingExchange, broker: ExchangeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.broker.exchange_account._PAGE", 4)
    monkeypatch.setattr("shared.broker.exchange_account._ASKED_AGAIN", 3)
    for _ in range(5):
        broker.place(buy("0.1"), at=AT)  # two trades each
    asked = [request.fields["fromId"] for request in exchange.asked(TRADES)]
    assert asked == []  # a purchase needs none
    assert [each.quantity for each in broker.positions(at=AT)] == [Decimal("0.4995")]
    assert [request.fields["fromId"] for request in exchange.asked(TRADES)] == ["7", "11"]


def test_too_little_of_a_currency_is_told(exchange: TradingExchange, broker: ExchangeBroker) -> None:
    with pytest.raises(InsufficientBalance) as caught:
        broker.place(sell("4"), at=AT)
    assert (caught.value.currency, caught.value.needed, caught.value.available) == ("BTC", "4", "3.00000000")
    exchange.fail(ACCOUNT, *[failed(503)] * 6)
    with pytest.raises(ExchangeRefused) as refused:
        broker.place(buy("900"), at=AT)
    assert refused.value.kind == "InsufficientFunds"
    assert exchange.placed() == []


def test_orders_of_other_kinds_and_of_other_symbols_are_left_out(
    exchange: TradingExchange, broker: ExchangeBroker
) -> None:
    mine, stop = broker.place(buy("1"), at=AT), broker.place(buy("1", "1290"), at=AT)
    exchange.orders["BTCUSD"][1].type = "STOP_LOSS_LIMIT"
    other = broker.place(buy("1", symbol=ETH), at=AT)
    assert broker.orders(OrdersQuery()) == (other, mine)
    assert broker.orders(OrdersQuery(symbol="XRP-USD")) == ()
    with pytest.raises(UnknownOrder):
        broker.order(stop.id)


@pytest.mark.parametrize("number", ["9223372036854775808", "9" * 5_000])
def test_a_number_that_no_order_has_is_not_asked_for(
    exchange: TradingExchange, broker: ExchangeBroker, number: str
) -> None:
    with pytest.raises(UnknownOrder):
        broker.order(f"BTC-USD:{number}")
    assert exchange.asked(ORDER) == []


def test_nothing_is_open_after_it_is_closed_and_it_opens_again(exchange: TradingExchange) -> None:
    with at_exchange.broker_at(exchange) as broker:
        placed = broker.place(buy("1"), at=AT)
        broker.close()
        assert broker.order(placed.id) == placed
