"""Orders."""

from shared.errors._sentences import cut, shown
from shared.errors.base import TradingWindowError


class UnknownOrder(TradingWindowError):
    """The broker was never given an order of this id."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(f"no order is named {cut(order_id)!r}")


class OrderClosed(TradingWindowError):
    """An order that was to be cancelled has its end already; `status` is that end."""

    def __init__(self, order_id: str, status: str) -> None:
        self.order_id = order_id
        self.status = status
        super().__init__(f"order {cut(order_id)!r} is {status}, and can't be cancelled any more")


class InsufficientBalance(TradingWindowError):
    """An order that needs more of a currency than is available. Both amounts are plain decimal strings."""

    def __init__(self, currency: str, needed: str, available: str) -> None:
        self.currency = currency
        self.needed = needed
        self.available = available
        super().__init__(f"the order needs {needed} {currency}, and {available} {currency} are available")


class NothingToReduce(TradingWindowError):
    """An order that may only reduce a position, where there is none that its side reduces."""

    def __init__(self, symbol: str, side: str) -> None:
        self.symbol = symbol
        self.side = side
        super().__init__(f"no position in {cut(symbol)!r} is reduced by an order to {side}")


class TooManyOpenOrders(TradingWindowError):
    """The broker keeps no more orders open than `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"{limit} orders are open, as many as may")


class OrderOnItsWay(TradingWindowError):
    """An order that was sent under this client order id, and nobody knows yet what came of it."""

    def __init__(self, client_order_id: str) -> None:
        self.client_order_id = client_order_id
        super().__init__("an order with this key is on its way, and what comes of it isn't known yet")


class ClientOrderIdReused(TradingWindowError):
    """A client order id under which another order was placed."""

    def __init__(self, client_order_id: str) -> None:
        self.client_order_id = client_order_id
        super().__init__(f"client_order_id: {cut(shown(client_order_id))} was used for another order")
