"""A broker on a file, for the tests and for the processes that they start; light to import."""

from decimal import Decimal
from pathlib import Path

from shared.broker.account import Account
from shared.broker.money import PaperRules
from shared.broker.paper import PaperBroker
from shared.broker.sqlite_books import SQLiteBooks
from tests.shared.broker.markets import Market

RULES = PaperRules(fee_rate=Decimal("0.001"))


def broker_on(path: Path, *, account_id: str = "default", busy_timeout_seconds: float = 20.0) -> PaperBroker:
    """One with 2,002 dollars, in a market in which a bitcoin costs 100 of them."""
    account = Account.opened({"USD": Decimal(2002)}, RULES)
    books = SQLiteBooks(path, account, account_id=account_id, busy_timeout_seconds=busy_timeout_seconds)
    return PaperBroker(prices=Market(BTC_USD="100"), books=books, rules=RULES)
