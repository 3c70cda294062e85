"""While the old side serves `POST /api/trading-window/trades`, what the new side does to a window holds there, too."""

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.servers import DEADLINE_SECONDS, HOST, Server, ask, new_app_under_uvicorn, settings, wait_for
from tests.e2e.traders import PATH, TRADE, Client

WINDOW = "/api/windows/default"
FULL = {"error": "daily trade limit of 3 reached", "trades_today": 3, "max_trades_per_day": 3}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Two processes, so that what one of them writes the other has to see; all in mode legacy, at a limit of 3."""
    environ = settings(tmp_path / "state.sqlite3", max_trades_per_day=3)
    with new_app_under_uvicorn(environ, tmp_path, workers=2) as server:
        server.start()
        yield server
        assert "Traceback" not in server.output


def trade(server: Server, **changes: Any) -> tuple[int, dict[str, Any]]:
    """On a connection of its own, by the old side."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=DEADLINE_SECONDS)
    try:
        connection.request("POST", PATH, json.dumps({**TRADE, **changes}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.headers["X-Cutover-Side"] == "legacy"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def told(server: Server, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    found, answer = ask(server.port, method, path, body)
    assert found == status, answer
    return answer


def test_a_halt_holds_at_once_and_until_it_is_ended(server: Server) -> None:
    assert trade(server)[0] == 201
    told(server, "POST", f"{WINDOW}/halts", {"reason": "fat finger", "author": "ann"})
    for _ in range(8):
        assert trade(server) == (403, {"error": "halted: fat finger"})
    assert told(server, "GET", WINDOW)["trades_today"] == 1
    told(server, "POST", f"{WINDOW}/resume", {"reason": "checked", "author": "ann"})
    assert trade(server)[1]["trades_today"] == 2


def test_the_halt_of_a_symbol_and_one_with_an_end_hold(server: Server) -> None:
    told(server, "POST", f"{WINDOW}/halts", {"reason": "fork", "author": "ann", "symbol": "BTC-USD"})
    assert trade(server) == (403, {"error": "halted: fork"})
    assert trade(server, symbol="ETH-USD")[0] == 201
    told(server, "POST", f"{WINDOW}/resume", {"reason": "over", "author": "ann", "symbol": "BTC-USD"})

    until = datetime.now(UTC) + timedelta(seconds=3)
    told(server, "POST", f"{WINDOW}/halts", {"reason": "pause", "author": "ann", "until": until.isoformat()})
    assert trade(server) == (403, {"error": "halted: pause"})
    wait_for(lambda: trade(server)[0] == 201, "the halt ends")
    assert datetime.now(UTC) >= until


def test_a_halt_survives_the_processes(server: Server) -> None:
    told(server, "POST", f"{WINDOW}/halts", {"reason": "overnight", "author": "ann"})
    server.kill()
    server.start()
    assert trade(server) == (403, {"error": "halted: overnight"})


def test_permits_hold_their_slots_until_they_have_their_end(server: Server) -> None:
    pending, sent = (told(server, "POST", f"{WINDOW}/permits", {}, status=201)["permit"]["id"] for _ in range(2))
    told(server, "POST", f"{WINDOW}/permits/{sent}/sent")
    status, answer = trade(server)
    assert (status, answer["trades_today"], answer["remaining_trades"]) == (201, 3, 0)
    for _ in range(4):
        assert trade(server) == (409, FULL)
    assert told(server, "GET", "/api/trading-window/can-trade") == {"can_trade": False}

    told(server, "POST", f"{WINDOW}/permits/{sent}/doubt")
    assert trade(server) == (409, FULL)
    told(server, "POST", f"{WINDOW}/permits/{sent}/confirm")
    assert trade(server) == (409, FULL)

    told(server, "POST", f"{WINDOW}/permits/{pending}/release")
    assert told(server, "GET", "/api/trading-window/can-trade") == {"can_trade": True}
    assert trade(server)[1]["trades_today"] == 3
    assert trade(server) == (409, FULL)


def test_a_permit_that_expires_gives_its_slot_to_the_old_side(server: Server) -> None:
    told(server, "PUT", f"{WINDOW}/config", {"permit_seconds": 3})
    for _ in range(2):
        assert trade(server)[0] == 201
    told(server, "POST", f"{WINDOW}/permits", {}, status=201)
    assert trade(server) == (409, FULL)
    wait_for(lambda: trade(server)[0] == 201, "the permit expires")
    assert trade(server) == (409, FULL)


def test_native_trades_are_counted_and_native_trades_count_those_of_the_old_side(server: Server) -> None:
    for number in (1, 2):
        assert told(server, "POST", f"{WINDOW}/trades", TRADE, status=201)["trades_today"] == number
    told(server, "POST", f"{WINDOW}/trades", {**TRADE, "reduces": True}, status=201)
    status, answer = trade(server)
    assert (status, answer["trades_today"], answer["remaining_trades"]) == (201, 3, 0)
    assert trade(server) == (409, FULL)
    refused = told(server, "POST", f"{WINDOW}/trades", TRADE, status=409)
    assert [(one["code"], one["value"], one["bound"]) for one in refused["reasons"]] == [("DAILY_LIMIT", 3, 3)]
    listed = told(server, "GET", "/api/trading-window/trades")
    assert (listed["count"], sum(each.get("reduces", False) for each in listed["trades"])) == (4, 1)


def test_a_config_that_the_old_side_does_not_know_is_refused_and_it_goes_on_judging(server: Server) -> None:
    answer = told(server, "PUT", f"{WINDOW}/config", {"cooldown_seconds": 60}, status=409)
    assert answer["error"].startswith("the old side doesn't know cooldown_seconds, and these endpoints are not in mode")
    client = Client(server.port)
    assert [client.post_trade().status for _ in range(4)] == [201, 201, 201, 409]
    client.close()
