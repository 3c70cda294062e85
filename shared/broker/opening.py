"""How an entry point comes to its broker: made from the settings."""

from shared.broker.account import Account
from shared.broker.base import PriceSource
from shared.broker.books import Books
from shared.broker.exchange import ExchangeBroker
from shared.broker.memory_books import MemoryBooks
from shared.broker.money import PaperRules
from shared.broker.paper import PaperBroker
from shared.broker.sqlite_books import SQLiteBooks
from shared.errors import InvalidField, SettingsError
from shared.exchange_client import ExchangeClient
from shared.settings import BrokerSettings, Settings

_HELD_TO_ITS_FAULTS = ("binance",)
"""The exchanges whose ways with orders the broker knows: client order ids, what an error means, fills."""


def open_broker(
    settings: Settings, prices: PriceSource, client: ExchangeClient | None = None
) -> PaperBroker | ExchangeBroker:
    """The broker that the settings say. It holds nothing open before its first use: a process may still fork.

    A paper broker lies in the store's own file. `client` is that of the exchange, where the market has it already; one
    process needs one. Raises SettingsError.
    """
    if settings.broker.kind == "exchange":
        _check_exchange(settings)
        client = ExchangeClient(settings.exchange) if client is None else client
        return ExchangeBroker(client, settings.broker.symbols)
    store = settings.store
    books = SQLiteBooks(
        store.path,
        new_account(settings.broker),
        busy_timeout_seconds=store.busy_timeout_seconds,
        max_waiting_writes=store.max_waiting_writes,
    )
    return _paper(settings.broker, prices, books)


def broker_in_memory(settings: BrokerSettings, prices: PriceSource) -> PaperBroker:
    """A paper broker whose account ends with the process, such as a backtest's."""
    return _paper(settings, prices, MemoryBooks(new_account(settings)))


def new_account(settings: BrokerSettings) -> Account:
    return Account.opened(settings.balances, rules_of(settings))


def rules_of(settings: BrokerSettings) -> PaperRules:
    return PaperRules(fee_rate=settings.fee_rate, slippage_rate=settings.slippage_rate, quanta=settings.quanta)


def _paper(settings: BrokerSettings, prices: PriceSource, books: Books) -> PaperBroker:
    return PaperBroker(prices=prices, books=books, rules=rules_of(settings))


def _check_exchange(settings: Settings) -> None:
    """Real orders, from whatever prices they are decided on, are asked for in so many words."""
    chosen, exchange = settings.broker, settings.exchange
    for key, value, wrong, rule in (
        (
            "exchange.name",
            exchange.name,
            exchange.name not in _HELD_TO_ITS_FAULTS,
            f"an exchange that takes orders here: {', '.join(_HELD_TO_ITS_FAULTS)}",
        ),
        ("broker.symbols", chosen.symbols, not chosen.symbols, 'a list of symbols, which broker.kind "exchange" needs'),
        (
            "market.kind",
            settings.market.kind,
            settings.market.kind != "exchange",
            '"exchange", from which a broker of kind "exchange" takes its prices',
        ),
        (
            "broker.live",
            chosen.live,
            not (chosen.live or exchange.sandbox),
            "true, which trading with real money needs (exchange.sandbox is false)",
        ),
    ):
        if wrong:
            raise SettingsError(str(InvalidField(key, value, rule)))
    if exchange.api_key is None or exchange.api_secret is None:
        raise SettingsError(
            'broker.kind "exchange" needs keys: TRADEWINDOW_EXCHANGE__API_KEY and TRADEWINDOW_EXCHANGE__API_SECRET'
        )
