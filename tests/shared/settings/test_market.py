from pathlib import Path

import pytest

from shared.candle import Timeframe
from shared.errors import SettingsError
from shared.settings import ExchangeSettings, MarketSettings, load_settings

KEYS = ("api_key", "api_secret", "api_passphrase")


def test_the_defaults_are_safe() -> None:
    settings = load_settings(environ={})
    assert settings.market.model_dump() == {
        "kind": "synthetic",
        "symbols": ["BTC-USD", "ETH-USD"],
        "seed": 1,
        "files": {},
        "timeframe": Timeframe.MINUTE,
    }
    assert settings.exchange.model_dump() == {
        "name": "binance",
        "sandbox": True,
        "url": None,
        "api_key": None,
        "api_secret": None,
        "api_passphrase": None,
        "request_timeout_seconds": 5.0,
        "read_attempts": 4,
        "read_timeout_seconds": 15.0,
        "retry_wait_seconds": 0.2,
    }


def test_every_key_but_the_secret_ones_can_come_from_the_file() -> None:
    path = Path("given.toml")
    path.write_text("""
        [market]
        kind = "file"
        symbols = ["SOL-EUR"]
        seed = 9223372036854775807
        files = { "BTC-USD" = "recorded/btc.csv" }
        timeframe = "5m"
        [exchange]
        name = "kraken"
        sandbox = false
        url = "https://proxy.example:8443"
        request_timeout_seconds = 0.05
        read_attempts = 1
        read_timeout_seconds = 300
        retry_wait_seconds = 0.01
    """)
    settings = load_settings(path, {})
    assert settings.market == MarketSettings(
        kind="file",
        symbols=["SOL-EUR"],
        seed=9_223_372_036_854_775_807,
        files={"BTC-USD": Path("recorded/btc.csv")},
        timeframe=Timeframe.FIVE_MINUTES,
    )
    assert settings.exchange == ExchangeSettings(
        name="kraken",
        sandbox=False,
        url="https://proxy.example:8443",
        request_timeout_seconds=0.05,
        read_attempts=1,
        read_timeout_seconds=300,
        retry_wait_seconds=0.01,
    )


def test_every_key_can_come_from_the_environment() -> None:
    settings = load_settings(
        environ={
            "TRADEWINDOW_MARKET__KIND": "exchange",
            "TRADEWINDOW_MARKET__SYMBOLS": '["XRP-USD"]',
            "TRADEWINDOW_MARKET__SEED": "0",
            "TRADEWINDOW_MARKET__FILES": '{"BTC-USD": "btc.parquet"}',
            "TRADEWINDOW_MARKET__TIMEFRAME": "1d",
            "TRADEWINDOW_EXCHANGE__NAME": "okx",
            "TRADEWINDOW_EXCHANGE__SANDBOX": "false",
            "TRADEWINDOW_EXCHANGE__URL": "http://127.0.0.1:9000",
            "TRADEWINDOW_EXCHANGE__API_KEY": "12345",
            "TRADEWINDOW_EXCHANGE__API_SECRET": "hush",
            "TRADEWINDOW_EXCHANGE__API_PASSPHRASE": '{"not": "parsed"}',
            "TRADEWINDOW_EXCHANGE__REQUEST_TIMEOUT_SECONDS": "60",
            "TRADEWINDOW_EXCHANGE__READ_ATTEMPTS": "20",
            "TRADEWINDOW_EXCHANGE__READ_TIMEOUT_SECONDS": "0.1",
            "TRADEWINDOW_EXCHANGE__RETRY_WAIT_SECONDS": "60",
        }
    )
    assert settings.market.files == {"BTC-USD": Path("btc.parquet")}
    assert (settings.market.kind, settings.market.symbols, settings.market.seed) == ("exchange", ["XRP-USD"], 0)
    assert settings.market.timeframe is Timeframe.DAY
    exchange = settings.exchange
    assert [getattr(exchange, key).get_secret_value() for key in KEYS] == ["12345", "hush", '{"not": "parsed"}']
    assert (exchange.name, exchange.sandbox, exchange.url) == ("okx", False, "http://127.0.0.1:9000")
    assert (exchange.read_attempts, exchange.request_timeout_seconds) == (20, 60)
    assert (exchange.read_timeout_seconds, exchange.retry_wait_seconds) == (0.1, 60)


def test_no_text_of_the_settings_shows_a_key() -> None:
    settings = load_settings(environ={f"TRADEWINDOW_EXCHANGE__{key.upper()}": "hush-hush" for key in KEYS})
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "hush" not in shown


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_a_file_or_on_a_command_line_is_refused_and_not_shown(key: str) -> None:
    path = Path("given.toml")
    path.write_text(f'[exchange]\n{key} = "hush-hush"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert str(caught.value) == (
        f"exchange.{key} is taken from the environment alone, as TRADEWINDOW_EXCHANGE__{key.upper()} (from given.toml)"
    )
    with pytest.raises(SettingsError, match=r"the environment alone, .*\(from the command line\)"):
        load_settings(environ={}, options={"exchange": {key: "hush-hush"}})


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("MARKET__KIND", "real", 'market.kind: "real" is not "synthetic", "file" or "exchange"'),
        ("MARKET__SYMBOLS", '["btc"]', 'market.symbols: ["btc"] is not a list of symbols, such as ["BTC-USD"]'),
        ("MARKET__TIMEFRAME", "2m", 'market.timeframe: "2m" is not one of 1m, 5m, 15m, 1h, 1d'),
        (
            "EXCHANGE__URL",
            "127.0.0.1",
            'exchange.url: "127.0.0.1" is not a scheme and a host, such as http://127.0.0.1:9000',
        ),
        ("EXCHANGE__API_KEY", "", 'exchange.api_key: "" is not a text'),
        ("EXCHANGE__READ_ATTEMPTS", "0", "exchange.read_attempts: 0 is not a whole number from 1 to 20"),
    ],
)
def test_a_wrong_key_is_told_with_its_value_and_bound(variable: str, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={f"TRADEWINDOW_{variable}": text})
    assert str(caught.value) == f"{sentence} (from TRADEWINDOW_{variable})"
