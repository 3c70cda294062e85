from decimal import Decimal
from typing import Any

import pytest

from shared.broker.exchange_rules import MarketRules
from shared.errors import InvalidField
from tests.shared.broker.markets import buy

MARKET: dict[str, Any] = {
    "quote": "USD",
    "precision": {"amount": Decimal("0.001"), "price": Decimal("0.05")},
    "limits": {
        "amount": {"min": Decimal("0.002"), "max": Decimal(100)},
        "market": {"min": Decimal(0), "max": Decimal(50)},
        "price": {"min": Decimal(1), "max": Decimal(1000)},
        "cost": {"min": Decimal(5), "max": Decimal(20_000)},
    },
}
UNBOUND: dict[str, Any] = {
    "quote": "USD",
    "precision": {"amount": None, "price": None},
    "limits": {"amount": {"min": None, "max": None}, "price": {}, "cost": {"min": Decimal(0), "max": None}},
}
LAST = Decimal(400)


def rules(market: dict[str, Any] = MARKET) -> MarketRules:
    return MarketRules.of(market, "BTC-USD", "binance")


@pytest.mark.parametrize(
    ("quantity", "price"),
    [("0.005", "1000"), ("100", "200"), ("5", "1"), ("50", None), ("0.013", None), ("0.0130", None)],
)
def test_what_the_market_takes(quantity: str, price: str | None) -> None:
    request = buy(quantity, price)
    rules().check(request, price=request.price or LAST)
    rules(UNBOUND).check(request, price=request.price or LAST)


@pytest.mark.parametrize(
    ("quantity", "price", "sentence"),
    [
        ("0.0125", None, "quantity: 0.0125 is not a multiple of 0.001"),
        ("0.001", None, "quantity: 0.001 is not at least 0.002"),
        ("0.0000001", None, "quantity: 1E-7 is not at least 0.002"),
        ("100.001", "1", "quantity: 100.001 is not at most 100"),
        ("50.001", None, "quantity: 50.001 is not at most 50"),
        ("1", "100.01", "price: 100.01 is not a multiple of 0.05"),
        ("10", "0.95", "price: 0.95 is not at least 1"),
        ("1", "1000.05", "price: 1000.05 is not at most 1000"),
        ("0.012", None, "quantity: 0.012 is not worth at least 5 USD at 400"),
        ("4.999", "1", "quantity: 4.999 is not worth at least 5 USD at 1"),
        ("51", "400", "quantity: 51 is not worth at most 20000 USD at 400"),
    ],
)
def test_what_it_can_t_take_is_told_with_its_bound(quantity: str, price: str | None, sentence: str) -> None:
    request = buy(quantity, price)
    with pytest.raises(InvalidField) as caught:
        rules().check(request, price=request.price or LAST)
    assert str(caught.value) == f"{sentence}, which binance takes for BTC-USD"


@pytest.mark.parametrize(
    ("held", "sold"), [("1.2345", "1.234"), ("0.013", "0.013"), ("0.0129", "0"), ("0.0019", "0"), ("0", "0")]
)
def test_a_holding_is_sold_in_whole_steps_or_is_too_little(held: str, sold: str) -> None:
    assert rules().sellable(Decimal(held), price=LAST) == Decimal(sold)
    assert rules(UNBOUND).sellable(Decimal(held), price=LAST) == Decimal(held)
