"""Orders over real servers: one order and one trade for each, whichever side places it and however often it is asked
for."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from shared.modes import Mode, Side
from tests.e2e.operators import Operator
from tests.e2e.recording import recorded_market
from tests.e2e.servers import (
    BROKER,
    DEADLINE_SECONDS,
    HOST,
    Server,
    new_app,
    new_app_under_uvicorn,
    old_backend,
    settings,
    wait_for,
)
from tests.e2e.state_file import check_books, check_orders, read_books, read_orders, read_trades_of_orders

PATH = "/api/orders"
BUY = {"symbol": "BTC-USD", "side": "buy", "type": "market", "quantity": "1"}
SELL = {**BUY, "side": "sell"}
REST = {**BUY, "type": "limit", "price": "9.5"}

MODES: Mapping[Mode, Side] = {"legacy": "legacy", "shadow": "legacy", "verify": "native"}
LIMIT = 20
THREADS = 12


def test_a_request_is_one_order_and_one_trade_in_each_mode(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with new_app(settings(state, max_trades_per_day=100) | recorded_market(tmp_path), tmp_path, workers=2) as server:
        server.start()
        operator = Operator(server, tmp_path)
        for number, (mode, side) in enumerate(MODES.items()):
            if mode != "legacy":
                operator.change(BROKER, {"mode": mode})
            requests = _trade(server, side, key=f"key-{mode}")
            assert Counter(read_orders(state).values()) == {"filled": 2 * (number + 1), "cancelled": number + 1}
            if mode in ("shadow", "verify"):
                wait_for(partial(_all_match, operator, mode, requests), "each is compared")
            assert operator.counts(mode) in ({}, {"match": requests})
        assert server.terminate() == 0
        assert server.stderr == ""
    books = read_books(state)
    check_books(books)
    check_orders(state)
    assert (books.trades_today, len(read_trades_of_orders(state))) == (len(MODES), 2 * len(MODES))


def test_a_limit_is_met_exactly_by_the_orders_of_six_processes(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    environ = settings(state, max_trades_per_day=LIMIT, modes={f"POST {PATH}": "native"}) | recorded_market(tmp_path)
    with (
        new_app_under_uvicorn(environ, tmp_path, workers=4) as new,
        old_backend(environ, tmp_path, workers=2, threads=THREADS // 2) as old,
    ):
        new.launch()
        old.launch()
        new.wait_until_ready()
        old.wait_until_ready()
        ports = [new.port, old.port] * (THREADS // 2)
        answers = _at_once(ports, partial(_order_until_refused, body=BUY))
        # Who asks again for an order that is being placed has to wait, and then gets it.
        keyed = _at_once(ports, partial(_order_until_taken, body={**SELL, "quantity": "0.5"}, key="the-one"))
        assert "Traceback" not in new.output + old.output

    assert Counter(status for status, _, _ in answers) == {201: LIMIT, 409: THREADS}
    assert {side for _, side, _ in answers} == {"native", None}
    assert len({body["id"] for _, _, body in keyed}) == 1
    check_books(read_books(state))
    check_orders(state)
    assert Counter(read_orders(state).values()) == {"filled": LIMIT + 1}


def _trade(server: Server, side: Side, *, key: str) -> int:
    """How many requests it took to buy, ask for the same again, sell, and cancel what rests."""
    ask = partial(_ask, server.port)
    status, _, bought = ask("POST", PATH, BUY, key=key)
    assert (status, bought["status"], bought["average_price"]) == (201, "filled", "10.505250")
    assert ask("POST", PATH, BUY, key=key) == (201, side, bought)
    assert ask("POST", PATH, {**BUY, "quantity": "2"}, key=key)[0] == 422
    _, _, sold = ask("POST", PATH, SELL)
    assert (sold["status"], sold["reduces"]) == ("filled", True)
    _, _, resting = ask("POST", PATH, REST)
    assert ask("GET", f"{PATH}?status=open") == (200, side, {"orders": [resting], "count": 1})
    status, _, cancelled = ask("DELETE", f"{PATH}/{resting['id']}")
    assert (status, cancelled["status"]) == (200, "cancelled")
    assert ask("DELETE", f"{PATH}/{resting['id']}")[0] == 409
    assert ask("POST", PATH, {**BUY, "quantity": "100000"})[0] == 409
    assert ask("GET", f"{PATH}/{bought['id']}") == (200, side, bought)
    assert ask("GET", "/api/positions") == (200, side, {"positions": []})
    assert [each["currency"] for each in ask("GET", "/api/balances")[2]["balances"]] == ["USD"]
    return 12


def _all_match(operator: Operator, mode: Mode, requests: int) -> bool:
    return operator.counts(mode) == {"match": requests}


Answer = tuple[int, str | None, dict[str, Any]]


def _ask(port: int, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
    connection = http.client.HTTPConnection(HOST, port, timeout=DEADLINE_SECONDS)
    try:
        headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.headers["X-Cutover-Side"], json.loads(response.read())
    finally:
        connection.close()


def _order_until_refused(port: int, *, body: Any) -> list[Answer]:
    answers = [_ask(port, "POST", PATH, body)]
    while answers[-1][0] == 201:
        answers.append(_ask(port, "POST", PATH, body))
    return answers


def _order_until_taken(port: int, *, body: Any, key: str) -> list[Answer]:
    answer = _ask(port, "POST", PATH, body, key=key)
    while answer[0] == 409:
        assert answer[2]["error"].startswith("an order with this key is on its way")
        answer = _ask(port, "POST", PATH, body, key=key)
    assert answer[0] == 201, answer
    return [answer]


def _at_once(ports: Sequence[int], trade: Any) -> list[Answer]:
    start = threading.Barrier(len(ports))

    def wait_and_trade(port: int) -> list[Answer]:
        start.wait(DEADLINE_SECONDS)
        found: list[Answer] = trade(port)
        return found

    with ThreadPoolExecutor(len(ports)) as pool:
        return [answer for answers in pool.map(wait_and_trade, ports) for answer in answers]
