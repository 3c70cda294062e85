"""The bot in a server of several processes: one of them runs it, and when that one is killed another goes on."""

import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from shared.bot.state import BotState
from shared.bot.store.sqlite import SQLiteBotStore
from shared.candle import Timeframe
from shared.market.synthetic import SyntheticMarket
from shared.modes import Mode
from shared.strategies.ema_crossover import EmaCrossover
from tests.e2e.operators import Operator
from tests.e2e.servers import BOT, Server, ask, new_app, settings, wait_for
from tests.e2e.state_file import check_books, check_orders, read_books, read_orders

BTC = "BTC-USD"
QUICK = {"fast": 1, "slow": 2}
"""Periods of averages that cross with every other candle."""
HOUR = timedelta(hours=1)
AHEAD = timedelta(minutes=3)
RUNS_ALREADY = (400, {"error": "the bot is running already"})
RUNS_NOT = (400, {"error": "the bot is not running"})


@pytest.mark.parametrize(("mode", "workers"), [("shadow", 4), ("verify", 2)])
def test_another_process_goes_on_with_it_and_trades_until_it_is_stopped(
    mode: Mode, workers: int, tmp_path: Path
) -> None:
    state = tmp_path / "state.sqlite3"
    environ = settings(state, modes=dict.fromkeys(BOT, mode)) | _quick_bot(datetime.now(UTC))
    with new_app(environ, tmp_path, workers=workers) as server, closing(SQLiteBotStore(state)) as bots:
        server.start()
        tell = partial(ask, server.port, "POST")
        assert bots.read().version == 0
        assert tell("/api/bot/stop") == RUNS_NOT
        assert tell("/api/bot/start") == (200, {"status": "started"})
        assert tell("/api/bot/start") == RUNS_ALREADY
        wait_for(lambda: _status(server)["last_cycle"], "the bot has had a cycle")

        first = bots.read().holder
        assert first is not None
        os.kill(_pid(first), signal.SIGKILL)
        killed = datetime.now(UTC)
        _fall_behind(bots, state)
        wait_for(lambda: bots.read().holder not in (None, first), "another process has taken the bot over")
        wait_for(lambda: read_orders(state), "it has traded")
        wait_for(lambda: _cycle(server) > killed, "it has told of a cycle")
        assert _status(server)["status"] == "running"

        assert tell("/api/bot/stop") == (200, {"status": "stopped"})
        assert tell("/api/bot/stop") == RUNS_NOT
        wait_for(lambda: bots.read().holder is None, "it has finished what was in flight")
        orders = read_orders(state)
        _, listed = ask(server.port, "GET", "/api/orders")
        assert [order["client_order_id"] for order in listed["orders"]] == list(orders)[::-1]
        time.sleep(1)
        assert (read_orders(state), bots.read().holder) == (orders, None)
        check_orders(state)
        check_books(read_books(state))
        _check_all_match(Operator(server, tmp_path), mode)
        assert server.terminate() == 0
    assert "Traceback" not in server.output


def _quick_bot(now: datetime) -> dict[str, str]:
    """The environment of a server whose synthetic market gives the bot's strategy a signal with the candle that has
    closed last, and with each of those that close in the next minutes."""
    return {
        "TRADEWINDOW_MARKET__SEED": str(next(seed for seed in count() if _signals_now(seed, now))),
        "TRADEWINDOW_BOT__STRATEGIES": json.dumps({"ema_crossover": QUICK}),
        "TRADEWINDOW_BOT__JOIN_TREND": "false",
        "TRADEWINDOW_BOT__CYCLE_SECONDS": "0.2",
        "TRADEWINDOW_BOT__LEASE_SECONDS": "2",
    }


def _signals_now(seed: int, now: datetime) -> bool:
    strategy = EmaCrossover.of(QUICK)
    market = SyntheticMarket([BTC], seed=seed)
    candles = market.candles(BTC, Timeframe.MINUTE, 60, at=now + AHEAD)
    return all([strategy.on_candle(candle) is not None for candle in candles][-4:])


def _fall_behind(bots: SQLiteBotStore, state: Path) -> None:
    """As if the bot had seen nothing for an hour, unless it has traded: a minute is long for a test to wait for."""
    behind = BotState(candles={BTC: datetime.now(UTC).replace(second=0, microsecond=0) - HOUR}).to_json()
    bots.change(lambda row: row if read_orders(state) else replace(row, state=behind))


def _status(server: Server) -> Mapping[str, Any]:
    status, told = ask(server.port, "GET", "/api/bot-status")
    assert status == 200
    found: Mapping[str, Any] = told
    return found


def _cycle(server: Server) -> datetime:
    return datetime.fromisoformat(_status(server)["last_cycle"]["at"])


def _pid(holder: str) -> int:
    assert holder.startswith(f"{socket.gethostname()}-")
    return int(holder.rpartition("-")[2])


def _check_all_match(operator: Operator, mode: Mode) -> None:
    wait_for(lambda: operator.counts(mode), "comparisons are counted")
    assert set(operator.counts(mode)) == {"match"}
