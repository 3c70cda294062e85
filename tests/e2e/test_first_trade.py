"""With the settings' defaults a bot trades the synthetic market within a minute of its start."""

import time
from pathlib import Path

import pytest

from shared.modes import Mode
from tests.e2e.servers import BOT, ask, new_app, settings, wait_for
from tests.e2e.state_file import check_books, check_orders, read_books, read_orders


@pytest.mark.parametrize("mode", ["legacy", "native"])
def test_the_first_order_comes_within_a_minute(mode: Mode, tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    environ = settings(state, modes=dict.fromkeys(BOT, mode))
    with new_app(environ, tmp_path) as server:
        server.start()
        began = time.monotonic()
        assert ask(server.port, "POST", "/api/bot/start") == (200, {"status": "started"})
        wait_for(lambda: read_orders(state), "the bot has traded")
        assert time.monotonic() - began < 60
        assert ask(server.port, "POST", "/api/bot/stop") == (200, {"status": "stopped"})
        _, listed = ask(server.port, "GET", "/api/orders")
        assert [order["client_order_id"] for order in listed["orders"]] == list(read_orders(state))
        check_orders(state)
        check_books(read_books(state))
        assert server.terminate() == 0
