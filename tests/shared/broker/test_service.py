"""The broker as handlers call it: by name through the port, in JSON, by either face."""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Literal

import pytest

from shared.broker.account import Account
from shared.broker.base import OrderRequest
from shared.broker.memory_books import MemoryBooks
from shared.broker.money import PaperRules
from shared.broker.paper import PaperBroker
from shared.broker.service import BrokerService, arguments_of, is_for
from shared.errors import ClientOrderIdReused, InsufficientBalance, OrderClosed, UnknownOrder
from shared.outbound import Services
from tests.shared.broker.markets import FREE, Market

AT = "2025-03-03T12:00:00.000000Z"
BUY: dict[str, Any] = {
    "client_order_id": "one",
    "symbol": "BTC-USD",
    "side": "buy",
    "type": "market",
    "quantity": "0.50",
    "price": None,
    "reduces": False,
}
REST = {**BUY, "type": "limit", "price": "90.0"}
REQUEST = OrderRequest(
    client_order_id="one",
    symbol="BTC-USD",
    side="buy",
    type="limit",
    quantity=Decimal("0.50"),
    price=Decimal("90.0"),
)
FILLED = {
    **BUY,
    "id": "paper-1",
    "status": "filled",
    "filled_quantity": "0.50",
    "average_price": "100",
    "fee": "0.05000000",
    "realized_pnl": "0",
    "created_at": AT,
    "updated_at": AT,
}

Call = Callable[..., Awaitable[Any]]


def of_one_face(face: Literal["blocking", "awaited"]) -> PaperBroker:
    """It may be asked by this face alone."""
    account = Account.opened({"USD": Decimal(1_000)}, FREE)
    broker: Any = PaperBroker(
        prices=Market(BTC_USD="100"), books=MemoryBooks(account), rules=PaperRules(fee_rate=Decimal("0.001"))
    )
    for name in ("place", "cancel", "order", "order_by_client_id", "orders", "balances", "positions"):
        setattr(broker, name if face == "awaited" else f"{name}_async", None)
    return broker  # type: ignore[no-any-return]


@pytest.fixture(params=["blocking", "awaited"])
def call(request: pytest.FixtureRequest) -> Call:
    outbound = Services({"broker": BrokerService(of_one_face(request.param))})

    async def by_the_face(method: str, **arguments: Any) -> Any:
        if request.param == "awaited":
            return await outbound.effect_async("broker", method, **arguments)
        return outbound.effect("broker", method, **arguments)

    return by_the_face


async def test_an_order_is_placed_once(call: Call) -> None:
    for _ in range(2):
        assert await call("place", **BUY, at=AT) == FILLED
    assert await call("place", **{**BUY, "quantity": "0.5", "reduces": True}, at=AT) == FILLED
    with pytest.raises(ClientOrderIdReused):
        await call("place", **{**BUY, "quantity": "0.51"}, at=AT)
    assert len(await call("orders", status=None, symbol=None, limit=9)) == 1


async def test_orders_are_found_listed_and_cancelled(call: Call) -> None:
    resting = await call("place", **REST, at=AT)
    assert (resting["status"], resting["price"], resting["average_price"]) == ("open", "90.0", None)
    await call("place", **{**BUY, "client_order_id": "two"}, at=AT)
    assert await call("order", order_id="paper-1") == resting
    assert await call("order_by_client_id", client_order_id="one") == resting
    assert await call("order_by_client_id", client_order_id="three") is None
    assert [each["id"] for each in await call("orders", status=None, symbol="BTC-USD", limit=9)] == [
        "paper-2",
        "paper-1",
    ]
    assert await call("orders", status="open", symbol=None, limit=9) == [resting]
    assert await call("orders", status=None, symbol="ETH-USD", limit=9) == []
    later = "2025-03-03T12:01:00.000000Z"
    assert await call("cancel", order_id="paper-1", at=later) == {**resting, "status": "cancelled", "updated_at": later}
    with pytest.raises(OrderClosed):
        await call("cancel", order_id="paper-1", at=later)
    with pytest.raises(UnknownOrder):
        await call("order", order_id="paper-3")


async def test_balances_and_positions(call: Call) -> None:
    await call("place", **BUY, at=AT)
    assert await call("balances", at=AT) == [{"currency": "USD", "available": "949.95000000", "total": "999.95000000"}]
    assert await call("positions", at=AT) == [
        {
            "symbol": "BTC-USD",
            "side": "long",
            "quantity": "0.50",
            "entry_price": "100.00000000",
            "unrealized_pnl": "0.00000000",
        }
    ]


@pytest.mark.parametrize(
    ("symbol", "side", "quantity", "reduces"),
    [
        ("BTC-USD", "sell", "0.50", True),
        ("BTC-USD", "sell", "0.1", True),
        ("BTC-USD", "sell", "0.500001", False),
        ("BTC-USD", "buy", "0.1", False),
        ("ETH-USD", "sell", "0.1", False),
    ],
)
async def test_what_reduces_a_position(call: Call, symbol: str, side: str, quantity: str, reduces: bool) -> None:
    await call("place", **BUY, at=AT)
    assert await call("reduces", symbol=symbol, side=side, quantity=quantity, at=AT) is reduces


async def test_a_short_is_reduced_by_a_purchase(call: Call) -> None:
    await call("place", **{**BUY, "side": "sell"}, at=AT)
    assert await call("reduces", symbol="BTC-USD", side="buy", quantity="0.5", at=AT) is True
    assert await call("reduces", symbol="BTC-USD", side="sell", quantity="0.5", at=AT) is False


async def test_every_answer_is_json_as_it_is(call: Call) -> None:
    """So that what was recorded in one process is what another one replays."""
    for answer in (
        await call("place", **BUY, at=AT),
        await call("orders", status=None, symbol=None, limit=9),
        await call("balances", at=AT),
        await call("positions", at=AT),
    ):
        assert json.loads(json.dumps(answer)) == answer


async def test_what_the_broker_raises_is_raised(call: Call) -> None:
    with pytest.raises(InsufficientBalance):
        await call("place", **{**BUY, "quantity": "10"}, at=AT)


def test_a_request_travels_as_what_it_says() -> None:
    assert arguments_of(REQUEST) == {**REST, "price": "90.0"}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"quantity": "0.5", "price": "90"}, True),
        ({"reduces": True, "status": "cancelled", "id": "paper-9"}, True),
        ({"quantity": "0.51"}, False),
        ({"price": "90.1"}, False),
        ({"price": None}, False),
        ({"symbol": "ETH-USD"}, False),
        ({"side": "sell"}, False),
        ({"type": "market"}, False),
    ],
)
def test_an_order_is_told_from_another_by_what_was_asked_for(change: dict[str, Any], same: bool) -> None:
    assert is_for({**REST, **change}, REQUEST) is same


def test_it_closes_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(PaperBroker, "close", lambda _broker: closed.append("closed"))
    BrokerService(of_one_face("blocking")).close()
    assert closed == ["closed"]
