"""A broker at the fake exchange, for the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from shared.broker.exchange import ExchangeBroker
from shared.exchange_client import ExchangeClient
from shared.settings import ExchangeSettings
from tests.fakes.exchange import Request, serving
from tests.fakes.trading import TradingExchange
from tests.shared.market.recorded import BEGIN, CANDLES

AT = BEGIN + timedelta(hours=5, seconds=34)
"""By then the last price is 1301, bid 1300.95 and ask 1301.05; the next 0.05 are as large a part of the book."""

ORDER, TRADES = "/api/v3/order", "/api/v3/myTrades"
SYMBOLS = ("BTC-USD", "ETH-USD")


Served = tuple[TradingExchange, ExchangeClient]


@contextmanager
def trading(**balances: str) -> Iterator[TradingExchange]:
    """The exchange, with 1,000,000 dollars in the account unless told otherwise."""
    with serving(TradingExchange(CANDLES, AT, **(balances or {"USD": "1000000"}))) as exchange:
        yield exchange


@contextmanager
def broker_at(exchange: TradingExchange, *, settle_seconds: float = 10.0, **changed: Any) -> Iterator[ExchangeBroker]:
    with client_of(exchange, **changed) as client:
        yield ExchangeBroker(client, SYMBOLS, settle_seconds=settle_seconds)


@contextmanager
def client_of(exchange: TradingExchange, **changed: Any) -> Iterator[ExchangeClient]:
    """Without the pauses that ccxt makes for the exchange's rate limits."""
    settings: dict[str, Any] = {
        "url": exchange.url,
        "api_key": "key",
        "api_secret": "secret",
        "retry_wait_seconds": 0.01,
        **changed,
    }
    client = ExchangeClient(ExchangeSettings(**settings))

    async def hurry(ccxt: Any) -> None:
        ccxt.enableRateLimit = False

    client.read(hurry)
    try:
        yield client
    finally:
        client.close()


def another(served: Served, **options: Any) -> ExchangeBroker:
    """As of another process, or of this one after a restart."""
    return ExchangeBroker(served[1], SYMBOLS, **options)


def sent(exchange: TradingExchange) -> list[Request]:
    """The orders that came."""
    return [request for request in exchange.asked(ORDER) if request.method == "POST"]
