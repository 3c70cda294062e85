"""What becomes of orders: placed, cancelled, or met by a candle. Pure: an account comes in, a changed one goes out.

- A market order is filled at once: a purchase at the ask, a sale at the bid, each worse by the slippage.
- A limit order that the quote meets is filled at once too, in the same way, but never worse than its limit. Any other
  rests, and binds what it may take.
- A candle fills a resting order at its limit, without slippage, when the candle's low is at or below a purchase's
  limit, or its high at or above a sale's; the oldest order first. A candle that opened before an order was placed
  doesn't fill it, nor does one that is handed over at the instant at which it was placed, or before: its prices may be
  older than the order.
- An order is filled whole, or, when it only reduces, with what there is to reduce. When nothing is left for it to
  reduce, it is cancelled; so it never meets a later position.
- A resting order that the account can't afford any more when a candle meets it is cancelled.
- A refused order raises and leaves nothing: no order of a paper broker is `rejected`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from shared.broker.account import Account, bound_by, quote_currency
from shared.broker.base import CandleLike, Fill, Order, OrderRequest, Quote
from shared.broker.money import EXACT, PaperRules, slipped_down, slipped_up
from shared.errors import InsufficientBalance, NothingToReduce, OrderClosed, TooManyOpenOrders
from shared.wire_fields import plain_decimal

MAX_OPEN_ORDERS = 200
"""How many orders of an account may rest at once; each change reads them all."""


class Change(NamedTuple):
    """The account after a step, the orders that are new or changed, and what was traded, each as it happened."""

    account: Account
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()


def place(
    account: Account,
    request: OrderRequest,
    *,
    order_id: str,
    quotes: Mapping[str, Quote],
    at: datetime,
    rules: PaperRules,
) -> Change:
    """A new order; it is the first of the change's. Needs quotes for its symbol and for the shorts of its currency.

    Raises UnknownSymbol, NothingToReduce, TooManyOpenOrders and InsufficientBalance.
    """
    currency = quote_currency(request.symbol)
    if request.reduces and not account.reducible(request.symbol, request.side):
        raise NothingToReduce(request.symbol, request.side)
    order = Order(
        id=order_id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        quantity=request.quantity,
        price=request.price,
        reduces=request.reduces,
        status="open",
        created_at=at,
        updated_at=at,
    )
    placed = replace(account, orders_placed=account.orders_placed + 1)
    marks = {symbol: quote.last for symbol, quote in quotes.items()}
    price = _price_at_once(request, quotes[request.symbol], rules)
    if price is not None:
        marks[request.symbol] = price
        change, bound = _filled(placed, order, price=price, at=at, rules=rules)
    else:
        if len(account.open_orders) >= MAX_OPEN_ORDERS:
            raise TooManyOpenOrders(MAX_OPEN_ORDERS)
        rests = replace(placed, open_orders=(*placed.open_orders, order))
        change, bound = Change(rests, (order,)), rests.reserved_for(order, rules)
    if bound:
        left = change.account.available(currency, marks, rules)
        if left < 0:
            available = max(0 * bound, EXACT.add(left, bound))
            raise InsufficientBalance(currency, plain_decimal(bound), plain_decimal(available))
    return change


def cancel(account: Account, order: Order, *, at: datetime) -> Change:
    """Raises OrderClosed."""
    if order.status != "open":
        raise OrderClosed(order.id, order.status)
    return Change(account.without(order), (replace(order, status="cancelled", updated_at=at),))


def met_orders(account: Account, symbol: str, candle: CandleLike, *, at: datetime) -> Sequence[Order]:
    """The resting orders that the candle fills if nothing comes in between, oldest first."""
    if not account.open_orders:
        return ()
    return [
        order
        for order in account.open_orders
        if order.symbol == symbol
        and order.price is not None
        and (candle.low <= order.price if order.side == "buy" else candle.high >= order.price)
        and order.created_at <= candle.timestamp
        and order.created_at < at
    ]


def meet(
    account: Account,
    symbol: str,
    candle: CandleLike,
    *,
    marks: Mapping[str, Decimal],
    at: datetime,
    rules: PaperRules,
) -> Change:
    """What the candle does to the orders that it meets. Needs marks for the other shorts of the symbol's currency."""
    orders: list[Order] = []
    fills: list[Fill] = []
    for order in met_orders(account, symbol, candle, at=at):
        if order.price is None or order not in account.open_orders:
            continue  # cancelled by what came before it
        change, bound = _filled(account.without(order), order, price=order.price, at=at, rules=rules)
        marked = {**marks, symbol: order.price}
        if bound and change.account.available(quote_currency(symbol), marked, rules) < 0:
            change = cancel(account, order, at=at)
        account = change.account
        orders += change.orders
        fills += change.fills
    return Change(account, tuple(orders), tuple(fills))


def _price_at_once(request: OrderRequest, quote: Quote, rules: PaperRules) -> Decimal | None:
    """The price at which the order is filled as soon as it is placed; None for one that rests."""
    limit = request.price
    if request.side == "buy":
        price = slipped_up(quote.ask, rules.slippage_rate)
        if limit is None:
            return price
        return min(limit, price) if quote.ask <= limit else None
    price = slipped_down(quote.bid, rules.slippage_rate)
    if limit is None:
        return price
    return max(limit, price) if quote.bid >= limit else None


def _filled(
    account: Account, order: Order, *, price: Decimal, at: datetime, rules: PaperRules
) -> tuple[Change, Decimal]:
    """The order filled, on an account in which it isn't open; and what its opening part binds, 0 for none."""
    quantity = order.quantity
    if order.reduces:
        quantity = min(quantity, account.reducible(order.symbol, order.side))
    account, traded = account.traded(order.symbol, order.side, quantity=quantity, price=price, rules=rules)
    filled = replace(
        order,
        status="filled",
        filled_quantity=quantity,
        average_price=price,
        fee=traded.fee,
        realized_pnl=traded.realized_pnl,
        updated_at=at,
    )
    fill = Fill(
        order_id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        fee=traded.fee,
        realized_pnl=traded.realized_pnl,
        reduces=order.reduces,
        filled_at=at,
    )
    orders = [filled]
    for each in account.open_orders:
        if each.reduces and each.symbol == order.symbol and not account.reducible(each.symbol, each.side):
            account, (cancelled,), _ = cancel(account, each, at=at)
            orders.append(cancelled)
    bound = bound_by(order.symbol, order.side, traded.opened, price, rules)
    return Change(account, tuple(orders), (fill,)), bound
