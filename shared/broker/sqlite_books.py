"""A paper broker's books in the product's SQLite file, shared by all the processes of one machine."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from shared.broker.account import Account, Funds, Holding
from shared.broker.base import Order, OrdersQuery
from shared.broker.books import Step, number_of, order_id_of
from shared.store.base import to_json
from shared.store.sqlite_file import SQLiteFile

T = TypeVar("T")

_VERSION = "SELECT version FROM paper_accounts WHERE account_id = ?"
_ACCOUNT = "SELECT version, state FROM paper_accounts WHERE account_id = ?"
_PUT_ACCOUNT = """
    INSERT INTO paper_accounts (account_id, version, state) VALUES (?, ?, ?)
    ON CONFLICT (account_id) DO UPDATE SET version = excluded.version, state = excluded.state
"""
_COLUMNS = """number, client_order_id, symbol, side, type, quantity, price, reduces, status, filled_quantity,
    average_price, fee, realized_pnl, created_at, updated_at"""
_PUT_ORDER = f"""
    INSERT INTO paper_orders (account_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account_id, number) DO UPDATE SET
        status = excluded.status, filled_quantity = excluded.filled_quantity, average_price = excluded.average_price,
        fee = excluded.fee, realized_pnl = excluded.realized_pnl, updated_at = excluded.updated_at
"""  # noqa: S608 - of constants
_SELECT = f"SELECT {_COLUMNS} FROM paper_orders"  # noqa: S608
_ORDERS = f"{_SELECT} WHERE account_id = :account_id"
_OPEN_ORDERS = f"{_SELECT} INDEXED BY paper_orders_status WHERE account_id = ? AND status = 'open' ORDER BY number"
_ORDER = f"{_ORDERS} AND number = :number"
_BY_CLIENT_ID = f"{_ORDERS} AND client_order_id = :client_order_id"
# SQLite would take the primary key, which has the order, and walk it.
_LISTS: dict[tuple[str, ...], str] = {
    (): f"{_ORDERS} ORDER BY number DESC LIMIT :limit",
    **{
        given: f"{_SELECT} INDEXED BY paper_orders_{'_'.join(given)} WHERE account_id = :account_id"
        + "".join(f" AND {name} = :{name}" for name in given)
        + " ORDER BY number DESC LIMIT :limit"
        for given in (("symbol",), ("status",), ("symbol", "status"))
    },
}


class SQLiteBooks:
    """Books in one SQLite file. `account` is what they begin with where the file knows no account of this id."""

    def __init__(
        self,
        path: Path | str,
        account: Account,
        *,
        account_id: str = "default",
        busy_timeout_seconds: float = 5.0,
        max_waiting_writes: int = 10_000,
    ) -> None:
        self._tables = _Tables(account_id, account)
        self._file = SQLiteFile(
            path,
            batch=lambda connection: _Batch(connection, self._tables),
            busy_timeout_seconds=busy_timeout_seconds,
            max_waiting_writes=max_waiting_writes,
        )

    def account(self) -> Account:
        return self._file.read(self._tables.read_account)

    async def account_async(self) -> Account:
        return await self._file.read_async(self._tables.read_account)

    def order(self, order_id: str) -> Order | None:
        return self._file.read(lambda connection: self._tables.read_order(connection, order_id))

    async def order_async(self, order_id: str) -> Order | None:
        return await self._file.read_async(lambda connection: self._tables.read_order(connection, order_id))

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        return self._file.read(lambda connection: self._tables.read_by_client_id(connection, client_order_id))

    async def order_by_client_id_async(self, client_order_id: str) -> Order | None:
        return await self._file.read_async(
            lambda connection: self._tables.read_by_client_id(connection, client_order_id)
        )

    def orders(self, query: OrdersQuery) -> tuple[Order, ...]:
        return self._file.read(lambda connection: self._tables.read_orders(connection, query))

    async def orders_async(self, query: OrdersQuery) -> tuple[Order, ...]:
        return await self._file.read_async(lambda connection: self._tables.read_orders(connection, query))

    def change(self, step: Step[T]) -> T:
        return self._file.write(lambda batch: batch.change(step))

    async def change_async(self, step: Step[T]) -> T:
        return await self._file.write_async(lambda batch: batch.change(step))

    def close(self) -> None:
        self._file.close()


class _Tables:
    """Reads one account's rows; remembers the account by its version, which each change counts up."""

    def __init__(self, account_id: str, seed: Account) -> None:
        self.account_id = account_id
        self._seed = (0, seed)
        self._known = self._seed

    def read_account(self, connection: sqlite3.Connection) -> Account:
        known = self._known
        row = connection.execute(_VERSION, (self.account_id,)).fetchone()
        if (row[0] if row else 0) == known[0]:
            return known[1]
        connection.execute("BEGIN")
        try:
            self._known = known = self.read_versioned(connection)
        finally:
            connection.execute("COMMIT")
        return known[1]

    def read_versioned(self, connection: sqlite3.Connection) -> tuple[int, Account]:
        """Within a transaction of the connection."""
        row = connection.execute(_ACCOUNT, (self.account_id,)).fetchone()
        if row is None:
            return self._seed
        known = self._known
        if row[0] == known[0]:
            return known
        open_orders = connection.execute(_OPEN_ORDERS, (self.account_id,)).fetchall()
        return row[0], _account(json.loads(row[1]), map(_order, open_orders))

    def read_order(self, connection: sqlite3.Connection, order_id: str) -> Order | None:
        number = number_of(order_id)
        if number is None:
            return None
        return self._one(connection, _ORDER, number=number)

    def read_by_client_id(self, connection: sqlite3.Connection, client_order_id: str) -> Order | None:
        return self._one(connection, _BY_CLIENT_ID, client_order_id=client_order_id)

    def read_orders(self, connection: sqlite3.Connection, query: OrdersQuery) -> tuple[Order, ...]:
        values = {"symbol": query.symbol, "status": query.status}
        given = {name: value for name, value in values.items() if value is not None}
        found = connection.execute(_LISTS[*given], {"account_id": self.account_id, "limit": query.limit, **given})
        return tuple(map(_order, found.fetchall()))

    def _one(self, connection: sqlite3.Connection, statement: str, **values: Any) -> Order | None:
        row = connection.execute(statement, {"account_id": self.account_id, **values}).fetchone()
        return _order(row) if row else None


class _Batch:
    """The changes of one transaction: later ones see what earlier ones left."""

    def __init__(self, connection: sqlite3.Connection, tables: _Tables) -> None:
        self._connection = connection
        self._tables = tables
        self._found, self._account = tables.read_versioned(connection)
        self._version = self._found

    def change(self, step: Step[T]) -> T:
        change, answer = step(self._account, self)
        if change is not None:
            rows = [_order_row(self._tables.account_id, order) for order in change.orders]
            self._connection.executemany(_PUT_ORDER, rows)
            self._account = change.account
            self._version += 1
        return answer

    def order(self, order_id: str) -> Order | None:
        return self._tables.read_order(self._connection, order_id)

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        return self._tables.read_by_client_id(self._connection, client_order_id)

    def write(self) -> None:
        if self._version != self._found:
            row = (self._tables.account_id, self._version, to_json(_state(self._account)))
            self._connection.execute(_PUT_ACCOUNT, row)


def _state(account: Account) -> dict[str, Any]:
    """All of the account but its open orders, whose rows are the truth."""
    return {
        "funds": {currency: _texts(funds) for currency, funds in account.funds.items()},
        "holdings": {symbol: _texts(holding) for symbol, holding in account.holdings.items()},
        "orders_placed": account.orders_placed,
    }


def _texts(amounts: Funds | Holding) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts._asdict().items()}


def _account(state: Mapping[str, Any], open_orders: Iterable[Order]) -> Account:
    return Account(
        funds={currency: Funds(**_decimals(texts)) for currency, texts in state["funds"].items()},
        holdings={symbol: Holding(**_decimals(texts)) for symbol, texts in state["holdings"].items()},
        open_orders=tuple(open_orders),
        orders_placed=state["orders_placed"],
    )


def _decimals(texts: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in texts.items()}


def _order_row(account_id: str, order: Order) -> tuple[Any, ...]:
    return (
        account_id,
        number_of(order.id),
        order.client_order_id,
        order.symbol,
        order.side,
        order.type,
        str(order.quantity),
        _or_none(str, order.price),
        order.reduces,
        order.status,
        str(order.filled_quantity),
        _or_none(str, order.average_price),
        str(order.fee),
        str(order.realized_pnl),
        order.created_at.isoformat(),
        order.updated_at.isoformat(),
    )


def _order(row: tuple[Any, ...]) -> Order:
    number, client_order_id, symbol, side, order_type, quantity, price, reduces, status, filled, average, *rest = row
    fee, realized_pnl, created_at, updated_at = rest
    return Order(
        id=order_id_of(number),
        client_order_id=client_order_id,
        symbol=symbol,
        side=side,
        type=order_type,
        quantity=Decimal(quantity),
        price=_or_none(Decimal, price),
        reduces=bool(reduces),
        status=status,
        filled_quantity=Decimal(filled),
        average_price=_or_none(Decimal, average),
        fee=Decimal(fee),
        realized_pnl=Decimal(realized_pnl),
        created_at=datetime.fromisoformat(created_at),
        updated_at=datetime.fromisoformat(updated_at),
    )


def _or_none(make: Callable[[Any], T], value: object) -> T | None:
    return None if value is None else make(value)
