"""The market of a server's settings, as each side and each process shows it."""

import http.client
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.modes import Mode, Side
from tests.e2e.operators import Operator
from tests.e2e.recording import recorded_market
from tests.e2e.servers import DEADLINE_SECONDS, HOST, MARKET, Server, new_app, old_backend, settings, wait_for

ANSWERS: Mapping[str, Any] = {
    "/api/market/ticker/BTC-USD": {
        "symbol": "BTC-USD",
        "bid": "10.50",
        "ask": "10.50",
        "last": "10.50",
        "volume_24h": "2.10",
        "timestamp": "2024-03-04T10:01:00.000000Z",
    },
    "/api/market/ohlcv/BTC-USD?limit=1": {
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "candles": [
            {
                "timestamp": "2024-03-04T10:00:00.000000Z",
                "open": "11.00",
                "high": "11.00",
                "low": "10.00",
                "close": "10.50",
                "volume": "2",
            }
        ],
    },
    "/api/orderbook/BTC-USD": {"symbol": "BTC-USD", "bids": [["10.50", "2"]], "asks": [["10.50", "2"]]},
    "/api/market/ticker/ETH-USD": {"error": "no symbol is named 'ETH-USD'"},
}


MODES: Mapping[Mode, Side] = {"shadow": "legacy", "verify": "native"}
TIMES = 6


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return settings(tmp_path / "state.sqlite3") | recorded_market(tmp_path)


def test_both_sides_show_it_in_every_process(environ: dict[str, str], tmp_path: Path) -> None:
    with new_app(environ, tmp_path, workers=2) as server:
        server.start()
        assert f"recorded (BTC-USD from {tmp_path / 'candles.csv'})" in server.stdout
        operator = Operator(server, tmp_path)
        for mode, side in MODES.items():
            operator.change(MARKET, {"mode": mode})
            assert _ask(server, times=TIMES) == {side}
            wait_for(partial(_is_compared, operator, mode), "each is compared")
        assert server.terminate() == 0
        assert server.stderr == ""


def test_the_old_backend_alone_shows_it_also_when_it_was_loaded_before_the_fork(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with old_backend(environ, tmp_path, workers=2, preload=True) as server:
        server.start()
        assert _ask(server, times=TIMES) == {None}
        assert server.terminate() == 0


def _is_compared(operator: Operator, mode: Mode) -> bool:
    return operator.counts(mode) == {"match": TIMES * len(ANSWERS)}


def _ask(server: Server, *, times: int) -> set[str | None]:
    """The sides that answered, each request on a connection of its own: which process that reaches is chance."""
    sides: set[str | None] = set()
    for _ in range(times):
        for path, expected in ANSWERS.items():
            connection = http.client.HTTPConnection(HOST, server.port, timeout=DEADLINE_SECONDS)
            connection.request("GET", path)
            response = connection.getresponse()
            assert json.loads(response.read()) == expected
            assert response.status == (404 if "error" in expected else 200)
            sides.add(response.headers["X-Cutover-Side"])
            connection.close()
    return sides
