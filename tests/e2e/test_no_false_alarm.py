"""Many clients at once, every request compared, and no difference found.
`pytest tests/e2e/test_no_false_alarm.py --comparisons 100000` is the long run.

Backtests are among them, which are costly by declaration and not compared unless the settings say so. They do here: a
candidate is told what the backtest gave, so that each runs once, and at one request in 140 two cores bear them."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from shared.modes import Mode, Side
from tests.e2e.operators import Operator
from tests.e2e.servers import DEADLINE_SECONDS, new_app, settings, wait_for
from tests.e2e.state_file import check_books, check_orders, read_books, read_orders, read_trades_of_orders
from tests.e2e.visitors import BACKTEST, CONFIG, MAX_BODY_BYTES, TRADES, Visitors
from tests.parity.endpoints import BOTH_SIDES, path_of

CLIENTS = 64
PER_SECOND = 600.0
SLOWEST_PER_SECOND = 25.0
MAX_BEHIND = 500
"""Of the thousand comparisons that may wait in each process, since what is kept is known a moment later."""

MODES: dict[Mode, Side] = {"shadow": "legacy", "verify": "native"}
"""Each with the side that answers."""


@pytest.mark.parametrize("workers", [1, 2])
async def test_under_load_with_every_request_compared_no_difference_is_found_and_no_trade_made_twice(
    workers: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    goal: int = request.config.getoption("--comparisons", default=2_000) // len(MODES)
    seed = random.SystemRandom().randrange(2**32)
    state = tmp_path / "state.sqlite3"
    environ = settings(
        state,
        max_trades_per_day=1_000_000,
        TRADEWINDOW_LIMITS__MAX_BODY_BYTES=f"{MAX_BODY_BYTES}",
        TRADEWINDOW_CUTOVER__COSTLY="[]",
        # A disk that is slow for a moment is told after half a second, and is not what is looked for here.
        TRADEWINDOW_CUTOVER__BUSY_TIMEOUT_SECONDS="10",
        TRADEWINDOW_BACKTEST__CANDLES="50",
        TRADEWINDOW_BACKTEST__MAX_QUEUED="100",
        # The bot is started and stopped, and sees no candle to trade on.
        TRADEWINDOW_BOT__TIMEFRAME="1d",
        TRADEWINDOW_BOT__JOIN_TREND="false",
    )
    with new_app(environ, tmp_path, workers=workers) as server:
        server.start()
        operator = Operator(server, tmp_path)
        visitors = Visitors(server.port, clients=CLIENTS, seed=seed)
        for mode, side in MODES.items():
            operator.change(BOTH_SIDES, {"mode": mode})
            visitors.sides.clear()
            begun = time.monotonic()
            await _visit_until_compared(visitors, operator, mode, goal)
            requests = visitors.sides[side]
            counts = _settled_counts(operator, mode, requests)
            _say(f"seed {seed}, {mode}: {requests} requests in {time.monotonic() - begun:.1f} s, {counts}")
            assert set(visitors.sides) == {side}
            assert counts["match"] >= goal
            assert set(counts) <= {"match", "skipped queue_full"}
        visitors.close()
        assert server.interrupt() == 0
        assert server.complaints == []
    _check_variety(visitors)
    _check_ledger(visitors, state)


async def _visit_until_compared(visitors: Visitors, operator: Operator, mode: Mode, goal: int) -> None:
    """Clients wait for comparisons that are behind, so that no line gets full."""

    async def watch() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS + goal / SLOWEST_PER_SECOND):
            compared = 0
            while compared < goal:
                counts = await asyncio.to_thread(operator.counts, mode)
                compared = counts.get("match", 0)
                if sum(visitors.sides.values()) - sum(counts.values()) < MAX_BEHIND:
                    visitors.may_go.set()
                else:
                    visitors.may_go.clear()
                await asyncio.sleep(0.1)

    visiting = asyncio.create_task(visitors.visit(per_second=PER_SECOND))
    await watch()
    visitors.stopping = True
    visitors.may_go.set()
    await visiting


def _settled_counts(operator: Operator, mode: Mode, requests: int) -> dict[str, int]:
    """Once each request is accounted for; none may be twice."""
    wait_for(lambda: sum(operator.counts(mode).values()) >= requests, "what came of each request is kept", seconds=5)
    counts = operator.counts(mode)
    assert sum(counts.values()) == requests
    return counts


def _check_variety(visitors: Visitors) -> None:
    """That the requests were what they were meant to be."""
    assert {status for (asked, status) in visitors.statuses if asked == f"POST {TRADES}"} == {
        201,
        400,
        403,
        409,
        413,
        415,
        422,
    }
    assert {status for (asked, status) in visitors.statuses if asked == f"PUT {CONFIG}"} == {200, 400, 413, 415}
    assert {status for (asked, status) in visitors.statuses if asked == f"POST {BACKTEST}"} == {200, 400}
    asked = {f"{name.partition(' ')[0]} {path_of(name)}" for name in BOTH_SIDES}
    assert {each for each, _ in visitors.statuses} >= {*asked, "HEAD /api/status"}
    assert any(len(ids) > 1 for ids in visitors.told_by_key.values())


def _check_ledger(visitors: Visitors, state: Path) -> None:
    """What clients were told is what is there: each trade without a key, one for each key, and not one more."""
    books = read_books(state)
    check_books(books)
    assert all(len(set(ids)) == 1 for ids in visitors.told_by_key.values())
    of_orders = {trade for _, trade in read_trades_of_orders(state)}
    trades = [row for row in books.rows if row.kind == "trade" and row.id not in of_orders]
    assert {row.key: row.id for row in trades if row.key} == {key: ids[0] for key, ids in visitors.told_by_key.items()}
    assert sorted(row.id for row in trades if not row.key) == sorted(visitors.told_without_key)
    check_orders(state)
    assert read_orders(state).keys() == visitors.orders


def _say(line: str) -> None:
    """Shown when the test fails, or with `-s`."""
    print(line)  # noqa: T201
