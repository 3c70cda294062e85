"""The paper broker beside the slow model: the same orders, the same candles, the same money to the last digit."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.broker.account import Account
from shared.broker.base import OrderRequest, OrdersQuery
from shared.broker.memory_books import MemoryBooks
from shared.broker.money import PaperRules
from shared.broker.paper import PaperBroker
from shared.errors import ClientOrderIdReused, InsufficientBalance, NothingToReduce, OrderClosed
from tests.shared.broker.markets import MINUTE, NOON, Candle, Market
from tests.shared.broker.model import Model

SYMBOLS = ("BTC-USD", "ETH-USD", "BTC-EUR")
BALANCES = {"USD": Decimal(1000), "EUR": Decimal("50.05")}
REFUSALS = (ClientOrderIdReused, InsufficientBalance, NothingToReduce)

symbols = st.sampled_from(SYMBOLS)
sides: Any = st.sampled_from(["buy", "sell"])
quantities = st.one_of(
    st.integers(1, 12).map(Decimal),
    st.decimals("0.001", "9", places=3),
    st.decimals("0.000000000000000001", "5", places=18),
)
prices = st.one_of(
    st.sampled_from([Decimal(90), Decimal(100), Decimal(110)]),
    st.decimals("50", "200", places=2),
    st.decimals("0.000000000000000001", "300", places=18),
)


class Beside(RuleBasedStateMachine):
    """The broker and the model, in a market that moves. Each refusal must be the model's too."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOON
        self.market = Market(BTC_USD="100", ETH_USD="100", BTC_EUR="100")
        self.placed: list[OrderRequest] = []

    @initialize(
        quantum=st.sampled_from(["0.00000001", "0.01", "1"]),
        fee_rate=st.sampled_from(["0", "0.001", "0.1"]),
        slippage_rate=st.sampled_from(["0", "0.0005"]),
    )
    def opened(self, quantum: str, fee_rate: str, slippage_rate: str) -> None:
        rules = PaperRules(
            fee_rate=Decimal(fee_rate),
            slippage_rate=Decimal(slippage_rate),
            quanta={"USD": Decimal(quantum), "EUR": Decimal(quantum)},
        )
        books = MemoryBooks(Account.opened(BALANCES, rules))
        self.broker = PaperBroker(prices=self.market, books=books, rules=rules)
        self.model = Model(BALANCES, Fraction(quantum), Fraction(fee_rate), Fraction(slippage_rate))

    @rule(symbol=symbols, last=prices, spread=st.sampled_from(["0", "0.5"]))
    def market_moves(self, symbol: str, last: Decimal, spread: str) -> None:
        ask = last + Decimal(spread)
        self.market.set(symbol, str(last), ask=str(ask))

    @rule(symbol=symbols, side=sides, quantity=quantities, price=st.none() | prices, reduces=st.booleans())
    def place(self, symbol: str, side: Any, quantity: Decimal, price: Decimal | None, reduces: bool) -> None:
        self._place(
            OrderRequest(
                client_order_id=f"c-{len(self.placed)}",
                symbol=symbol,
                side=side,
                type="market" if price is None else "limit",
                quantity=quantity,
                price=price,
                reduces=reduces,
            )
        )

    @rule(number=st.integers(0, 50), side=sides)
    def place_again(self, number: int, side: Any) -> None:
        if self.placed:
            known = self.placed[number % len(self.placed)]
            self._place(
                OrderRequest(
                    client_order_id=known.client_order_id,
                    symbol=known.symbol,
                    side=side,
                    type=known.type,
                    quantity=known.quantity,
                    price=known.price,
                    reduces=known.reduces,
                )
            )

    @rule(symbol=symbols)
    def close_position(self, symbol: str) -> None:
        held = self.model.held(symbol)
        if held:
            self.place(symbol, "sell" if held > 0 else "buy", Decimal(10**6), None, reduces=True)

    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        if self.model.orders:
            order = self.model.orders[number % len(self.model.orders)]
            found = self.broker.order_by_client_id(order.request.client_order_id)
            assert found is not None
            try:
                self.broker.cancel(found.id, at=self.at)
            except OrderClosed:
                assert order.status in ("filled", "cancelled")
            else:
                assert order.status == "open"
                order.status = "cancelled"

    @rule(symbol=symbols, first=prices, second=prices, opened=st.sampled_from([-1, 0, 1]))
    def candle(self, symbol: str, first: Decimal, second: Decimal, opened: int) -> None:
        met = Candle(
            self.at + opened * timedelta(seconds=30), high=max(first, second), low=min(first, second), close=second
        )
        self.at += MINUTE
        fills = self.broker.on_candle(symbol, met, at=self.at)
        assert [fill.client_order_id for fill in fills] == self.model.candle(symbol, met, self.market.quotes, self.at)

    @invariant()
    def the_books_are_the_models(self) -> None:
        books, held = self.model.books()
        marks = {symbol: Fraction(quote.last) for symbol, quote in self.market.quotes.items()}
        for statement in self.broker.statements(at=self.at):
            book = books[statement.currency]
            initial, cash, worth, realized, unrealized, fees = map(Fraction, statement[1:])
            assert (cash, realized, fees) == (book.cash, book.realized, book.fees)
            assert cash + worth == initial + realized + unrealized - fees
        for balance in self.broker.balances(at=self.at):
            worths = [self.model.worth(name, marks[name]) for name in held if name.endswith(balance.currency)]
            assert Fraction(balance.total) == books[balance.currency].cash + sum(worths)
            assert Fraction(balance.available) == max(0, self.model.available(balance.currency, marks))
        positions = {position.symbol: position for position in self.broker.positions(at=self.at)}
        assert positions.keys() == held.keys()
        for symbol, (quantity, cost) in held.items():
            position = positions[symbol]
            assert position.side == ("long" if quantity > 0 else "short")
            assert Fraction(position.quantity) == abs(quantity)
            assert Fraction(position.unrealized_pnl) == self.model.worth(symbol, marks[symbol]) - cost
            assert abs(Fraction(position.entry_price) - cost / quantity) <= Fraction(1, 2 * 10**8)

    @invariant()
    def the_orders_are_the_models(self) -> None:
        found = self.broker.orders(OrdersQuery(limit=500))
        assert len(found) == len(self.model.orders)
        for order, expected in zip(reversed(found), self.model.orders, strict=True):
            assert (order.request(), order.status) == (expected.request, expected.status)
            fill = expected.fill
            assert (order.average_price is None) == (fill is None)
            told = (order.filled_quantity, order.average_price or Decimal(0), order.fee, order.realized_pnl)
            known = (abs(fill.bought), fill.price, fill.fee, fill.realized) if fill else (0, 0, 0, 0)
            assert tuple(map(Fraction, told)) == known

    def _place(self, request: OrderRequest) -> None:
        try:
            answer: Any = self.broker.place(request, at=self.at).client_order_id
        except REFUSALS as refusal:
            answer = type(refusal).__name__
        expected = self.model.place(request, self.market.quotes, self.at)
        assert answer == (expected if isinstance(expected, str) else expected.request.client_order_id)
        if not isinstance(expected, str) and request not in self.placed:
            self.placed.append(request)


TestBeside = Beside.TestCase
TestBeside.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
