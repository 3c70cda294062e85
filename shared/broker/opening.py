"""How an entry point comes to its broker: made from the settings."""

from shared.broker.account import Account
from shared.broker.base import PriceSource
from shared.broker.books import Books
from shared.broker.memory_books import MemoryBooks
from shared.broker.money import PaperRules
from shared.broker.paper import PaperBroker
from shared.broker.sqlite_books import SQLiteBooks
from shared.settings import BrokerSettings, Settings


def open_broker(settings: Settings, prices: PriceSource) -> PaperBroker:
    """A broker in the store's own file, which holds nothing open before its first use: a process may still fork."""
    store = settings.store
    books = SQLiteBooks(
        store.path,
        new_account(settings.broker),
        busy_timeout_seconds=store.busy_timeout_seconds,
        max_waiting_writes=store.max_waiting_writes,
    )
    return _broker(settings.broker, prices, books)


def broker_in_memory(settings: BrokerSettings, prices: PriceSource) -> PaperBroker:
    """A broker whose account ends with the process, such as a backtest's."""
    return _broker(settings, prices, MemoryBooks(new_account(settings)))


def new_account(settings: BrokerSettings) -> Account:
    return Account.opened(settings.balances, rules_of(settings))


def rules_of(settings: BrokerSettings) -> PaperRules:
    return PaperRules(fee_rate=settings.fee_rate, slippage_rate=settings.slippage_rate, quanta=settings.quanta)


def _broker(settings: BrokerSettings, prices: PriceSource, books: Books) -> PaperBroker:
    return PaperBroker(prices=prices, books=books, rules=rules_of(settings))
