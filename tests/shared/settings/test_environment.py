"""Every key in a variable of the environment, and variables that no setting has."""

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.settings import load_settings
from tests.shared.settings.refusals import refusal


def test_every_key_can_come_from_the_environment() -> None:
    settings = load_settings(
        environ={
            "TRADEWINDOW_SERVER__HOST": "0.0.0.0",
            "TRADEWINDOW_SERVER__PORT": "65535",
            "TRADEWINDOW_SERVER__WORKERS": "64",
            "TRADEWINDOW_SERVER__ACCESS_LOG": "true",
            "TRADEWINDOW_SERVER__DRAIN_TIMEOUT_SECONDS": "3600",
            "TRADEWINDOW_STORE__PATH": "state/window.sqlite3",
            "TRADEWINDOW_STORE__BUSY_TIMEOUT_SECONDS": "0.1",
            "TRADEWINDOW_STORE__MAX_WAITING_WRITES": "1000000",
            "TRADEWINDOW_WINDOW__START_HOUR": "9",
            "TRADEWINDOW_WINDOW__END_HOUR": "17",
            "TRADEWINDOW_WINDOW__MAX_TRADES_PER_DAY": "0",
            "TRADEWINDOW_WINDOW__TIMEZONE": "America/New_York",
            "TRADEWINDOW_WINDOW__INTERVALS": '[{"days": ["mon"], "start": "22:00", "end": "06:00"}]',
            "TRADEWINDOW_WINDOW__SYMBOL_LIMITS": '{"*": 1}',
            "TRADEWINDOW_WINDOW__COOLDOWN_SECONDS": "604800",
            "TRADEWINDOW_WINDOW__CONFIRM_WHILE_HALTED": "false",
            "TRADEWINDOW_LIMITS__MAX_BODY_BYTES": "1073741824",
            "TRADEWINDOW_BRIDGE__THREADS": "1",
            "TRADEWINDOW_BRIDGE__MAX_QUEUED": "1000000",
            "TRADEWINDOW_BRIDGE__MAX_BODY_BYTES": "1099511627776",
            "TRADEWINDOW_BRIDGE__BODY_MEMORY_BYTES": "1073741824",
            "TRADEWINDOW_BRIDGE__MAX_BODY_FILES": "1000000",
            "TRADEWINDOW_BRIDGE__MAX_HEADER_BYTES": "1024",
            "TRADEWINDOW_BRIDGE__MAX_RESPONSE_BYTES": "1",
            "TRADEWINDOW_BRIDGE__BUFFER_BYTES": "1073741824",
            "TRADEWINDOW_BRIDGE__RETRY_AFTER_SECONDS": "3600",
            "TRADEWINDOW_BRIDGE__SEND_TIMEOUT_SECONDS": "3600",
            "TRADEWINDOW_BRIDGE__WATCH_AFTER_SECONDS": "3600",
            "TRADEWINDOW_BRIDGE__ABANDON_AFTER_SECONDS": "3600",
            "TRADEWINDOW_CUTOVER__MODES": '{"GET /api/health": "native", "GET /x": {"mode": "canary", "percent": 5}}',
            "TRADEWINDOW_CUTOVER__PATH": "state/cutover.sqlite3",
            "TRADEWINDOW_CUTOVER__TOKEN_PATH": "state/cutover.token",
            "TRADEWINDOW_CUTOVER__CLIENT_KEY_HEADERS": '["x-account", "x-api-key"]',
            "TRADEWINDOW_CUTOVER__PURE": '["POST /api/search"]',
            "TRADEWINDOW_CUTOVER__COSTLY": '["POST /api/backtest/run"]',
            "TRADEWINDOW_CUTOVER__REDACTED_FIELDS": '["iban"]',
            "TRADEWINDOW_CUTOVER__POLL_SECONDS": "1",
            "TRADEWINDOW_CUTOVER__BUSY_TIMEOUT_SECONDS": "60",
            "TRADEWINDOW_CUTOVER__CONCURRENCY": "1",
            "TRADEWINDOW_CUTOVER__TIMEOUT_SECONDS": "0.1",
            "TRADEWINDOW_CUTOVER__BLOCK_SECONDS": "0.1",
            "TRADEWINDOW_CUTOVER__MAX_QUEUED": "1000000",
            "TRADEWINDOW_CUTOVER__MAX_QUEUED_BYTES": "1099511627776",
            "TRADEWINDOW_CUTOVER__MAX_QUEUED_SECONDS": "86400",
            "TRADEWINDOW_CUTOVER__MAX_REQUEST_BYTES": "1073741824",
            "TRADEWINDOW_CUTOVER__MAX_RESPONSE_BYTES": "1073741824",
            "TRADEWINDOW_CUTOVER__MAX_NATIVE_ERRORS": "1000000",
            "TRADEWINDOW_CUTOVER__KEPT_MISMATCHES": "100000",
            "TRADEWINDOW_CUTOVER__FULL_MISMATCHES_PER_SECOND": "1000000",
            "TRADEWINDOW_BROKER__KIND": "exchange",
            "TRADEWINDOW_BROKER__SYMBOLS": '["BTC-EUR"]',
            "TRADEWINDOW_BROKER__LIVE": "true",
            "TRADEWINDOW_BROKER__BALANCES": '{"EUR": "100.10"}',
            "TRADEWINDOW_BROKER__QUANTA": '{"EUR": "0.01"}',
            "TRADEWINDOW_BROKER__FEE_RATE": "0.0026",
            "TRADEWINDOW_BROKER__SLIPPAGE_RATE": "0",
            "TRADEWINDOW_BROKER__RECONCILE_SECONDS": "3600",
            "TRADEWINDOW_BOT__SYMBOLS": '["ETH-USD"]',
            "TRADEWINDOW_BOT__TIMEFRAME": "1h",
            "TRADEWINDOW_BOT__JOIN_TREND": "false",
            "TRADEWINDOW_BOT__STRATEGIES": '{"rsi": {"period": 7}}',
            "TRADEWINDOW_BOT__RISK_PER_TRADE": "0.005",
            "TRADEWINDOW_BOT__STOP_LOSS": "0.01",
            "TRADEWINDOW_BOT__TAKE_PROFIT": "0.03",
            "TRADEWINDOW_BOT__MAX_OPEN_POSITIONS": "2",
            "TRADEWINDOW_BOT__MAX_DAILY_LOSS": "0.1",
            "TRADEWINDOW_BOT__QUANTITY_STEP": "0.001",
            "TRADEWINDOW_BOT__CYCLE_SECONDS": "1",
            "TRADEWINDOW_BOT__LEASE_SECONDS": "30",
            "TRADEWINDOW_BOT__MAX_CYCLE_SECONDS": "60",
            "TRADEWINDOW_BACKTEST__CANDLES": "10",
            "TRADEWINDOW_BACKTEST__WORKERS": "2",
            "TRADEWINDOW_BACKTEST__MAX_QUEUED": "100",
            "TRADEWINDOW_BACKTEST__TIMEOUT_SECONDS": "0.1",
            "TRADEWINDOW_BACKTEST__RETRY_AFTER_SECONDS": "3600",
            "TRADEWINDOW_BOT__NOTIFY_URLS": "json://127.0.0.1 mailto://a:b@example.org",
            "HOME": "/home/trader",
        }
    )
    assert settings.window.to_json() == {
        "start_hour": 9,
        "end_hour": 17,
        "max_trades_per_day": 0,
        "timezone": "America/New_York",
        "intervals": [{"days": ["mon"], "start": "22:00", "end": "06:00"}],
        "symbol_limits": {"*": 1},
        "cooldown_seconds": 604_800,
        "confirm_while_halted": False,
    }
    assert settings.model_dump(exclude={"window", "market", "exchange"}) == {
        "server": {
            "host": "0.0.0.0",
            "port": 65_535,
            "workers": 64,
            "access_log": True,
            "drain_timeout_seconds": 3_600,
        },
        "store": {
            "path": Path("state/window.sqlite3"),
            "busy_timeout_seconds": 0.1,
            "max_waiting_writes": 1_000_000,
        },
        "limits": {"max_body_bytes": 1_073_741_824},
        "bridge": {
            "threads": 1,
            "max_queued": 1_000_000,
            "max_body_bytes": 1_099_511_627_776,
            "body_memory_bytes": 1_073_741_824,
            "max_body_files": 1_000_000,
            "max_header_bytes": 1_024,
            "max_response_bytes": 1,
            "buffer_bytes": 1_073_741_824,
            "retry_after_seconds": 3_600.0,
            "send_timeout_seconds": 3_600.0,
            "watch_after_seconds": 3_600.0,
            "abandon_after_seconds": 3_600.0,
        },
        "cutover": {
            "modes": {
                "GET /api/health": {"mode": "native", "percent": None, "sample_rate": 1.0},
                "GET /x": {"mode": "canary", "percent": 5.0, "sample_rate": 1.0},
            },
            "path": Path("state/cutover.sqlite3"),
            "token_path": Path("state/cutover.token"),
            "client_key_headers": ["x-account", "x-api-key"],
            "pure": ["POST /api/search"],
            "costly": ["POST /api/backtest/run"],
            "redacted_fields": ["iban"],
            "poll_seconds": 1.0,
            "busy_timeout_seconds": 60.0,
            "concurrency": 1,
            "timeout_seconds": 0.1,
            "block_seconds": 0.1,
            "max_queued": 1_000_000,
            "max_queued_bytes": 1_099_511_627_776,
            "max_queued_seconds": 86_400.0,
            "max_request_bytes": 1_073_741_824,
            "max_response_bytes": 1_073_741_824,
            "max_native_errors": 1_000_000,
            "kept_mismatches": 100_000,
            "full_mismatches_per_second": 1_000_000.0,
        },
        "broker": {
            "kind": "exchange",
            "symbols": ["BTC-EUR"],
            "live": True,
            "balances": {"EUR": Decimal("100.10")},
            "quanta": {"EUR": Decimal("0.01")},
            "fee_rate": Decimal("0.0026"),
            "slippage_rate": Decimal(0),
            "reconcile_seconds": 3600.0,
        },
        "bot": {
            "symbols": ["ETH-USD"],
            "timeframe": "1h",
            "strategies": {"rsi": {"period": 7}},
            "join_trend": False,
            "risk_per_trade": Decimal("0.005"),
            "stop_loss": Decimal("0.01"),
            "take_profit": Decimal("0.03"),
            "max_open_positions": 2,
            "max_daily_loss": Decimal("0.1"),
            "quantity_step": Decimal("0.001"),
            "cycle_seconds": 1.0,
            "lease_seconds": 30.0,
            "max_cycle_seconds": 60.0,
            "notify_urls": SecretStr("json://127.0.0.1 mailto://a:b@example.org"),
        },
        "backtest": {
            "candles": 10,
            "workers": 2,
            "max_queued": 100,
            "timeout_seconds": 0.1,
            "retry_after_seconds": 3600,
        },
    }


def test_the_process_s_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWINDOW_SERVER__PORT", "4321")
    assert load_settings().server.port == 4321


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        (
            "TRADEWINDOW_SERVER__PROT",
            "TRADEWINDOW_SERVER__PROT: no setting has this name; is it TRADEWINDOW_SERVER__PORT?",
        ),
        (
            "TRADEWINDOW_SERVER_PORT",
            "TRADEWINDOW_SERVER_PORT: no setting has this name; is it TRADEWINDOW_SERVER__PORT?",
        ),
        ("TRADEWINDOW_ZZZ", "TRADEWINDOW_ZZZ: no setting has this name"),
    ],
)
def test_an_unknown_variable_is_refused(variable: str, sentence: str) -> None:
    assert refusal({variable: "80"}) == sentence
