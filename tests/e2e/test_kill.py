"""`kill -9` under load. `pytest tests/e2e/test_kill.py --kills 60` is the soak."""

import random
import time
from pathlib import Path

import pytest

from tests.e2e.servers import Server, new_app, old_backend, settings
from tests.e2e.state_file import check_books, read_books
from tests.e2e.traders import Client, Crowd, trading

MOMENT_SECONDS = 0.5


def test_kill_9_loses_no_acknowledged_trade_and_doubles_none(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kills: int = request.config.getoption("--kills", default=5)
    seed: int = request.config.getoption("--kill-seed", default=None) or random.SystemRandom().randrange(2**32)
    _say(f"--kill-seed {seed}")
    moments = random.Random(seed)
    state = tmp_path / "state.sqlite3"
    sides = [
        settings(
            state,
            max_trades_per_day=1_000_000,
            modes={"POST /api/trading-window/trades": side},
            # The settings only seed the modes; a store that knows the endpoint keeps what it has.
            TRADEWINDOW_CUTOVER__PATH=f"cutover-{side}.sqlite3",
        )
        for side in ("legacy", "native")
    ]
    with new_app(sides[0], tmp_path, workers=4) as new, old_backend(sides[0], tmp_path, workers=2) as old:
        _start([new, old])
        with trading([new.port, old.port], traders_each=8) as crowd:
            for number in range(1, kills + 1):
                # Each third time both servers at once, else the new one, while the old one trades on.
                victims = [new, old] if number % 3 == 0 else [new]
                for server in victims:
                    crowd.wait_for_trades(server.port)
                time.sleep(moments.uniform(0, MOMENT_SECONDS))
                for server in victims:
                    server.kill()
                # The other side takes over, with the keys that this one has answered.
                new.environ = sides[number % 2]
                crowd.gentle.set()
                _start(victims)
                crowd.gentle.clear()
            for server in (new, old):
                crowd.wait_for_trades(server.port)
            crowd.stop()
        broken = sum(trader.broken_connections for trader in crowd.traders)
        found_again = sum(trader.found_again for trader in crowd.traders)
        _say(
            f"{kills} kills, {broken} broken connections or none at all, {len(crowd.acknowledged)} trades acknowledged,"
        )
        _say(f"{found_again} of them by a retry that found its trade in the ledger")
        _check(state, crowd)
        _ask_again([new, old], crowd, moments)
        _check(state, crowd)
        assert "Traceback" not in new.output + old.output


def _start(servers: list[Server]) -> None:
    for server in servers:
        server.launch()
    for server in servers:
        server.wait_until_ready()


def _check(state: Path, crowd: Crowd) -> None:
    """Every trade was answered in the end, so the ledger holds just those that were acknowledged."""
    books = read_books(state)
    check_books(books)
    acknowledged = crowd.acknowledged
    assert {row.key: row.id for row in books.rows} == {key: body["trade"]["id"] for key, body in acknowledged.items()}
    assert sorted(body["trades_today"] for body in acknowledged.values()) == list(range(1, len(acknowledged) + 1))


def _ask_again(servers: list[Server], crowd: Crowd, moments: random.Random) -> None:
    """A key that was answered gets the same answer, from either backend, and no trade."""
    acknowledged = crowd.acknowledged
    for server in servers:
        client = Client(server.port)
        for key in moments.sample(sorted(acknowledged), 20):
            answer = client.post_trade(key)
            assert (answer.status, answer.body) == (201, acknowledged[key])
        client.close()


def _say(line: str) -> None:
    """Shown when the test fails, or with `-s`: what it takes to hit at the same moments again, and what came of it."""
    print(line)  # noqa: T201
