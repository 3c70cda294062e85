"""Backtests of real servers: equal wherever they run, beside other requests, and not compared unless asked for."""

import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.clock import utc_text
from tests.e2e.operators import Operator
from tests.e2e.servers import Server, ask, new_app, old_backend, settings, wait_for
from tests.shared.strategies.markets import drifting

RUN = "/api/backtest/run"
ENDPOINTS = (f"POST {RUN}", "GET /api/backtest/strategies")
BODY = {"strategy": "ema_crossover", "symbol": "BTC-USD", "timeframe": "1m", "parameters": {"fast": 2, "slow": 4}}
CANDLES = 5_000

MOST_MEDIAN_SECONDS = 0.1
"""Of a request beside a backtest. One that ran on the event loop would hold each of them up for longer."""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A market that is over, so that its backtests are the same at any time."""
    file = tmp_path / "candles.csv"
    rows = [",".join([utc_text(candle[0]), *map(str, candle[1:])]) for candle in drifting(3, length=CANDLES)]
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows, ""]))
    return settings(
        tmp_path / "state.sqlite3",
        TRADEWINDOW_MARKET__KIND="file",
        TRADEWINDOW_MARKET__FILES=f'{{"BTC-USD": "{file}"}}',
        TRADEWINDOW_BACKTEST__CANDLES=str(CANDLES),
        TRADEWINDOW_BACKTEST__MAX_QUEUED="0",
    )


def test_it_is_the_same_on_either_side_and_holds_up_nobody(environ: dict[str, str], tmp_path: Path) -> None:
    with new_app(environ, tmp_path) as server, ThreadPoolExecutor(1) as clients:
        server.start()
        by_legacy = run(server)
        assert (by_legacy["candles"]["count"], by_legacy["trade_count"] > 10) == (CANDLES, True)
        assert by_legacy["refusal_counts"]["DAILY_LIMIT"] > 10
        assert len(by_legacy["equity"]) == 500

        operator = Operator(server, tmp_path)
        operator.change(ENDPOINTS, {"mode": "native"})
        began = time.monotonic()
        running = clients.submit(run, server)
        taken = []
        while not running.done():
            asked = time.monotonic()
            assert ask(server.port, "GET", "/api/trading-window/can-trade") == (200, {"can_trade": True})
            taken.append(time.monotonic() - asked)
        assert running.result() == by_legacy
        assert time.monotonic() - began > 2 * MOST_MEDIAN_SECONDS
        assert statistics.median(taken) < MOST_MEDIAN_SECONDS, sorted(taken)[-5:]

        first, other = clients.submit(ask, server.port, "POST", RUN, BODY), None
        while other is None or (other[0] == 200 and not first.done()):
            other = ask(server.port, "POST", RUN, BODY)
        assert 503 in (other[0], first.result()[0])

        operator.change(ENDPOINTS, {"mode": "shadow"})
        assert run(server) == by_legacy
        assert ask(server.port, "GET", "/api/backtest/strategies")[0] == 200
        wait_for(partial(_is_counted, operator), "one is skipped, the other compared")
        assert server.terminate() == 0
    with old_backend(environ, tmp_path, preload=True) as alone:
        alone.start()
        assert run(alone) == by_legacy
        assert alone.terminate() == 0


def run(server: Server) -> Mapping[str, Any]:
    status, result = ask(server.port, "POST", RUN, BODY)
    assert status == 200, result
    found: Mapping[str, Any] = result
    return found


def _is_counted(operator: Operator) -> bool:
    return operator.counts("shadow") == {"skipped costly": 1, "match": 1}
