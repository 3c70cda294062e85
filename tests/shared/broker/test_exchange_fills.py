from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from shared.broker.account import Holding
from shared.broker.exchange_fills import ExchangeFill, ExchangeFills, OrderCosts
from shared.broker.exchange_orders import fills


def fill(trade_id: int, side: Any, quantity: str, price: str, *, order: str = "1", **fees: str) -> ExchangeFill:
    exact = {name: Decimal(fee) for name, fee in fees.items()}
    return ExchangeFill(trade_id, order, side, Decimal(quantity), Decimal(price), **exact)


def summed(*fills: ExchangeFill) -> ExchangeFills:
    known = ExchangeFills()
    known.add(fills)
    return known


BOUGHT = fill(1, "buy", "2", "100", order="a")
BOUGHT_DEARER = fill(2, "buy", "2", "110", order="b")
SOLD = fill(3, "sell", "1", "120", order="c", quote_fee="0.12")


def test_a_sale_takes_its_share_of_the_average_cost() -> None:
    known = summed(BOUGHT, BOUGHT_DEARER, SOLD)
    assert known.holding() == Holding(Decimal(3), Decimal(315))
    assert known.costs("c") == OrderCosts(fee=Decimal("0.12"), realized_pnl=Decimal(15))
    assert known.costs("nobody") == OrderCosts()


@pytest.mark.parametrize("reports", list(permutations([BOUGHT, BOUGHT_DEARER, SOLD])))
def test_late_and_repeated_reports_are_counted_once_in_the_order_of_the_trades(
    reports: tuple[ExchangeFill, ...],
) -> None:
    known = ExchangeFills()
    for each in reports:
        known.add([each])
        known.holding()
        known.add([each, *reports[:2]])
    assert known.holding() == Holding(Decimal(3), Decimal(315))
    assert known.costs("c").realized_pnl == 15


def test_a_fee_in_what_is_bought_is_sold_to_pay_it() -> None:
    known = summed(fill(1, "buy", "2", "100", base_fee="0.002"))
    assert known.holding() == Holding(Decimal("1.998"), Decimal("199.8"))
    assert known.costs("1").fee == Decimal("0.2")  # 199.8 and 0.2 are the 200 that were paid


def test_a_fee_in_what_is_sold_is_sold_to_pay_it() -> None:
    """As of who sells BNB at Binance, and pays in it."""
    known = summed(BOUGHT, fill(2, "sell", "1", "120", order="c", base_fee="0.1"))
    assert known.holding() == Holding(Decimal("0.9"), Decimal(90))
    assert known.costs("c") == OrderCosts(fee=Decimal(12), realized_pnl=Decimal(22))  # 132 for what had cost 110


@pytest.mark.parametrize(
    ("currency", "held", "fee"), [("BTC", "1.999", "0.1"), ("USD", "2", "0.001"), ("BNB", "2", "0")]
)
def test_a_fee_in_a_third_currency_is_in_no_cost(currency: str, held: str, fee: str) -> None:
    told = {
        "id": "1",
        "order": "a",
        "side": "buy",
        "amount": Decimal(2),
        "price": Decimal(100),
        "info": {"commissionAsset": currency, "commission": "0.001"},
    }
    known = summed(*fills([told], {"baseId": "BTC", "quoteId": "USD"}))
    assert (known.holding().quantity, known.costs("a").fee) == (Decimal(held), Decimal(fee))


def test_an_order_s_fills_add_up() -> None:
    known = summed(fill(1, "buy", "1", "100", quote_fee="0.1"), fill(2, "buy", "2", "101", quote_fee="0.2"))
    assert known.costs("1").fee == Decimal("0.3")
    assert known.holding() == Holding(Decimal(3), Decimal(302))


def test_what_was_never_bought_is_sold_without_profit_and_makes_no_short() -> None:
    known = summed(fill(1, "buy", "1", "100"), fill(2, "sell", "5", "110", order="2"))
    assert known.holding() == Holding(Decimal(0), Decimal(0))
    assert known.costs("2").realized_pnl == 10
    known.add([fill(3, "buy", "1", "120")])
    assert known.holding() == Holding(Decimal(1), Decimal(120))


def test_fees_and_costs_are_rounded_against_the_account() -> None:
    known = summed(fill(1, "buy", "0.00000003", "1.5", base_fee="0.00000001"), fill(2, "sell", "0.00000001", "1.5"))
    assert known.costs("1") == OrderCosts(fee=Decimal("0.00000002"), realized_pnl=Decimal("-0.00000001"))


def test_the_newest_but_some() -> None:
    known = summed(*(fill(number, "buy", "1", "1") for number in (7, 3, 12, 5)))
    assert [known.newest_but(count) for count in (0, 1, 3, 4, 9)] == [12, 7, 3, 0, 0]
