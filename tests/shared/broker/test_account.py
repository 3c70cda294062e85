"""The account's arithmetic, with the sums written down."""

from decimal import Decimal
from typing import Any

import pytest

from shared.broker.account import Account, Funds, quote_currency
from shared.broker.base import OrderSide
from shared.broker.money import PaperRules
from shared.errors import UnknownSymbol
from tests.shared.broker.markets import BTC, ETH, FREE

CENTS = PaperRules(fee_rate=Decimal("0.001"), quanta={"USD": Decimal("0.01")})


def account(*trades: tuple[OrderSide, str, str], rules: PaperRules = FREE, dollars: str = "1000") -> Account:
    """After these trades in bitcoin: side, quantity, price."""
    found = Account.opened({"USD": Decimal(dollars)}, rules)
    for side, quantity, price in trades:
        found, _ = found.traded(BTC, side, quantity=Decimal(quantity), price=Decimal(price), rules=rules)
    return found


def money(found: Account) -> tuple[Decimal, Decimal, Decimal]:
    """Cash, realised profit, fees."""
    funds = found.funds["USD"]
    return funds.cash, funds.realized_pnl, funds.fees


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


@pytest.mark.parametrize(
    ("trades", "cash", "realized", "held", "cost"),
    [
        ([("buy", "2", "100")], "800", "0", "2", "200"),
        ([("buy", "2", "100"), ("buy", "1", "130")], "670", "0", "3", "330"),
        ([("buy", "3", "110"), ("sell", "1", "120")], "790", "10", "2", "220"),
        ([("buy", "3", "110"), ("sell", "3", "100")], "970", "-30", "0", "0"),
        ([("sell", "2", "100")], "1200", "0", "-2", "-200"),
        ([("sell", "2", "100"), ("sell", "2", "120")], "1440", "0", "-4", "-440"),
        ([("sell", "4", "110"), ("buy", "1", "90")], "1350", "20", "-3", "-330"),
        ([("buy", "1", "100"), ("sell", "3", "110")], "1230", "10", "-2", "-220"),
        ([("sell", "1", "100"), ("buy", "3", "110")], "770", "-10", "2", "220"),
    ],
)
def test_trades_and_what_they_leave(trades: Any, cash: str, realized: str, held: str, cost: str) -> None:
    found = account(*trades)
    assert money(found) == decimals(cash, realized, "0")
    holding = found.holdings.get(BTC)
    assert (holding or decimals("0", "0")) == decimals(held, cost)


def test_a_purchase_is_rounded_up_a_sale_down_and_a_fee_up() -> None:
    # 0.333 * 100.01 = 33.30333, its fee 0.0333; 0.333 * 99.99 = 33.29667, its fee 0.03329.
    bought = account(("buy", "0.333", "100.01"), rules=CENTS)
    assert money(bought) == decimals("966.65", "0", "0.04")
    sold, _ = bought.traded(BTC, "sell", quantity=Decimal("0.333"), price=Decimal("99.99"), rules=CENTS)
    assert money(sold) == decimals("999.90", "-0.02", "0.08")
    assert sold.holdings == {}


def test_many_small_orders_earn_nothing_that_one_large_order_does_not() -> None:
    small: tuple[OrderSide, str, str] = ("buy", "0.00001", "100")
    found = account(*[small] * 10, rules=CENTS)
    assert money(found) == decimals("999.80", "0", "0.10")  # a cent each, and a cent of fee, for a tenth of a cent
    sold, _ = found.traded(BTC, "sell", quantity=Decimal("0.0001"), price=Decimal(100), rules=CENTS)
    assert money(sold) == decimals("999.80", "-0.09", "0.11")


def test_a_part_of_the_cost_is_rounded_to_the_nearest_and_the_rest_is_what_remains() -> None:
    found = account(("buy", "3", "33.35"), rules=PaperRules(quanta={"USD": Decimal("0.1")}))
    # 100.05 is paid as 100.1; a third of it is 33.3666…, so 33.4 is released and 66.7 stays.
    found, traded = found.traded(
        BTC, "sell", quantity=Decimal(1), price=Decimal(50), rules=PaperRules(quanta={"USD": Decimal("0.1")})
    )
    assert traded.realized_pnl == Decimal("16.6")
    assert found.holdings[BTC].cost == Decimal("66.7")


def test_the_average_entry_price_is_rounded_for_showing_alone() -> None:
    found = account(("buy", "1", "100"), ("buy", "2", "101"))
    (position,) = found.positions({BTC: Decimal(101)}, FREE)
    assert (position.entry_price, position.unrealized_pnl) == (Decimal("100.66666667"), Decimal(1))


def test_amounts_of_36_digits_are_exact() -> None:
    quantity, price = Decimal("999999999999999999.000000000000000001"), Decimal("100000000000000000.000000000000000003")
    found, _ = Account(funds={}, holdings={}).traded(BTC, "sell", quantity=quantity, price=price, rules=FREE)
    assert found.held(BTC) == Decimal("-999999999999999999.000000000000000001")
    assert found.reducible(BTC, "buy") == quantity
    # In cents of cents: (10^18 - 1 + 10^-18) * (10^17 + 3 * 10^-18), rounded down at the eighth decimal.
    assert found.funds["USD"].cash == Decimal("99999999999999999900000000000000003.09999999")
    (position,) = found.positions({BTC: price}, FREE)
    assert position.quantity == quantity
    closed, traded = found.traded(BTC, "buy", quantity=quantity, price=price, rules=FREE)
    assert closed.holdings == {}
    assert traded.realized_pnl == Decimal("-0.00000001")  # the sale was rounded down, the purchase up


@pytest.mark.parametrize(
    ("trades", "mark", "available", "total"),
    [
        ([("buy", "4", "100")], "50", "600", "800"),
        ([("buy", "4", "100")], "200", "600", "1400"),
        ([("sell", "4", "100")], "100", "600", "1000"),
        ([("sell", "4", "100")], "50", "1000", "1200"),
        ([("sell", "4", "100")], "150", "200", "800"),
        ([("sell", "4", "100")], "300", "0", "200"),
        ([("sell", "4", "100")], "400", "0", "-200"),
    ],
)
def test_what_is_available_is_the_equity_that_no_position_binds(
    trades: Any, mark: str, available: str, total: str
) -> None:
    (balance,) = account(*trades).balances({BTC: Decimal(mark)}, FREE)
    assert (balance.available, balance.total) == decimals(available, total)


def test_currencies_are_kept_apart() -> None:
    found = Account.opened({"USD": Decimal(100), "EUR": Decimal(50)}, FREE)
    found, _ = found.traded("BTC-EUR", "buy", quantity=Decimal(1), price=Decimal(20), rules=FREE)
    found, _ = found.traded(ETH, "sell", quantity=Decimal(1), price=Decimal(10), rules=FREE)
    balances = found.balances({"BTC-EUR": Decimal(25), ETH: Decimal(10)}, FREE)
    assert [(each.currency, each.available, each.total) for each in balances] == [
        ("EUR", *decimals("30", "55")),
        ("USD", *decimals("90", "100")),
    ]


def test_a_new_account_shows_the_digits_of_its_currencies() -> None:
    found = Account.opened({"USD": Decimal(100), "EUR": Decimal("0.005")}, CENTS)
    assert str(found.funds["USD"].cash) == "100.00"
    assert found.funds["EUR"] == Funds(initial=Decimal("0.005"), cash=Decimal("0.005"))


def test_what_a_symbol_is_paid_in() -> None:
    assert quote_currency("BTC-USD") == "USD"
    assert quote_currency("BTC-USD-PERP") == "USD"
    for symbol in ("BTC", "", "BTC-"):
        with pytest.raises(UnknownSymbol):
            quote_currency(symbol)
