from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.broker.base import Balance, Order, OrderRequest, Position
from shared.errors import InvalidField

AMOUNT = "a decimal greater than 0 with at most 18 digits on either side of the point"


def request(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "client_order_id": "c-1",
        "symbol": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "quantity": Decimal("0.50"),
        "price": Decimal("64250.10"),
        **changes,
    }
    return OrderRequest(**values)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"client_order_id": ""}, 'client_order_id: "" is not 1 to 255 visible ASCII characters'),
        ({"client_order_id": "a b"}, 'client_order_id: "a b" is not 1 to 255 visible ASCII characters'),
        ({"side": "long"}, 'side: "long" is not "buy" or "sell"'),
        ({"type": "stop"}, 'type: "stop" is not "market" or "limit"'),
        ({"quantity": Decimal(0)}, f"quantity: 0 is not {AMOUNT}"),
        ({"quantity": Decimal(-1)}, f"quantity: -1 is not {AMOUNT}"),
        ({"quantity": Decimal("NaN")}, f"quantity: NaN is not {AMOUNT}"),
        ({"quantity": Decimal("Infinity")}, f"quantity: Infinity is not {AMOUNT}"),
        ({"quantity": Decimal("1e18")}, f"quantity: 1E+18 is not {AMOUNT}"),
        ({"quantity": Decimal("1e-19")}, f"quantity: 1E-19 is not {AMOUNT}"),
        ({"price": None}, f"price: null is not {AMOUNT}, which a limit order needs"),
        ({"price": Decimal(0)}, f"price: 0 is not {AMOUNT}, which a limit order needs"),
        ({"type": "market"}, "price: 64250.10 is not expected: a market order has none"),
    ],
)
def test_a_request_that_breaks_a_rule(changes: Any, sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        request(**changes)
    assert str(caught.value) == sentence


def test_the_largest_and_the_finest_amounts() -> None:
    assert request(quantity=Decimal("9" * 18 + "." + "9" * 18), price=Decimal("1e-18")).price == Decimal("1e-18")


ORDER = Order(
    id="paper-1",
    client_order_id="c-1",
    symbol="BTC-USD",
    side="buy",
    type="limit",
    quantity=Decimal("0.50"),
    price=Decimal("1e2"),
    reduces=False,
    status="open",
    created_at=datetime(2025, 3, 3, 12, 30, tzinfo=UTC),
    updated_at=datetime(2025, 3, 3, 12, 30, 0, 5, tzinfo=UTC),
)


def test_an_order_on_the_wire() -> None:
    assert ORDER.to_json() == {
        "id": "paper-1",
        "client_order_id": "c-1",
        "symbol": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "quantity": "0.50",
        "price": "100",
        "reduces": False,
        "status": "open",
        "filled_quantity": "0",
        "average_price": None,
        "fee": "0",
        "realized_pnl": "0",
        "created_at": "2025-03-03T12:30:00.000000Z",
        "updated_at": "2025-03-03T12:30:00.000005Z",
    }
    market = replace(ORDER, type="market", price=None, average_price=Decimal("99.50"), fee=Decimal("1E-8"))
    told = market.to_json()
    assert (told["price"], told["average_price"], told["fee"]) == (None, "99.50", "0.00000001")


def test_an_order_knows_what_was_asked_for() -> None:
    assert ORDER.request() == request(price=Decimal(100))
    assert ORDER.request() == request(price=Decimal("100.00"), quantity=Decimal("0.5"))
    assert ORDER.request() != request(price=Decimal("100.01"))


def test_balances_and_positions_on_the_wire() -> None:
    balance = Balance(currency="USD", available=Decimal("1E+2"), total=Decimal("100.50"))
    assert balance.to_json() == {"currency": "USD", "available": "100", "total": "100.50"}
    position = Position(
        symbol="BTC-USD", side="short", quantity=Decimal("0.5"), entry_price=Decimal(100), unrealized_pnl=Decimal(-7)
    )
    assert position.to_json() == {
        "symbol": "BTC-USD",
        "side": "short",
        "quantity": "0.5",
        "entry_price": "100",
        "unrealized_pnl": "-7",
    }
