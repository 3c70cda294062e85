"""What settings are where nothing is said, which source wins, and how they are made and handed on."""

import pickle
from decimal import Decimal
from pathlib import Path

import pytest

from shared.settings import Settings, StoreSettings, load_settings
from shared.window_config import WindowConfig


def test_defaults() -> None:
    settings = load_settings(environ={})
    assert settings.window.to_json() == {
        "start_hour": 0,
        "end_hour": 24,
        "max_trades_per_day": 5,
        "timezone": "UTC",
    }
    assert settings.model_dump(exclude={"window", "market", "exchange"}) == {
        "server": {
            "host": "127.0.0.1",
            "port": 8000,
            "workers": 1,
            "access_log": False,
            "drain_timeout_seconds": 10,
        },
        "store": {
            "path": Path("var/trading-window.sqlite3"),
            "busy_timeout_seconds": 5.0,
            "max_waiting_writes": 10_000,
        },
        "limits": {"max_body_bytes": 1_048_576},
        "bridge": {
            "threads": 10,
            "max_queued": 1_000,
            "max_body_bytes": 104_857_600,
            "body_memory_bytes": 65_536,
            "max_body_files": 1_000,
            "max_header_bytes": 65_536,
            "max_response_bytes": 0,
            "buffer_bytes": 65_536,
            "retry_after_seconds": 1.0,
            "send_timeout_seconds": 60.0,
            "watch_after_seconds": 0.5,
            "abandon_after_seconds": 5.0,
        },
        "cutover": {
            "modes": {},
            "path": Path("var/cutover.sqlite3"),
            "token_path": Path("var/cutover.token"),
            "client_key_headers": ["x-client-id", "x-api-key"],
            "pure": [],
            "costly": [],
            "redacted_fields": [],
            "poll_seconds": 0.25,
            "busy_timeout_seconds": 0.5,
            "concurrency": 8,
            "timeout_seconds": 5.0,
            "block_seconds": 1.0,
            "max_queued": 1_000,
            "max_queued_bytes": 67_108_864,
            "max_queued_seconds": 5.0,
            "max_request_bytes": 1_048_576,
            "max_response_bytes": 1_048_576,
            "max_native_errors": 5,
            "kept_mismatches": 200,
            "full_mismatches_per_second": 2.0,
        },
        "broker": {
            "kind": "paper",
            "symbols": [],
            "live": False,
            "balances": {"USD": Decimal(10_000)},
            "quanta": {},
            "fee_rate": Decimal("0.001"),
            "slippage_rate": Decimal("0.0005"),
            "reconcile_seconds": 5.0,
        },
        "bot": {
            "symbols": ["BTC-USD"],
            "timeframe": "1m",
            "strategies": {"ema_crossover": {}},
            "join_trend": True,
            "risk_per_trade": Decimal("0.01"),
            "stop_loss": Decimal("0.02"),
            "take_profit": Decimal("0.04"),
            "max_open_positions": 1,
            "max_daily_loss": Decimal("0.05"),
            "quantity_step": Decimal("0.000001"),
            "cycle_seconds": 5.0,
            "lease_seconds": 15.0,
            "max_cycle_seconds": 300.0,
            "notify_urls": None,
        },
        "backtest": {
            "candles": 2_000,
            "workers": 1,
            "max_queued": 3,
            "timeout_seconds": 30.0,
            "retry_after_seconds": 5,
        },
    }


def test_the_environment_wins_over_the_file_and_options_over_both() -> None:
    Path("given.toml").write_text('[server]\nhost = "10.0.0.1"\nport = 1\nworkers = 2\n')
    environ = {"TRADEWINDOW_SERVER__PORT": "2", "TRADEWINDOW_SERVER__WORKERS": "3"}
    server = load_settings(Path("given.toml"), environ, options={"server": {"workers": 4}}).server
    assert (server.host, server.port, server.workers) == ("10.0.0.1", 2, 4)


def test_settings_made_directly_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWINDOW_SERVER__PORT", "4321")
    Path("tradewindow.toml").write_text("[server]\nworkers = 9\n")
    settings = Settings(store=StoreSettings(path=Path("other.sqlite3")))
    assert (settings.server.port, settings.server.workers) == (8000, 1)
    assert settings.store.path == Path("other.sqlite3")


def test_the_window_section_is_a_window_config() -> None:
    window = load_settings(environ={"TRADEWINDOW_WINDOW__START_HOUR": "22"}).window
    assert type(window) is WindowConfig
    assert window.to_json() == {"start_hour": 22, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}


def test_settings_travel_to_worker_processes() -> None:
    settings = load_settings(environ={"TRADEWINDOW_CUTOVER__MODES": '{"GET /api/health": "native"}'})
    assert pickle.loads(pickle.dumps(settings)) == settings
