"""The trading half of the fake exchange: one spot account, its orders and its trades, in Binance's words.

Commission is a thousandth of what is got. Orders and trades are numbered for each symbol by itself, as Binance does it.
Each order comes a millisecond after the one before.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.candle import Candle
from tests.fakes.exchange import HANDLERS, FakeExchange, Refusal, Request, milliseconds, symbol_of

STEP, TICK, LEAST, LEAST_WORTH = Decimal("0.00001"), Decimal("0.01"), Decimal("0.00001"), Decimal(5)
_EIGHT = Decimal("0.00000001")


@dataclass
class Trade:
    id: int
    order_id: int
    side: str
    price: Decimal
    quantity: Decimal

    @property
    def commission(self) -> Decimal:
        got = self.quantity if self.side == "BUY" else self.quantity * self.price
        return (got / 1000).quantize(_EIGHT)


@dataclass
class Placed:
    id: int
    symbol: str
    client_id: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal
    labels: Mapping[str, int]
    at: int
    status: str = "NEW"
    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    trades: list[Trade] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.status in ("NEW", "PARTIALLY_FILLED")


class TradingExchange(FakeExchange):
    """`drops_after_seconds` is Binance's recvWindow, as the exchange keeps it. A report of trades has each of them
    `reported_times`, without the newest `reported_late` ones."""

    def __init__(self, candles: Sequence[Candle], now: datetime, **balances: str) -> None:
        super().__init__(candles, now)
        self.begin_anew(**balances)

    def begin_anew(self, **balances: str) -> None:
        """With another account, and without faults."""
        self.recover()
        self.orders: defaultdict[str, list[Placed]] = defaultdict(list)
        self.trades: defaultdict[str, list[Trade]] = defaultdict(list)
        self.free: defaultdict[str, Decimal] = defaultdict(
            Decimal, {asset: Decimal(amount) for asset, amount in balances.items()}
        )
        self.locked: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.drops_after_seconds = 5.0
        self.reported_times = 1
        self.reported_late = 0

    def placed(self, client_id: str | None = None) -> list[Placed]:
        """The orders that were taken, all of them or those of one name."""
        with self._lock:
            found = [order for orders in self.orders.values() for order in orders]
        return found if client_id is None else [order for order in found if order.client_id == client_id]

    def meet(self, order: Placed, quantity: Decimal) -> None:
        """Somebody trades this much with an order that rests."""
        with self._lock:
            if order.open:
                self._trade(order, min(quantity, order.quantity - order.filled), order.price)

    def take(self, request: Request) -> Placed:
        symbol, side = symbol_of(request), request.fields["side"]
        self._drop_old(request)
        client_id = request.fields["newClientOrderId"]
        if any(order.open and order.client_id == client_id for order in self.orders[symbol]):
            raise Refusal(400, -2010, "Duplicate order sent.")
        last = self.opened()[-1].close
        offset = Decimal("0.05") if side == "BUY" else Decimal("-0.05")
        quantity, price = Decimal(request.fields["quantity"]), Decimal(request.fields.get("price", "0"))
        if quantity % STEP or price % TICK or quantity < LEAST:
            raise Refusal(400, -1013, "Filter failure: LOT_SIZE")
        if quantity * (price or last) < LEAST_WORTH:
            raise Refusal(400, -1013, "Filter failure: NOTIONAL")
        order = Placed(
            id=len(self.orders[symbol]) + 1,
            symbol=symbol,
            client_id=client_id,
            side=side,
            type=request.fields["type"],
            quantity=quantity,
            price=price,
            labels={
                name: int(request.fields[name]) for name in ("strategyId", "strategyType") if name in request.fields
            },
            at=milliseconds(self.now) + sum(map(len, self.orders.values())),
        )
        at_once = order.type == "MARKET" or (price >= last + offset if side == "BUY" else price <= last + offset)
        worst = last + 2 * offset if at_once else price
        asset, needed = (symbol[3:], quantity * worst) if side == "BUY" else (symbol[:3], quantity)
        if self.free[asset] < needed:
            raise Refusal(400, -2010, "Account has insufficient balance for requested action.")
        self.orders[symbol].append(order)
        self.free[asset] -= needed
        self.locked[asset] += needed
        if at_once:
            part = (quantity / 2).quantize(STEP)
            for quantity_at, at in ((part, last + offset), (quantity - part, worst)):
                self._trade(order, quantity_at, at)
            self._unlock(order, needed - (order.cost if side == "BUY" else order.filled))
        return order

    def cancel(self, order: Placed) -> None:
        if not order.open:
            raise Refusal(400, -2011, "Unknown order sent.")
        order.status = "CANCELED"
        rest = order.quantity - order.filled
        self._unlock(order, rest * order.price if order.side == "BUY" else rest)

    def find(self, request: Request) -> Placed:
        """The newest one of a name, as Binance answers."""
        for order in reversed(self.orders[symbol_of(request)]):
            if request.fields.get("orderId") == str(order.id):
                return order
            if request.fields.get("origClientOrderId") == order.client_id:
                return order
        raise Refusal(400, -2013, "Order does not exist.")

    def _drop_old(self, request: Request) -> None:
        age = time.time() - int(request.fields["timestamp"]) / 1_000
        if age > min(self.drops_after_seconds, int(request.fields["recvWindow"]) / 1_000):
            raise Refusal(400, -1021, "Timestamp for this request is outside of the recvWindow.")

    def _trade(self, order: Placed, quantity: Decimal, price: Decimal) -> None:
        if not quantity:
            return
        trade = Trade(len(self.trades[order.symbol]) + 1, order.id, order.side, price, quantity)
        self.trades[order.symbol].append(trade)
        order.trades.append(trade)
        order.filled += quantity
        order.cost += quantity * price
        order.status = "FILLED" if order.filled == order.quantity else "PARTIALLY_FILLED"
        base, quote = order.symbol[:3], order.symbol[3:]
        if order.side == "BUY":
            self.locked[quote] -= quantity * price
            self.free[base] += quantity - trade.commission
        else:
            self.locked[base] -= quantity
            self.free[quote] += quantity * price - trade.commission

    def _unlock(self, order: Placed, amount: Decimal) -> None:
        asset = order.symbol[3:] if order.side == "BUY" else order.symbol[:3]
        self.locked[asset] -= amount
        self.free[asset] += amount


def _told(order: Placed) -> dict[str, Any]:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": f"{order.price:.8f}",
        "origQty": f"{order.quantity:.8f}",
        "executedQty": f"{order.filled:.8f}",
        "cummulativeQuoteQty": f"{order.cost:.8f}",
        "status": order.status,
        "timeInForce": "GTC",
        "type": order.type,
        "side": order.side,
        "time": order.at,
        "updateTime": order.at,
        **order.labels,
    }


def _answered(order: Placed) -> dict[str, Any]:
    """The answer to a change, which has but one instant."""
    told = _told(order)
    del told["time"]
    return {**told, "transactTime": told.pop("updateTime")}


def _place(exchange: FakeExchange, request: Request) -> Any:
    trading = _trading(exchange)
    order = trading.take(request)
    fills = [
        {
            "price": f"{trade.price:.8f}",
            "qty": f"{trade.quantity:.8f}",
            "commission": f"{trade.commission:.8f}",
            "commissionAsset": _paid_in(trade, order.symbol),
            "tradeId": trade.id,
        }
        for trade in order.trades
    ]
    return {**_answered(order), "fills": fills}


def _cancel(exchange: FakeExchange, request: Request) -> Any:
    trading = _trading(exchange)
    try:
        order = trading.find(request)
    except Refusal:
        raise Refusal(400, -2011, "Unknown order sent.") from None
    trading.cancel(order)
    return {**_answered(order), "origClientOrderId": order.client_id, "clientOrderId": f"cancel-{order.id}"}


def _order(exchange: FakeExchange, request: Request) -> Any:
    return _told(_trading(exchange).find(request))


def _open_orders(exchange: FakeExchange, request: Request) -> Any:
    trading = _trading(exchange)
    return [_told(order) for order in trading.orders[symbol_of(request)] if order.open]


def _all_orders(exchange: FakeExchange, request: Request) -> Any:
    trading = _trading(exchange)
    limit = int(request.fields.get("limit", "500"))
    return [_told(order) for order in trading.orders[symbol_of(request)][-limit:]]


def _my_trades(exchange: FakeExchange, request: Request) -> Any:
    trading, symbol = _trading(exchange), symbol_of(request)
    known = trading.trades[symbol][: len(trading.trades[symbol]) - trading.reported_late]
    rows = [
        {
            "symbol": symbol,
            "id": trade.id,
            "orderId": trade.order_id,
            "price": f"{trade.price:.8f}",
            "qty": f"{trade.quantity:.8f}",
            "quoteQty": f"{trade.price * trade.quantity:.8f}",
            "commission": f"{trade.commission:.8f}",
            "commissionAsset": _paid_in(trade, symbol),
            "time": milliseconds(trading.now),
            "isBuyer": trade.side == "BUY",
            "isMaker": False,
            "isBestMatch": True,
        }
        for trade in known
        if trade.id >= int(request.fields.get("fromId", "0"))
        for _ in range(trading.reported_times)
    ]
    return rows[: int(request.fields.get("limit", "500"))]


def _account(exchange: FakeExchange, _request: Request) -> Any:
    trading = _trading(exchange)
    assets: Iterable[str] = sorted({*trading.free, *trading.locked, "DOGE"})
    return {
        "accountType": "SPOT",
        "canTrade": True,
        "updateTime": milliseconds(trading.now),
        "balances": [
            {"asset": asset, "free": f"{trading.free[asset]:.8f}", "locked": f"{trading.locked[asset]:.8f}"}
            for asset in assets
        ],
    }


def _paid_in(trade: Trade, symbol: str) -> str:
    return symbol[:3] if trade.side == "BUY" else symbol[3:]


def _trading(exchange: FakeExchange) -> TradingExchange:
    assert isinstance(exchange, TradingExchange)
    return exchange


HANDLERS.update(
    {
        ("POST", "/api/v3/order"): _place,
        ("DELETE", "/api/v3/order"): _cancel,
        ("GET", "/api/v3/order"): _order,
        ("GET", "/api/v3/openOrders"): _open_orders,
        ("GET", "/api/v3/allOrders"): _all_orders,
        ("GET", "/api/v3/myTrades"): _my_trades,
        ("GET", "/api/v3/account"): _account,
    }
)
