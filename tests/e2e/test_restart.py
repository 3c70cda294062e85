"""Servers that are told to stop under load, come back with the day's count, and share one file while they run."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.e2e.servers import (
    ALL_NATIVE,
    Server,
    ask,
    new_app,
    new_app_under_uvicorn,
    old_backend,
    old_backend_under_flask,
    settings,
)
from tests.e2e.state_file import check_books, read_books
from tests.e2e.traders import TRADE, trading

Start = Callable[[Path], AbstractContextManager[Server]]

MANY = 1_000_000


def _serve(workers: int, side: str) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[Server]:
        environ = settings(_state(folder), max_trades_per_day=MANY, modes=ALL_NATIVE if side == "native" else {})
        with new_app(environ, folder, workers=workers) as server:
            yield server

    return start


def _uvicorn(workers: int) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[Server]:
        environ = settings(_state(folder), max_trades_per_day=MANY, modes=ALL_NATIVE)
        with new_app_under_uvicorn(environ, folder, workers=workers) as server:
            yield server

    return start


def _gunicorn(*, preload: bool) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[Server]:
        with old_backend(settings(_state(folder), max_trades_per_day=MANY), folder, preload=preload) as server:
            yield server

    return start


@pytest.mark.parametrize(
    ("start", "stop", "exit_code"),
    [
        pytest.param(_serve(1, "legacy"), Server.interrupt, 0, id="serve-legacy-SIGINT"),
        pytest.param(_serve(1, "native"), Server.terminate, 0, id="serve-native-SIGTERM"),
        pytest.param(_serve(2, "native"), Server.interrupt, 0, id="serve-2-workers-native-SIGINT"),
        pytest.param(_serve(2, "legacy"), Server.terminate, 0, id="serve-2-workers-legacy-SIGTERM"),
        # uvicorn ends by the signal itself, once all is closed.
        pytest.param(_uvicorn(1), Server.terminate, -signal.SIGTERM, id="uvicorn-SIGTERM"),
        # Not by SIGINT: gunicorn's handler for it waits now and then for a lock that it interrupted (seen with 27.0.1,
        # ThreadWorker.handle_quit), and its workers then end by SIGKILL after half a minute.
        pytest.param(_gunicorn(preload=False), Server.terminate, 0, id="gunicorn-SIGTERM"),
        pytest.param(_gunicorn(preload=True), Server.terminate, 0, id="gunicorn-preload-SIGTERM"),
    ],
)
def test_a_signal_under_load_ends_a_server_cleanly_and_it_comes_back_with_its_count(
    start: Start, stop: Callable[[Server], int], exit_code: int, tmp_path: Path
) -> None:
    with start(tmp_path) as server:
        server.start()
        with trading([server.port], traders_each=8) as crowd:
            crowd.wait_for_trades(server.port, each=3)
            assert stop(server) == exit_code
            assert "Traceback" not in server.output
            assert "ERROR" not in server.output
            before = read_books(_state(tmp_path))
            check_books(before)
            ids = {row.key: row.id for row in before.rows}
            assert all(ids[key] == body["trade"]["id"] for key, body in crowd.acknowledged.items())
            server.start()
            crowd.wait_for_trades(server.port)
            crowd.stop()
        books = read_books(_state(tmp_path))
        check_books(books)
        assert books.rows[: len(before.rows)] == before.rows
        assert {row.key for row in books.rows} == set(crowd.acknowledged)
        _, answer = ask(server.port, "POST", "/api/trading-window/trades", TRADE)
        assert answer["trades_today"] == len(books.rows) + 1
        assert stop(server) == exit_code


def test_a_used_up_limit_is_still_used_up_after_a_restart(tmp_path: Path) -> None:
    with new_app(settings(_state(tmp_path), max_trades_per_day=2, modes=ALL_NATIVE), tmp_path) as server:
        server.start()
        statuses = [ask(server.port, "POST", "/api/trading-window/trades", TRADE)[0] for _ in range(3)]
        assert statuses == [201, 201, 409]
        server.interrupt()
        server.start()
        assert ask(server.port, "GET", "/api/trading-window/can-trade") == (200, {"can_trade": False})
        assert ask(server.port, "GET", "/api/trading-window/remaining-trades") == (200, {"remaining_trades": 0})
        assert ask(server.port, "POST", "/api/trading-window/trades", TRADE)[0] == 409
        assert ask(server.port, "GET", "/api/trading-window/trades")[1]["count"] == 2
        assert "Stopped; what was acknowledged is kept." not in server.stdout
        assert server.interrupt() == 0
        assert server.stdout.endswith("Stopped; what was acknowledged is kept.\n")
        assert server.stderr == ""


def test_the_old_backend_alone_and_the_new_app_see_each_others_trades_and_rules_at_once(tmp_path: Path) -> None:
    environ = settings(_state(tmp_path), max_trades_per_day=100)
    native = environ | settings(_state(tmp_path), max_trades_per_day=100, modes=ALL_NATIVE)
    with (
        new_app(native, tmp_path) as new,
        old_backend_under_flask(environ, tmp_path) as flask_run,
        old_backend(environ, tmp_path, preload=False) as gunicorn,
        old_backend(environ, tmp_path, preload=True) as preloaded,
    ):
        servers = [new, flask_run, gunicorn, preloaded]
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_until_ready()
        count = 0
        for writer in servers:
            count += 1
            status, answer = ask(writer.port, "POST", "/api/trading-window/trades", TRADE, Idempotency_Key=f"{count}")
            assert (status, answer["trades_today"], answer["remaining_trades"]) == (201, count, 100 - count)
            for reader in servers:
                _, trades = ask(reader.port, "GET", "/api/trading-window/trades")
                assert (trades["count"], trades["trades"][0]) == (count, answer["trade"])
                # The key is known to all of them, and makes no second trade.
                path = "/api/trading-window/trades"
                assert ask(reader.port, "POST", path, TRADE, Idempotency_Key=f"{count}") == (201, answer)
        for writer in servers:
            count += 1
            assert ask(writer.port, "PUT", "/api/trading-window/config", {"max_trades_per_day": count})[0] == 200
            for reader in servers:
                assert ask(reader.port, "GET", "/api/trading-window/config")[1]["max_trades_per_day"] == count
        assert len(read_books(_state(tmp_path)).rows) == count
        assert not [server.output for server in servers if "Traceback" in server.output]


def _state(folder: Path) -> Path:
    return folder / "state.sqlite3"
