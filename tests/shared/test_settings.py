import pickle
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.errors import SettingsError
from shared.settings import Settings, StoreSettings, load_settings
from shared.window_config import WindowConfig


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(environ: Mapping[str, str], config_file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config_file, environ)
    return str(caught.value)


def refusal_of_file(toml: str | bytes) -> str:
    path = Path("given.toml")
    path.write_bytes(toml.encode() if isinstance(toml, str) else toml)
    return refusal({}, path)


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


def test_the_environment_wins_over_the_file_and_options_over_both() -> None:
    Path("given.toml").write_text('[server]\nhost = "10.0.0.1"\nport = 1\nworkers = 2\n')
    environ = {"TRADEWINDOW_SERVER__PORT": "2", "TRADEWINDOW_SERVER__WORKERS": "3"}
    server = load_settings(Path("given.toml"), environ, options={"server": {"workers": 4}}).server
    assert (server.host, server.port, server.workers) == ("10.0.0.1", 2, 4)


def test_the_file_is_looked_for_in_three_places() -> None:
    Path("tradewindow.toml").write_text("[server]\nport = 1\n")
    Path("named.toml").write_text("[server]\nport = 2\n")
    Path("given.toml").write_text("[server]\nport = 3\n")
    named = {"TRADEWINDOW_CONFIG": "named.toml"}
    assert load_settings(environ={}).server.port == 1
    assert load_settings(environ=named).server.port == 2
    assert load_settings(Path("given.toml"), named).server.port == 3


def test_the_process_s_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWINDOW_SERVER__PORT", "4321")
    assert load_settings().server.port == 4321


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


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("WINDOW__START_HOUR", "99", "window.start_hour: 99 is not a whole number from 0 to 23"),
        ("WINDOW__START_HOUR", "-1", "window.start_hour: -1 is not a whole number from 0 to 23"),
        ("WINDOW__START_HOUR", "nine", 'window.start_hour: "nine" is not a whole number from 0 to 23'),
        ("WINDOW__START_HOUR", "true", 'window.start_hour: "true" is not a whole number from 0 to 23'),
        ("WINDOW__END_HOUR", "25", "window.end_hour: 25 is not a whole number from 0 to 24"),
        ("WINDOW__END_HOUR", "", 'window.end_hour: "" is not a whole number from 0 to 24'),
        (
            "WINDOW__TIMEZONE",
            "Mars/Olympus",
            'window.timezone: "Mars/Olympus" is not a time zone of the IANA database, such as Europe/Stockholm',
        ),
        ("SERVER__PORT", "65536", "server.port: 65536 is not a whole number from 0 to 65535"),
        ("SERVER__WORKERS", "0", "server.workers: 0 is not a whole number from 1 to 64"),
        ("SERVER__ACCESS_LOG", "perhaps", 'server.access_log: "perhaps" is not true or false'),
        ("SERVER__HOST", "", 'server.host: "" is not an address to listen on, such as 127.0.0.1'),
        ("STORE__PATH", "", 'store.path: "." is not the path of a file'),
        ("STORE__PATH", ":memory:", 'store.path: ":memory:" is not the path of a file'),
        ("STORE__BUSY_TIMEOUT_SECONDS", "0.09", "store.busy_timeout_seconds: 0.09 is not a number from 0.1 to 60"),
        ("STORE__BUSY_TIMEOUT_SECONDS", "nan", "store.busy_timeout_seconds: NaN is not a number from 0.1 to 60"),
        ("LIMITS__MAX_BODY_BYTES", "1023", "limits.max_body_bytes: 1023 is not a whole number from 1024 to 1073741824"),
        ("BRIDGE__THREADS", "257", "bridge.threads: 257 is not a whole number from 1 to 256"),
    ],
)
def test_a_wrong_variable_is_refused_with_its_key_value_and_bound(variable: str, text: str, sentence: str) -> None:
    name = f"TRADEWINDOW_{variable}"
    assert refusal({name: text}) == f"{sentence} (from {name})"


SYMBOLS_RULE = 'a list of 1 to 20 symbols, each once, such as ["BTC-USD"]'
RATE_RULE = 'a decimal in quotes from "0" to "0.1", such as "0.001"'
BALANCES_RULE = (
    "a table of currencies, such as USD, each with a decimal in quotes of at least 0 and at most 18 digits on either "
    'side of the point, such as { USD = "10000" }'
)
QUANTA_RULE = (
    "a table of currencies, such as USD, each with a decimal in quotes greater than 0 and at most 1, such as "
    '{ USD = "0.01" }'
)
MODES_RULE = (
    "a table of endpoints, each with a mode (legacy, shadow, canary, verify or native) or a table of mode, percent "
    '(for canary, and for canary alone) and sample_rate, such as {"GET /api/health": "native"}'
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"GET /api/health": "both"}', '{"GET /api/health": "both"}'),
        ('{"GET /api/health": {"mode": "canary"}}', '{"GET /api/health": {"mode": "canary"}}'),
        ('{"GET /x": {"mode": "shadow", "rate": 1}}', '{"GET /x": {"mode": "shadow", "rate": 1}}'),
        ('{"GET /api/status": "native", "/api/health": "native"}', '{"/api/health": "native"}'),
        ('{"get /api/health": "native"}', '{"get /api/health": "native"}'),
        ("[]", "[]"),
        ("native", '"native"'),
        ('{"GET', '"{\\"GET"'),
    ],
)
def test_a_wrong_mode_is_refused_with_its_endpoint(text: str, shown: str) -> None:
    name = "TRADEWINDOW_CUTOVER__MODES"
    assert refusal({name: text}) == f"cutover.modes: {shown} is not {MODES_RULE} (from {name})"


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('[server]\nport = "80"', 'server.port: "80" is not a whole number from 0 to 65535'),
        ("[server]\nport = true", "server.port: true is not a whole number from 0 to 65535"),
        ("[server]\nport = 80.0", "server.port: 80.0 is not a whole number from 0 to 65535"),
        ('[server]\naccess_log = "yes"', 'server.access_log: "yes" is not true or false'),
        ("[server]\nhost = 1", "server.host: 1 is not an address to listen on, such as 127.0.0.1"),
        ("[store]\nbusy_timeout_seconds = true", "store.busy_timeout_seconds: true is not a number from 0.1 to 60"),
        ("[window]\nstart_hour = 24", "window.start_hour: 24 is not a whole number from 0 to 23"),
        ('[broker]\nkind = "live"', 'broker.kind: "live" is not "paper" or "exchange"'),
        ("[broker]\nlive = 1", "broker.live: 1 is not true or false"),
        (
            '[broker]\nsymbols = ["BTCUSDT"]',
            'broker.symbols: ["BTCUSDT"] is not a list of at most 20 symbols, such as ["BTC-USDT"]',
        ),
        ("[broker]\nfee_rate = 0.001", f"broker.fee_rate: 0.001 is not {RATE_RULE}"),
        ('[broker]\nfee_rate = "0.11"', f'broker.fee_rate: "0.11" is not {RATE_RULE}'),
        ('[broker]\nslippage_rate = "-0.1"', f'broker.slippage_rate: "-0.1" is not {RATE_RULE}'),
        ('[broker]\nslippage_rate = "nan"', f'broker.slippage_rate: "nan" is not {RATE_RULE}'),
        ("[broker]\nreconcile_seconds = 0", "broker.reconcile_seconds: 0 is not a number from 0.1 to 3600"),
        ('[broker.balances]\nEUR = 1\nUSD = "-1"', f'broker.balances: {{"USD": "-1"}} is not {BALANCES_RULE}'),
        ("[broker.balances]\nUSD = 0.1", f'broker.balances: {{"USD": 0.1}} is not {BALANCES_RULE}'),
        ('[broker.balances]\nusd = "1"', f'broker.balances: {{"usd": "1"}} is not {BALANCES_RULE}'),
        ("[broker.quanta]\nUSD = 0", f'broker.quanta: {{"USD": 0}} is not {QUANTA_RULE}'),
        ("[broker.quanta]\nUSD = 2", f'broker.quanta: {{"USD": 2}} is not {QUANTA_RULE}'),
        ("[bot]\nsymbols = []", f"bot.symbols: [] is not {SYMBOLS_RULE}"),
        (
            '[bot]\nsymbols = ["BTC-USD", "BTC-USD"]',
            f'bot.symbols: ["BTC-USD", "BTC-USD"] is not {SYMBOLS_RULE}',
        ),
        ('[bot]\ntimeframe = "2m"', 'bot.timeframe: "2m" is not one of 1m, 5m, 15m, 1h, 1d'),
        (
            '[bot]\nrisk_per_trade = "0"',
            'bot.risk_per_trade: "0" is not a decimal in quotes greater than "0" and at most "0.1", such as "0.01"',
        ),
        (
            '[bot]\ntake_profit = "11"',
            'bot.take_profit: "11" is not a decimal in quotes of at least "0" and at most "10", such as "0.01"',
        ),
        ("[bot]\nmax_open_positions = 0", "bot.max_open_positions: 0 is not a whole number from 1 to 100"),
        (
            '[cutover]\nclient_key_headers = ["x-client id"]',
            'cutover.client_key_headers: ["x-client id"] is not a list of header names; the first that a request has '
            "tells its client",
        ),
        ('[cutover.modes]\n"GET /x" = "both"', f'cutover.modes: {{"GET /x": "both"}} is not {MODES_RULE}'),
        (
            "[server]\nprot = 80",
            "server.prot: 80 is not expected: "
            "the known fields are host, port, workers, access_log, drain_timeout_seconds",
        ),
        (
            "[sever]\nport = 80",
            'sever: {"port": 80} is not expected: '
            "the sections are server, store, window, market, exchange, limits, bridge, cutover, broker, bot, backtest",
        ),
        ("server = 80", "server: 80 is not a table of keys"),
    ],
)
def test_a_wrong_key_of_the_file_is_refused_with_the_file(toml: str, sentence: str) -> None:
    assert refusal_of_file(toml) == f"{sentence} (from given.toml)"


def test_a_wrong_option_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={}, options={"server": {"workers": 65}})
    assert str(caught.value) == "server.workers: 65 is not a whole number from 1 to 64 (from the command line)"


def test_the_first_wrong_key_in_the_order_of_the_sections_is_named() -> None:
    toml = "[window]\nend_hour = 25\nstart_hour = 99\n[store]\nmax_waiting_writes = 0\n"
    sentence = "store.max_waiting_writes: 0 is not a whole number from 1 to 1000000 (from given.toml)"
    assert refusal_of_file(toml) == sentence


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
