"""The words in which a case tells of orders, their permits and the account. Amounts are written down, not reckoned."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.window import LedgerEntry, Permit, Trade
from tests.parity.case import Answer, Request, answers, entry_of, with_body

Json = dict[str, Any]

ORDERS = "/api/orders"
NOON = "2025-03-03T12:00:00.000000Z"
MINUTE_PAST = "2025-03-03T12:01:00.000000Z"
"""When a permit of noon is in doubt."""

MARKET_ORDER = '{"symbol":"BTC-USD","side":"buy","type":"market","quantity":"0.50"}'
"""A body for `POST orders`; `order_of(1)` without options is what it makes."""
LIMIT_ORDER = '{"symbol":"BTC-USD","side":"buy","type":"limit","quantity":"0.50","price":"64000.0"}'
"""It rests: `resting(1)`."""


def post_order(body: str | bytes, *headers: tuple[str, str], key: str | None = None) -> Request:
    """With JSON's Content-Type and the body's Content-Length unless `headers` bring others."""
    keys = () if key is None else (("Idempotency-Key", key),)
    return with_body("POST", ORDERS, body, headers + keys)


def delete_order(order_id: str) -> Request:
    return Request(method="DELETE", target=f"{ORDERS}/{order_id}")


def order_of(number: int, *, name: str | None = None, at: str = NOON, **other: Any) -> Json:
    """Half a bitcoin, bought at the ask with the fee of a thousandth, but for what is `other`."""
    order = {
        "id": f"paper-{number}",
        "client_order_id": name or f"order-{number}",
        "symbol": "BTC-USD",
        "side": "buy",
        "type": "market",
        "quantity": "0.50",
        "price": None,
        "reduces": False,
        "status": "filled",
        "filled_quantity": "0.50",
        "average_price": "64250.15",
        "fee": "32.12507500",
        "realized_pnl": "0",
        "created_at": at,
        "updated_at": at,
    }
    assert other.keys() <= order.keys()
    return {**order, **other}


def resting(number: int, *, price: str = "64000.0", **other: Any) -> Json:
    """One that waits for its price."""
    nothing = {"filled_quantity": "0", "average_price": None, "fee": "0"}
    return order_of(number, **{"type": "limit", "price": price, "status": "open", **nothing, **other})


def placed(order: Json) -> Answer:
    return answers(201, shown(order))


def found(order: Json) -> Answer:
    return answers(200, shown(order))


def listed(*orders: Json) -> Answer:
    return answers(200, f'{{"count":{len(orders)},"orders":[{",".join(map(shown, orders))}]}}')


def balances(available: str, total: str) -> Answer:
    return answers(200, f'{{"balances":[{{"available":"{available}","currency":"USD","total":"{total}"}}]}}')


def positions(*shown_positions: str) -> Answer:
    return answers(200, f'{{"positions":[{",".join(shown_positions)}]}}')


def shown(order: Json) -> str:
    """In the order in which Flask sorts keys."""
    return json.dumps(order, sort_keys=True, separators=(",", ":"))


def permit_of(number: int, order: Json, *, day: str = "2025-03-03", deadline: str | None = MINUTE_PAST) -> Permit:
    """The permit with which an order goes out, as it is once that is done."""
    return Permit(
        id=f"permit-{number}",
        symbol=order["symbol"],
        side=order["side"],
        quantity=order["quantity"],
        price=order["price"],
        strategy=None,
        reduces=order["reduces"],
        status="sent",
        trade_day=day,
        reserved_at=order["created_at"],
        deadline=deadline,
        client_order_id=order["client_order_id"],
    )


def traded(trade_number: int, order: Json, *, at: str | None = None, day: str = "2025-03-03") -> Trade:
    """The trade of an order that was filled."""
    trade = Trade(
        id=f"trade-{trade_number}",
        symbol=order["symbol"],
        side=order["side"],
        quantity=order["filled_quantity"],
        price=order["average_price"],
        strategy=None,
        executed_at=at or order["updated_at"],
        trade_day=day,
    )
    if order["reduces"]:
        trade["reduces"] = True
    return trade


def sent(first: int, permit: Permit) -> tuple[LedgerEntry, LedgerEntry]:
    """The entries of an order that goes out, from sequence number `first` on: reserved, to be sent within a minute,
    and sent."""
    pending: Permit = {**permit, "status": "pending"}
    return (_step(first, pending, "reserved"), _step(first + 1, permit, "sent"))


def confirmed(first: int, permit: Permit, trade: Trade) -> tuple[LedgerEntry, LedgerEntry]:
    ended: Permit = {**permit, "status": "confirmed", "deadline": None}
    step = _step(first, ended, "confirmed", at=trade["executed_at"], trade_id=trade["id"])
    return (step, replace(entry_of(first + 1, trade), subject=permit.get("client_order_id")))


def released(sequence: int, permit: Permit, why: str, *, at: str | None = None) -> LedgerEntry:
    ended: Permit = {**permit, "status": "released", "deadline": None}
    return _step(sequence, ended, "released", at=at, reason=why)


def in_doubt(sequence: int, permit: Permit, *, at: str | None = None, deadline: str | None = None) -> LedgerEntry:
    """By word of the broker, or, at `deadline`, since nobody has said what came of it."""
    doubtful: Permit = {**permit, "status": "in_doubt", "deadline": None}
    more = {} if deadline is None else {"at": deadline}
    return _step(sequence, doubtful, "in-doubt", at=at, data=more)


def filled_at_once(
    first: int, number: int, order: Json, *, deadline: str = MINUTE_PAST, trade: int | None = None
) -> Sequence[LedgerEntry]:
    """All four entries of a market order that was filled."""
    permit = permit_of(number, order, deadline=deadline)
    return (*sent(first, permit), *confirmed(first + 2, permit, traded(trade or number, order)))


def _step(
    sequence: int, permit: Permit, step: str, *, at: str | None = None, data: Json | None = None, **more: Any
) -> LedgerEntry:
    return LedgerEntry(
        sequence=sequence,
        id=f"{permit['id']}-{step}",
        kind="permit",
        instant=datetime.fromisoformat(at or permit["reserved_at"]),
        trade_day=permit["trade_day"],
        symbol=permit["symbol"],
        subject=permit["id"],
        data={**permit, **(data or {}), **more},
    )
