"""Every key in a config file, where the file is looked for, and files that can't be read."""

from decimal import Decimal
from pathlib import Path

from shared.settings import load_settings
from tests.shared.settings.refusals import refusal, refusal_of_file


def test_every_key_can_come_from_the_file() -> None:
    Path("given.toml").write_text("""
        [server]
        host = "::1"
        port = 0
        workers = 4
        access_log = true
        drain_timeout_seconds = 0
        [store]
        path = "/srv/state.sqlite3"
        busy_timeout_seconds = 60
        max_waiting_writes = 1
        [window]
        start_hour = 9
        end_hour = 17
        max_trades_per_day = 100
        timezone = "Europe/Stockholm"
        intervals = [{ days = ["mon", "fri"], start = "22:00", end = "06:00" }]
        calendar = "XSTO"
        blackouts = [{ start = 2026-12-24T12:00:00+01:00, end = 2026-12-26T00:00:00+01:00, reason = "Christmas" }]
        weekly_blackouts = [{ days = ["sun"], start = "00:00", end = "24:00", reason = "rest" }]
        day_turns_at = "session"
        day_timezone = "America/New_York"
        symbol_limits = { "BTC-USD" = 2, "*" = 1 }
        side_limits = { sell = 3 }
        strategy_limits = { rsi = 4 }
        cooldown_seconds = 300
        symbol_cooldown_seconds = 604800
        permit_seconds = 1
        in_doubt_after_seconds = 86400
        confirm_while_halted = false
        [limits]
        max_body_bytes = 1024
        [bridge]
        threads = 256
        max_queued = 0
        max_body_bytes = 1024
        body_memory_bytes = 0
        max_body_files = 0
        max_header_bytes = 1048576
        max_response_bytes = 1099511627776
        buffer_bytes = 1
        retry_after_seconds = 0
        send_timeout_seconds = 0.1
        watch_after_seconds = 0
        abandon_after_seconds = 0.5
        [cutover]
        path = "/srv/cutover.sqlite3"
        token_path = "/srv/cutover.token"
        client_key_headers = ["x-account"]
        pure = ["POST /api/search"]
        costly = ["POST /api/backtest/run"]
        redacted_fields = ["iban"]
        poll_seconds = 0.05
        busy_timeout_seconds = 0.1
        concurrency = 64
        timeout_seconds = 600
        block_seconds = 60
        max_queued = 0
        max_queued_bytes = 0
        max_queued_seconds = 0.1
        max_request_bytes = 0
        max_response_bytes = 0
        max_native_errors = 0
        kept_mismatches = 1
        full_mismatches_per_second = 0
        [broker]
        kind = "paper"
        symbols = ["BTC-USDT", "ETH-USDT"]
        live = true
        balances = { USD = 5, EUR = "0.05" }
        quanta = { USD = "0.01", JPY = 1 }
        fee_rate = 0
        slippage_rate = "0.1"
        reconcile_seconds = 0.1
        [bot]
        symbols = ["ETH-USD", "BTC-USD"]
        timeframe = "5m"
        join_trend = false
        risk_per_trade = "0.1"
        stop_loss = "0.5"
        take_profit = 0
        max_open_positions = 100
        max_daily_loss = 1
        quantity_step = 1
        cycle_seconds = 0.05
        lease_seconds = 600
        max_cycle_seconds = 86_400
        [backtest]
        candles = 50_000
        workers = 16
        max_queued = 0
        timeout_seconds = 600
        retry_after_seconds = 0
        [bot.strategies.ema_crossover]
        fast = 3
        [bot.strategies.rsi]
        [cutover.modes]
        "GET /api/health" = "native"
        "PUT /api/trading-window/config" = { mode = "canary", percent = 5, sample_rate = 0.5 }
    """)
    settings = load_settings(Path("given.toml"), {})
    assert settings.window.to_json() == {
        "start_hour": 9,
        "end_hour": 17,
        "max_trades_per_day": 100,
        "timezone": "Europe/Stockholm",
        "intervals": [{"days": ["mon", "fri"], "start": "22:00", "end": "06:00"}],
        "calendar": "XSTO",
        "blackouts": [
            {"start": "2026-12-24T11:00:00.000000Z", "end": "2026-12-25T23:00:00.000000Z", "reason": "Christmas"}
        ],
        "weekly_blackouts": [{"days": ["sun"], "start": "00:00", "end": "24:00", "reason": "rest"}],
        "day_turns_at": "session",
        "day_timezone": "America/New_York",
        "symbol_limits": {"BTC-USD": 2, "*": 1},
        "side_limits": {"sell": 3},
        "strategy_limits": {"rsi": 4},
        "cooldown_seconds": 300,
        "symbol_cooldown_seconds": 604_800,
        "permit_seconds": 1,
        "in_doubt_after_seconds": 86_400,
        "confirm_while_halted": False,
    }
    assert settings.model_dump(exclude={"window", "market", "exchange"}) == {
        "server": {"host": "::1", "port": 0, "workers": 4, "access_log": True, "drain_timeout_seconds": 0},
        "store": {"path": Path("/srv/state.sqlite3"), "busy_timeout_seconds": 60.0, "max_waiting_writes": 1},
        "limits": {"max_body_bytes": 1024},
        "bridge": {
            "threads": 256,
            "max_queued": 0,
            "max_body_bytes": 1024,
            "body_memory_bytes": 0,
            "max_body_files": 0,
            "max_header_bytes": 1_048_576,
            "max_response_bytes": 1_099_511_627_776,
            "buffer_bytes": 1,
            "retry_after_seconds": 0.0,
            "send_timeout_seconds": 0.1,
            "watch_after_seconds": 0.0,
            "abandon_after_seconds": 0.5,
        },
        "cutover": {
            "modes": {
                "GET /api/health": {"mode": "native", "percent": None, "sample_rate": 1.0},
                "PUT /api/trading-window/config": {"mode": "canary", "percent": 5.0, "sample_rate": 0.5},
            },
            "path": Path("/srv/cutover.sqlite3"),
            "token_path": Path("/srv/cutover.token"),
            "client_key_headers": ["x-account"],
            "pure": ["POST /api/search"],
            "costly": ["POST /api/backtest/run"],
            "redacted_fields": ["iban"],
            "poll_seconds": 0.05,
            "busy_timeout_seconds": 0.1,
            "concurrency": 64,
            "timeout_seconds": 600.0,
            "block_seconds": 60.0,
            "max_queued": 0,
            "max_queued_bytes": 0,
            "max_queued_seconds": 0.1,
            "max_request_bytes": 0,
            "max_response_bytes": 0,
            "max_native_errors": 0,
            "kept_mismatches": 1,
            "full_mismatches_per_second": 0.0,
        },
        "broker": {
            "kind": "paper",
            "symbols": ["BTC-USDT", "ETH-USDT"],
            "live": True,
            "balances": {"USD": Decimal(5), "EUR": Decimal("0.05")},
            "quanta": {"USD": Decimal("0.01"), "JPY": Decimal(1)},
            "fee_rate": Decimal(0),
            "slippage_rate": Decimal("0.1"),
            "reconcile_seconds": 0.1,
        },
        "bot": {
            "symbols": ["ETH-USD", "BTC-USD"],
            "timeframe": "5m",
            "strategies": {"ema_crossover": {"fast": 3}, "rsi": {}},
            "join_trend": False,
            "risk_per_trade": Decimal("0.1"),
            "stop_loss": Decimal("0.5"),
            "take_profit": Decimal(0),
            "max_open_positions": 100,
            "max_daily_loss": Decimal(1),
            "quantity_step": Decimal(1),
            "cycle_seconds": 0.05,
            "lease_seconds": 600.0,
            "max_cycle_seconds": 86_400.0,
            "notify_urls": None,
        },
        "backtest": {
            "candles": 50000,
            "workers": 16,
            "max_queued": 0,
            "timeout_seconds": 600.0,
            "retry_after_seconds": 0,
        },
    }


def test_the_file_is_looked_for_in_three_places() -> None:
    Path("tradewindow.toml").write_text("[server]\nport = 1\n")
    Path("named.toml").write_text("[server]\nport = 2\n")
    Path("given.toml").write_text("[server]\nport = 3\n")
    named = {"TRADEWINDOW_CONFIG": "named.toml"}
    assert load_settings(environ={}).server.port == 1
    assert load_settings(environ=named).server.port == 2
    assert load_settings(Path("given.toml"), named).server.port == 3


def test_a_file_that_is_named_and_missing_is_refused() -> None:
    sentence = "the config file nowhere.toml can't be read: No such file or directory"
    assert refusal({"TRADEWINDOW_CONFIG": "nowhere.toml"}) == sentence
    assert refusal({}, Path("nowhere.toml")) == sentence


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert refusal({}, tmp_path) == f"the config file {tmp_path} can't be read: Is a directory"


def test_a_file_that_is_not_toml_is_refused_with_its_line() -> None:
    sentence = refusal_of_file('[server]\nhost = "127.0.0.1"\nport 80\n')
    assert sentence.startswith("the config file given.toml is not TOML: ")
    assert "line 3" in sentence


def test_a_file_that_is_not_utf_8_is_refused_with_its_line() -> None:
    assert refusal_of_file(b'[server]\nhost = "\xff"\n') == "the config file given.toml is not UTF-8 (at line 2)"
