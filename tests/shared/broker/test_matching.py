"""When an order is filled, at which price, and what it binds until then."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.broker.account import Account
from shared.broker.base import Order, OrderRequest, OrdersQuery
from shared.broker.memory_books import MemoryBooks
from shared.broker.money import PaperRules
from shared.broker.paper import PaperBroker
from shared.errors import InsufficientBalance
from tests.shared.broker.markets import BTC, ETH, FREE, MINUTE, NOON, Candle, Market, buy, candle, sell

SLIPPING = PaperRules(slippage_rate=Decimal("0.01"))


@pytest.fixture
def market() -> Market:
    market = Market(ETH_USD="10")
    market.set(BTC, "100", bid="99", ask="101")
    return market


def broker_in(market: Market, rules: PaperRules = FREE, dollars: str = "1000") -> PaperBroker:
    return PaperBroker(prices=market, books=MemoryBooks(Account.opened({"USD": Decimal(dollars)}, rules)), rules=rules)


@pytest.fixture
def broker(market: Market) -> PaperBroker:
    return broker_in(market)


def place(broker: PaperBroker, request: OrderRequest) -> Order:
    return broker.place(request, at=NOON)


def meet(broker: PaperBroker, met: Candle, at: datetime | None = None) -> list[tuple[str, Decimal]]:
    """Hands over the candle at its end; the ids of what was filled, and the prices."""
    fills = broker.on_candle(BTC, met, at=at or met.timestamp + MINUTE)
    return [(fill.order_id, fill.price) for fill in fills]


def available(broker: PaperBroker) -> Decimal:
    return broker.balances(at=NOON)[0].available


def held(broker: PaperBroker) -> Decimal:
    """In bitcoin; negative for a short."""
    signs = {"long": 1, "short": -1}
    return sum((signs[each.side] * each.quantity for each in broker.positions(at=NOON)), Decimal(0))


@pytest.mark.parametrize(
    ("request_", "price"),
    [
        (buy("1"), "102.01"),
        (sell("1"), "98.01"),
        (buy("1", "101"), "101"),
        (buy("1", "101.5"), "101.5"),
        (buy("1", "200"), "102.01"),
        (sell("1", "99"), "99"),
        (sell("1", "98.5"), "98.5"),
        (sell("1", "50"), "98.01"),
        (buy("1", "100.99"), None),
        (sell("1", "99.01"), None),
    ],
    ids=str,
)
def test_the_price_of_an_order_that_is_filled_at_once(
    market: Market, request_: OrderRequest, price: str | None
) -> None:
    placed = place(broker_in(market, SLIPPING), request_)
    assert placed.average_price == (None if price is None else Decimal(price))
    assert placed.status == ("open" if price is None else "filled")


def test_a_slipped_price_has_at_most_18_decimals_and_is_rounded_to_the_worse(market: Market) -> None:
    market.set(BTC, "0.000000000000000150")
    assert place(broker_in(market, SLIPPING), buy("1")).average_price == Decimal("0.000000000000000152")
    assert place(broker_in(market, SLIPPING), sell("1")).average_price == Decimal("0.000000000000000148")


@pytest.mark.parametrize(
    ("request_", "low", "high", "is_met"),
    [
        (buy("1", "95"), "95", "120", True),
        (buy("1", "95"), "95.01", "120", False),
        (buy("1", "95"), "90", "92", True),
        (sell("1", "105"), "90", "105", True),
        (sell("1", "105"), "90", "104.99", False),
        (sell("1", "105"), "110", "120", True),
    ],
    ids=str,
)
def test_a_candle_meets_a_limit_that_its_prices_reach(
    market: Market, request_: OrderRequest, low: str, high: str, is_met: bool
) -> None:
    broker = broker_in(market, SLIPPING)
    resting = place(broker, request_)
    assert meet(broker, candle(low, high)) == ([(resting.id, resting.price)] if is_met else [])


@pytest.mark.parametrize(
    ("opens", "handed_over", "is_met"),
    [
        (timedelta(0), MINUTE, True),
        (timedelta(seconds=30), MINUTE, True),
        (timedelta(seconds=-30), MINUTE, False),  # half of it is from before
        (timedelta(0), timedelta(0), False),  # the candle that the order was placed on, by its opening
        (-MINUTE, timedelta(0), False),  # the candle that the order was placed on, by its end
    ],
)
def test_a_candle_from_before_an_order_does_not_fill_it(
    broker: PaperBroker, opens: timedelta, handed_over: timedelta, is_met: bool
) -> None:
    place(broker, buy("1", "95"))
    met = Candle(NOON + opens, high=Decimal(100), low=Decimal(90), close=Decimal(90))
    assert bool(meet(broker, met, at=NOON + handed_over)) == is_met


def test_a_candle_fills_the_oldest_order_first(broker: PaperBroker) -> None:
    first, second = place(broker, buy("1", "90")), place(broker, buy("1", "95"))
    assert meet(broker, candle("80", "100")) == [(first.id, Decimal(90)), (second.id, Decimal(95))]


def test_fees_are_taken_of_each_fill(market: Market) -> None:
    broker = broker_in(market, PaperRules(fee_rate=Decimal("0.001")))
    assert place(broker, buy("2")).fee == Decimal("0.202")
    resting = place(broker, sell("1", "110"))
    meet(broker, candle("100", "110"))
    assert broker.order(resting.id).fee == Decimal("0.11")
    (statement,) = broker.statements(at=NOON)
    assert (statement.fees, statement.realized_pnl) == (Decimal("0.312"), Decimal(9))


class TestReducing:
    def test_it_never_flips(self, broker: PaperBroker) -> None:
        place(broker, buy("2"))
        resting = place(broker, sell("5", "110", reduces=True))
        assert meet(broker, candle("100", "110")) == [(resting.id, Decimal(110))]
        assert (broker.order(resting.id).filled_quantity, held(broker)) == (Decimal(2), Decimal(0))

    def test_it_binds_nothing_and_passes_when_nothing_is_available(self, market: Market, broker: PaperBroker) -> None:
        place(broker, sell("5"))
        market.set(BTC, "300")
        assert available(broker) == 0
        assert place(broker, buy("5", "50", reduces=True)).status == "open"
        assert place(broker, buy("5", reduces=True)).status == "filled"

    def test_what_is_left_without_a_position_is_cancelled(self, broker: PaperBroker) -> None:
        place(broker, buy("1"))
        take_profit = place(broker, sell("1", "110", reduces=True))
        plain = place(broker, sell("1", "120"))
        place(broker, sell("1", reduces=True))
        assert broker.order(take_profit.id).status == "cancelled"
        assert broker.order(plain.id).status == "open"

    def test_it_does_not_meet_a_position_of_the_other_side(self, broker: PaperBroker) -> None:
        place(broker, buy("1"))
        take_profit = place(broker, sell("1", "110", reduces=True))
        place(broker, sell("2"))
        assert held(broker) == -1
        assert broker.order(take_profit.id).status == "cancelled"

    def test_of_two_the_second_finds_nothing_left(self, broker: PaperBroker) -> None:
        place(broker, buy("1"))
        first, second = (place(broker, sell("1", price, reduces=True)) for price in ("110", "111"))
        assert meet(broker, candle("100", "120")) == [(first.id, Decimal(110))]
        assert broker.order(second.id).status == "cancelled"
        assert held(broker) == 0


class TestBinding:
    """What may be placed, with 1,000 dollars and no fee unless a test says so."""

    @pytest.mark.parametrize("side", ["buy", "sell"])
    def test_all_of_the_equity_and_not_a_cent_more(self, market: Market, side: Any) -> None:
        market.set(BTC, "100")
        request: Any = buy if side == "buy" else sell
        assert place(broker_in(market), request("10")).status == "filled"
        with pytest.raises(InsufficientBalance):
            place(broker_in(market), request("10.0001"))

    def test_the_fee_is_part_of_it(self, market: Market) -> None:
        market.set(BTC, "100")
        broker = broker_in(market, PaperRules(fee_rate=Decimal("0.001")))
        with pytest.raises(InsufficientBalance) as caught:
            place(broker, buy("10"))
        assert (caught.value.needed, caught.value.available) == ("1001.00000000", "1000.00000000")

    def test_resting_orders_bind_their_limit_and_fee(self, market: Market) -> None:
        broker = broker_in(market, PaperRules(fee_rate=Decimal("0.001")))
        place(broker, buy("2", "50"))
        place(broker, sell("1", "200"))
        assert available(broker) == Decimal("699.7")
        with pytest.raises(InsufficientBalance) as caught:
            place(broker, buy("10", "90"))
        assert (caught.value.needed, caught.value.available) == ("900.90000000", "699.70000000")

    def test_what_is_held_may_be_sold_when_nothing_is_available(self, market: Market) -> None:
        market.set(BTC, "100")
        broker = broker_in(market)
        place(broker, buy("10"))
        assert available(broker) == 0
        assert place(broker, sell("10", "120")).status == "open"
        assert available(broker) == 0
        with pytest.raises(InsufficientBalance):
            place(broker, sell("1", "120"))  # the first would sell all that there is
        assert place(broker, sell("4")).status == "filled"

    def test_a_position_may_be_turned_round(self, market: Market) -> None:
        market.set(BTC, "100")
        broker = broker_in(market)
        place(broker, buy("10"))
        place(broker, sell("20"))
        assert (held(broker), available(broker)) == (Decimal(-10), Decimal(0))
        with pytest.raises(InsufficientBalance):
            place(broker, buy("20.1"))
        place(broker, buy("20"))
        assert held(broker) == 10

    def test_a_short_that_loses_takes_from_what_is_available(self, market: Market) -> None:
        broker = broker_in(market)
        place(broker, sell("20", symbol=ETH))
        assert available(broker) == 800
        market.set(ETH, "40")  # 600 dollars are left, and 800 are owed
        assert available(broker) == 0
        with pytest.raises(InsufficientBalance) as caught:
            place(broker, buy("0.1"))
        assert (caught.value.needed, caught.value.available) == ("10.10000000", "0.00000000")

    def test_a_resting_order_that_can_t_be_afforded_any_more_is_cancelled(self, market: Market) -> None:
        broker = broker_in(market)
        resting = place(broker, buy("5", "90"))
        place(broker, sell("20", symbol=ETH))
        market.set(ETH, "40")
        assert meet(broker, candle("80", "100")) == []
        (order,) = broker.orders(OrdersQuery(symbol=BTC))
        assert (order.id, order.status, order.updated_at) == (resting.id, "cancelled", NOON + 2 * MINUTE)

    def test_prices_are_asked_for_what_is_judged_by_them(self, market: Market, broker: PaperBroker) -> None:
        place(broker, buy("1", symbol=ETH))
        place(broker, buy("1", "90"))
        market.asked.clear()
        meet(broker, candle("91", "100"))
        meet(broker, candle("90", "100"))
        assert market.asked == []
        place(broker, sell("1"))
        assert market.asked == [(BTC, NOON)]
