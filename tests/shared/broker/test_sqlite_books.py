"""What holds of the SQLite books beyond the contract: several processes, a kill, what is written and what is read."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from shared.broker.account import Account
from shared.broker.base import OrdersQuery
from shared.broker.paper import PaperBroker
from shared.broker.sqlite_books import SQLiteBooks
from shared.errors import StoreUnavailable
from tests.shared.broker.durable import RULES, broker_on
from tests.shared.broker.markets import BTC, MINUTE, NOON, buy, candle, sell

DEADLINE_SECONDS = 60.0
EVERYTHING = OrdersQuery(limit=10_000)


@pytest.fixture
def broker(state_file: Path) -> Iterator[PaperBroker]:
    with closing(broker_on(state_file)) as broker:
        yield broker


@contextmanager
def running(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The script in a fresh interpreter; it is killed at the end if it still runs."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_books_add_up(broker: PaperBroker) -> None:
    """The account's money is what its orders say that it must be."""
    orders = broker.orders(EVERYTHING)
    assert [order.id for order in reversed(orders)] == [f"paper-{number}" for number in range(1, len(orders) + 1)]
    assert len({order.client_order_id for order in orders}) == len(orders)
    (statement,) = broker.statements(at=NOON)
    filled = [order for order in orders if order.average_price is not None]
    signs = {"buy": -1, "sell": 1}
    paid = sum(signs[order.side] * order.filled_quantity * (order.average_price or 0) - order.fee for order in filled)
    assert statement.cash == 2002 + paid
    assert statement.fees == sum(order.fee for order in orders)
    assert statement.realized_pnl == sum(order.realized_pnl for order in orders)
    assert (
        statement.cash + statement.worth
        == statement.initial + statement.realized_pnl + statement.unrealized_pnl - statement.fees
    )


PLACING = """
import sys
from pathlib import Path
from shared.errors import InsufficientBalance
from tests.shared.broker.markets import NOON, buy
from tests.shared.broker.durable import broker_on

broker = broker_on(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
placed = []
for name in sys.argv[2:]:
    try:
        placed.append(broker.place(buy("1", client_order_id=name), at=NOON).client_order_id)
    except InsufficientBalance:
        pass
print(*placed, flush=True)
"""


def test_two_processes_place_at_once_what_there_is_money_for(state_file: Path, broker: PaperBroker) -> None:
    # Each bitcoin costs 100.10 dollars, so 20 can be bought; half of the names are placed by both.
    names = [[f"both-{number}" if number % 2 else f"{who}-{number}" for number in range(30)] for who in ("a", "b")]
    with running(PLACING, state_file, *names[0]) as first, running(PLACING, state_file, *names[1]) as second:
        for process in (first, second):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        answers = [process.communicate("go\n", timeout=DEADLINE_SECONDS)[0].split() for process in (first, second)]
        assert [first.returncode, second.returncode] == [0, 0]
    orders = broker.orders(EVERYTHING)
    assert len(orders) == 20
    assert {order.client_order_id for order in orders} == {*answers[0], *answers[1]}
    assert broker.balances(at=NOON)[0].available == 0
    assert_books_add_up(broker)


TRADING = """
import sys
from itertools import count
from pathlib import Path
from tests.shared.broker.markets import BTC, MINUTE, NOON, buy, candle, sell
from tests.shared.broker.durable import broker_on

broker = broker_on(Path(sys.argv[1]))
for number in count(int(sys.argv[2])):
    minute = 2 * number
    bought = broker.place(buy("1", "90", client_order_id=f"buy-{number}"), at=NOON + minute * MINUTE)
    print(bought.client_order_id, flush=True)
    for fill in broker.on_candle(BTC, candle("80", "100", minute=minute + 1), at=NOON + (minute + 2) * MINUTE):
        print(f"filled:{fill.client_order_id}", flush=True)
    sold = broker.place(sell("1", client_order_id=f"sell-{number}", reduces=True), at=NOON + (minute + 2) * MINUTE)
    print(sold.client_order_id, flush=True)
"""


@pytest.mark.parametrize("lines", [100, 151])
def test_what_was_acknowledged_survives_a_kill(state_file: Path, broker: PaperBroker, lines: int) -> None:
    with running(TRADING, state_file, 0) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().splitlines()
        assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
    found = {order.client_order_id: order for order in broker.orders(EVERYTHING)}
    placed = [name for name in acknowledged if not name.startswith("filled:")]
    assert found.keys() >= set(placed)
    assert len(found) <= len(placed) + 1  # one more may have been placed, and not told
    for name in acknowledged:
        if name.startswith(("filled:", "sell-")):
            assert found[name.removeprefix("filled:")].status == "filled"
    assert_books_add_up(broker)
    orders = broker.orders(EVERYTHING)
    for order in orders[:10]:
        assert broker.place(order.request(), at=NOON) == order
    assert broker.orders(EVERYTHING) == orders


def test_a_candle_that_meets_nothing_writes_nothing(state_file: Path, broker: PaperBroker) -> None:
    broker.place(buy("1", "90"), at=NOON)
    with closing(sqlite3.connect(state_file)) as onlooker:
        before = onlooker.execute("PRAGMA data_version").fetchone()
        for minute in range(1, 20):
            assert broker.on_candle(BTC, candle("91", "120", minute=minute), at=NOON + (minute + 1) * MINUTE) == ()
        assert onlooker.execute("PRAGMA data_version").fetchone() == before
        assert len(broker.on_candle(BTC, candle("90", "120"), at=NOON + 2 * MINUTE)) == 1
        assert onlooker.execute("PRAGMA data_version").fetchone() != before


def test_a_repeated_order_writes_nothing(state_file: Path, broker: PaperBroker) -> None:
    request = buy("1")
    broker.place(request, at=NOON)
    with closing(sqlite3.connect(state_file)) as onlooker:
        before = onlooker.execute("PRAGMA data_version").fetchone()
        broker.place(request, at=NOON)
        assert onlooker.execute("PRAGMA data_version").fetchone() == before


@pytest.mark.parametrize(
    "query",
    [
        OrdersQuery(),
        OrdersQuery(status="open"),
        OrdersQuery(symbol=BTC),
        OrdersQuery(status="filled", symbol=BTC),
    ],
    ids=str,
)
def test_orders_are_read_by_an_index(
    broker: PaperBroker, state_file: Path, monkeypatch: pytest.MonkeyPatch, query: OrdersQuery
) -> None:
    broker.place(buy("1"), at=NOON)
    broker.close()
    asked: list[str] = []
    connect = sqlite3.connect

    def noting_connect(*arguments: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", noting_connect)
    broker.orders(query)
    monkeypatch.undo()
    (statement,) = (text for text in asked if "FROM paper_orders" in text)
    with closing(sqlite3.connect(state_file)) as onlooker:
        (step,) = onlooker.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    assert step[3].startswith("SEARCH paper_orders USING")
    for name, value in (("status", query.status), ("symbol", query.symbol)):
        assert (f"{name}=?" in step[3]) == (value is not None)


def test_a_locked_file_is_told_and_nothing_has_changed(state_file: Path, broker: PaperBroker) -> None:
    resting = broker.place(buy("1", "90"), at=NOON)
    with closing(broker_on(state_file, busy_timeout_seconds=0.05)) as impatient:
        with closing(sqlite3.connect(state_file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="database is locked"):
                impatient.place(sell("1"), at=NOON)
            with pytest.raises(StoreUnavailable, match="database is locked"):
                impatient.on_candle(BTC, candle("80", "90"), at=NOON + 2 * MINUTE)
            assert impatient.orders(EVERYTHING) == (resting,)
        assert impatient.cancel(resting.id, at=NOON).status == "cancelled"


def test_accounts_of_one_file_know_nothing_of_each_other(state_file: Path, broker: PaperBroker) -> None:
    request = buy("1")
    broker.place(request, at=NOON)
    with closing(broker_on(state_file, account_id="other")) as other:
        assert other.orders(EVERYTHING) == ()
        assert other.place(request, at=NOON).id == "paper-1"
        other.place(buy("1"), at=NOON)
    assert len(broker.orders(EVERYTHING)) == 1


def test_the_balances_of_the_settings_are_a_seed(state_file: Path, broker: PaperBroker) -> None:
    broker.place(buy("1"), at=NOON)
    broker.close()
    richer = SQLiteBooks(state_file, Account.opened({"USD": Decimal(10**6)}, RULES))
    with closing(richer):
        assert richer.account().funds["USD"].initial == 2002
