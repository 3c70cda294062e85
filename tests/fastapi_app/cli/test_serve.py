import os
import re
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.fastapi_app.cli.running import DEADLINE_SECONDS, Server, serving, wait_until

TRADE = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.5", "price": "60000.10"}


def side_of(answer: httpx.Response) -> str:
    return answer.headers["X-Cutover-Side"]


def refusal(server: Server) -> str:
    """The one sentence of a start that failed."""
    assert server.process.wait(DEADLINE_SECONDS) == 3
    assert server.lines == []
    (sentence,) = server.errors
    return sentence


def test_it_says_where_it_is_and_answers_there(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.lines[0].startswith("Trading window ")
        assert server.told("docs") == f"{server.address}/docs"
        assert server.told("state") == str(tmp_path / "var" / "trading-window.sqlite3")
        assert server.told("prices") == "synthetic (made up, seed 1)"
        assert server.told("token") == str(tmp_path / "var" / "cutover.token")
        assert server.told("api") == f"{server.address}/cutover/docs"
        assert server.told("stop") == "Ctrl-C"
        assert urlsplit(server.address).hostname == "127.0.0.1"

        health = server.get("/api/health")
        assert (health.json(), health.headers["X-Prices"]) == ({"status": "healthy"}, "synthetic")
        assert server.get("/docs").status_code == server.get("/cutover/docs").status_code == 200
        assert Path(server.told("token")).is_file()
        assert (tmp_path / "var" / "trading-window.sqlite3").is_file()


@pytest.mark.parametrize("workers", ["1", "3"])
def test_ctrl_c_ends_it_with_one_line(tmp_path: Path, workers: str) -> None:
    with serving(tmp_path, "--workers", workers) as server:
        assert server.get("/api/health").status_code == 200
        announced = server.lines

        assert server.press_ctrl_c() == 0

        assert server.lines == [*announced, "Stopped; what was acknowledged is kept."]
        assert server.errors == []


@pytest.mark.parametrize("lost", ["trading-window.sqlite3", "cutover.sqlite3"])
def test_what_was_deleted_under_it_is_not_said_to_be_kept(tmp_path: Path, lost: str) -> None:
    with serving(tmp_path) as server:
        assert server.get("/api/health").status_code == 200
        file = tmp_path / "var" / lost
        file.unlink()
        assert server.press_ctrl_c() == 0
        assert server.lines[-1] == (
            f"Stopped; what was acknowledged may be lost, for this was deleted or replaced: {file}"
        )


def test_ctrl_c_as_soon_as_the_workers_start_shows_no_traceback(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "3") as server:
        assert server.press_ctrl_c() == 0
        assert server.errors == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_manager_s_stop_is_as_good_as_ctrl_c(tmp_path: Path, workers: str) -> None:
    with serving(tmp_path, "--workers", workers) as server:
        assert server.get("/api/health").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(DEADLINE_SECONDS) == 0
        assert server.lines[-1] == "Stopped; what was acknowledged is kept."
        assert server.errors == []


def test_the_next_start_still_has_today_s_trades(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.get("/api/health").status_code == 200
        answer = httpx.post(f"{server.address}/api/trading-window/trades", json=TRADE, timeout=DEADLINE_SECONDS)
        assert answer.status_code == 201
        assert server.press_ctrl_c() == 0
    with serving(tmp_path) as server:
        assert server.get("/api/trading-window/trades").json()["count"] == 1


def test_the_log_tells_what_the_bot_does_and_nothing_else_that_is_well(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as server:
        assert httpx.post(f"{server.address}/api/bot/start", timeout=DEADLINE_SECONDS).status_code == 200
        wait_until(lambda: any("Trading bot: entry: " in line for line in server.errors))
        assert httpx.post(f"{server.address}/api/bot/stop", timeout=DEADLINE_SECONDS).status_code == 200
        wait_until(lambda: any("the bot has stopped here" in line for line in server.errors))
        assert server.press_ctrl_c() == 0
        began, *trades, ended = server.errors
    told = re.fullmatch(r"INFO: +\[-\] the bot runs here, as (\S+-[0-9]+)", began)
    assert told
    assert re.fullmatch(rf"INFO: +\[-\] the bot has stopped here, as {told[1]}", ended)
    assert all(re.match(r"INFO: +\[-\] Trading bot: ", line) for line in trades)


def test_the_settings_reach_every_worker(tmp_path: Path) -> None:
    config = tmp_path / "given.toml"
    config.write_text('[cutover.modes]\n"GET /api/health" = "native"\n')
    with serving(tmp_path, "--workers", "2", "--config", str(config), WINDOW__MAX_TRADES_PER_DAY="7") as server:
        for _ in range(20):
            assert side_of(server.get("/api/health")) == "native"
            settings = server.get("/api/trading-window/config").json()
            assert settings["max_trades_per_day"] == 7


def test_an_option_wins_over_the_environment(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "127.0.0.2", SERVER__HOST="127.0.0.3", SERVER__PORT="1") as server:
        assert urlsplit(server.address).hostname == "127.0.0.2"
        assert server.get("/api/health").status_code == 200


def test_the_access_log_is_silent_unless_it_is_wanted(tmp_path: Path) -> None:
    with serving(tmp_path, SERVER__ACCESS_LOG="true") as server:
        server.get("/api/health")
        wait_until(lambda: any('"GET /api/health HTTP/1.1" 200' in line for line in server.lines))
    with serving(tmp_path) as server:
        server.get("/api/health")
        assert server.press_ctrl_c() == 0
        assert not any("GET /api/health" in line for line in server.lines)


def test_workers_don_t_outlive_a_killed_parent(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as server:
        assert server.get("/api/health").status_code == 200
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        wait_until(lambda: is_free(urlsplit(server.address).port or 0))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_a_taken_port_is_named_and_no_state_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refusal(Server(tmp_path, "--port", str(port))) == (
            f"tradewindow can't start: port {port} of 127.0.0.1 can't be listened on: "
            "Address already in use (server.port, server.host)"
        )
    assert not (tmp_path / "var").exists()


def test_a_state_folder_that_can_t_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("in the way")
    sentence = refusal(Server(tmp_path, "--port", "0"))
    state = tmp_path / "var" / "trading-window.sqlite3"
    assert sentence.startswith(f"tradewindow can't start: the state file {state} can't be used: ")


def test_a_state_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("This is no database, and never was one. " * 20)
    assert refusal(Server(tmp_path, "--port", "0", STORE__PATH="notes.txt")) == (
        f"tradewindow can't start: the state file {tmp_path / 'notes.txt'} can't be used: "
        "file is not a database (store.path)"
    )


def test_a_cutover_s_state_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("This is no database, and never was one. " * 20)
    assert refusal(Server(tmp_path, "--port", "0", CUTOVER__PATH="notes.txt")) == (
        f"tradewindow can't start: the state file {tmp_path / 'notes.txt'} can't be used: "
        "file is not a database (cutover.path)"
    )


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    assert refusal(Server(tmp_path, "--port", "0", WINDOW__START_HOUR="99")) == (
        "tradewindow can't start: window.start_hour: 99 is not a whole number from 0 to 23 "
        "(from TRADEWINDOW_WINDOW__START_HOUR)"
    )


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    assert refusal(Server(tmp_path, "--workers", "65")) == (
        "tradewindow can't start: server.workers: 65 is not a whole number from 1 to 64 (from the command line)"
    )


def test_a_broken_config_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tradewindow.toml").write_text("[server\n")
    sentence = refusal(Server(tmp_path))
    assert sentence.startswith("tradewindow can't start: the config file tradewindow.toml is not TOML: ")


def test_a_candle_file_that_can_t_be_read_is_named_and_no_state_is_made(tmp_path: Path) -> None:
    files = f'{{"BTC-USD": "{tmp_path / "none.csv"}"}}'
    assert refusal(Server(tmp_path, "--port", "0", MARKET__KIND="file", MARKET__FILES=files)) == (
        f"tradewindow can't start: the candle file {tmp_path / 'none.csv'} can't be read: No such file or directory"
    )
    assert not (tmp_path / "var").exists()


def test_a_mode_for_an_unknown_endpoint_is_named(tmp_path: Path) -> None:
    sentence = refusal(Server(tmp_path, "--port", "0", CUTOVER__MODES='{"GET /api/helth": "native"}'))
    assert sentence.startswith("tradewindow can't start: cutover.modes: ")
    assert "GET /api/helth" in sentence
