"""The settings: typed, from a TOML file and the environment; built once by each entry point and passed in."""

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared._settings_layers import Layer, section_of
from shared._settings_sources import CONFIG_VARIABLE, read_environment, read_toml
from shared.candle import Timeframe
from shared.errors import InvalidField, SettingsError
from shared.modes import EndpointMode
from shared.settings_fields import (
    Currency,
    EndpointName,
    EndpointNames,
    FilePath,
    HeaderName,
    MarketSymbol,
    Rate,
    Secret,
    WrittenDecimal,
    each_once,
    part,
    seconds,
    whole,
)
from shared.window_config import WindowConfig

DEFAULT_CONFIG_FILE = Path("tradewindow.toml")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ServerSettings(_Section):
    """The server process."""

    host: Annotated[str, Field(min_length=1, description="an address to listen on, such as 127.0.0.1")] = "127.0.0.1"
    port: Annotated[int, whole(0, 65_535)] = 8000
    workers: Annotated[int, whole(1, 64)] = 1
    access_log: Annotated[bool, Field(description="true or false")] = False
    drain_timeout_seconds: Annotated[int, whole(0, 3_600)] = 10


class StoreSettings(_Section):
    """Where the state lies. A relative path starts at the working directory."""

    path: FilePath = Path("var/trading-window.sqlite3")
    busy_timeout_seconds: Annotated[float, seconds(0.1, 60)] = 5.0
    max_waiting_writes: Annotated[int, whole(1, 1_000_000)] = 10_000


class LimitSettings(_Section):
    """What a request may cost."""

    max_body_bytes: Annotated[int, whole(1_024, 1_073_741_824)] = 1_048_576


class BridgeSettings(_Section):
    """The old stack under the new one's server."""

    threads: Annotated[int, whole(1, 256)] = 10
    max_queued: Annotated[int, whole(0, 1_000_000)] = 1_000
    max_body_bytes: Annotated[int, whole(1_024, 1_099_511_627_776)] = 104_857_600
    body_memory_bytes: Annotated[int, whole(0, 1_073_741_824)] = 65_536
    max_body_files: Annotated[int, whole(0, 1_000_000)] = 1_000
    max_header_bytes: Annotated[int, whole(1_024, 1_048_576)] = 65_536
    max_response_bytes: Annotated[int, whole(0, 1_099_511_627_776)] = 0
    buffer_bytes: Annotated[int, whole(1, 1_073_741_824)] = 65_536
    retry_after_seconds: Annotated[float, seconds(0, 3_600)] = 1.0
    send_timeout_seconds: Annotated[float, seconds(0.1, 3_600)] = 60.0
    watch_after_seconds: Annotated[float, seconds(0, 3_600)] = 0.5
    abandon_after_seconds: Annotated[float, seconds(0, 3_600)] = 5.0


class MarketSettings(_Section):
    """Where prices come from. `symbols` and `seed` are the synthetic market's; `files` and `timeframe` that of files;
    an exchange is said in the section `exchange`."""

    kind: Annotated[
        Literal["synthetic", "file", "exchange"], Field(description='"synthetic", "file" or "exchange"')
    ] = "synthetic"
    symbols: Annotated[
        list[MarketSymbol], Field(min_length=1, description='a list of symbols, such as ["BTC-USD"]')
    ] = ["BTC-USD", "ETH-USD"]
    seed: Annotated[int, whole(0, 2**63 - 1)] = 1
    files: Annotated[
        dict[MarketSymbol, FilePath],
        Field(description='a table of symbols and files, such as { "BTC-USD" = "candles.csv" }'),
    ] = {}
    timeframe: Annotated[Timeframe, Field(strict=False, description=f"one of {', '.join(Timeframe)}")] = (
        Timeframe.MINUTE
    )


class ExchangeSettings(_Section):
    """The exchange that the market or the broker asks, through ccxt. Its keys come from the environment alone."""

    name: Annotated[
        str, Field(pattern="^[a-z0-9]+$", description="the name that ccxt has for an exchange, such as binance")
    ] = "binance"
    sandbox: Annotated[bool, Field(description="true or false")] = True
    url: Annotated[
        str | None,
        Field(pattern="^https?://[^/?#]+$", description="a scheme and a host, such as http://127.0.0.1:9000"),
    ] = None
    api_key: Secret = None
    api_secret: Secret = None
    api_passphrase: Secret = None
    request_timeout_seconds: Annotated[float, seconds(0.05, 60)] = 5.0
    read_attempts: Annotated[int, whole(1, 20)] = 4
    read_timeout_seconds: Annotated[float, seconds(0.1, 300)] = 15.0
    retry_wait_seconds: Annotated[float, seconds(0.01, 60)] = 0.2


def _mode_of_name(given: Any) -> Any:
    """A mode's bare name stands for the mode with nothing else said."""
    return {"mode": given} if isinstance(given, str) else given


class CutoverSettings(_Section):
    """Which side serves an endpoint, and what it may cost to compare the two.

    `modes` seed the endpoints that the cutover's store doesn't know yet: a mode's name, or a table such as
    `{ mode = "canary", percent = 5, sample_rate = 0.5 }`. One that isn't named begins in mode `legacy`.
    """

    modes: Annotated[
        dict[EndpointName, Annotated[EndpointMode, BeforeValidator(_mode_of_name)]],
        Field(
            description="a table of endpoints, each with a mode (legacy, shadow, canary, verify or native) or a table "
            'of mode, percent (for canary, and for canary alone) and sample_rate, such as {"GET /api/health": "native"}'
        ),
    ] = {}
    path: FilePath = Path("var/cutover.sqlite3")
    token_path: FilePath = Path("var/cutover.token")
    client_key_headers: Annotated[
        list[HeaderName], Field(description="a list of header names; the first that a request has tells its client")
    ] = ["x-client-id", "x-api-key"]
    pure: EndpointNames = []
    costly: EndpointNames = []
    redacted_fields: Annotated[
        list[str], Field(description="a list of names of fields, query parameters and headers")
    ] = []
    poll_seconds: Annotated[float, seconds(0.05, 1)] = 0.25
    busy_timeout_seconds: Annotated[float, seconds(0.1, 60)] = 0.5
    concurrency: Annotated[int, whole(1, 64)] = 8
    timeout_seconds: Annotated[float, seconds(0.1, 600)] = 5.0
    block_seconds: Annotated[float, seconds(0.1, 60)] = 1.0
    max_queued: Annotated[int, whole(0, 1_000_000)] = 1_000
    max_queued_bytes: Annotated[int, whole(0, 1_099_511_627_776)] = 67_108_864
    max_queued_seconds: Annotated[float, seconds(0.1, 86_400)] = 5.0
    max_request_bytes: Annotated[int, whole(0, 1_073_741_824)] = 1_048_576
    max_response_bytes: Annotated[int, whole(0, 1_073_741_824)] = 1_048_576
    max_native_errors: Annotated[int, whole(0, 1_000_000)] = 5
    kept_mismatches: Annotated[int, whole(1, 100_000)] = 200
    full_mismatches_per_second: Annotated[float, seconds(0, 1_000_000)] = 2.0


class BrokerSettings(_Section):
    """Where orders go. The paper broker trades at the market's prices with money that is none.

    `balances` seed its account; once it is stored, trading alone changes it. The exchange's broker trades `symbols` at
    the exchange of the section `exchange`; where that isn't its sandbox, only if `live` says so. Every
    `reconcile_seconds` each process of the server asks what came of orders that are out, where there are any.
    """

    kind: Annotated[Literal["paper", "exchange"], Field(description='"paper" or "exchange"')] = "paper"
    symbols: Annotated[
        list[MarketSymbol], Field(max_length=20, description='a list of at most 20 symbols, such as ["BTC-USDT"]')
    ] = []
    live: Annotated[bool, Field(description="true or false")] = False
    balances: Annotated[
        dict[Currency, Annotated[WrittenDecimal, Field(ge=0)]],
        Field(
            description="a table of currencies, such as USD, each with a decimal in quotes of at least 0 and at most "
            '18 digits on either side of the point, such as { USD = "10000" }'
        ),
    ] = {"USD": Decimal(10_000)}
    quanta: Annotated[
        dict[Currency, Annotated[WrittenDecimal, Field(gt=0, le=1)]],
        Field(
            description="a table of currencies, such as USD, each with a decimal in quotes greater than 0 and at most "
            '1, such as { USD = "0.01" }'
        ),
    ] = {}
    fee_rate: Rate = Decimal("0.001")
    slippage_rate: Rate = Decimal("0.0005")
    reconcile_seconds: Annotated[float, seconds(0.1, 3_600)] = 5.0


class BotSettings(_Section):
    """What the bot trades, by which strategies, and how much it may risk.

    With `join_trend` its first start enters the trend that is under way, where a strategy says that there is one;
    without, it waits for the next turn.

    `risk_per_trade` and `max_daily_loss` are parts of the equity, `stop_loss` and `take_profit` parts of the entry's
    price; a `take_profit` of 0 is none. `strategies` are asked in their order, with these parameters. `notify_urls` are
    Apprise's, parted by spaces; they hold keys, and come from the environment alone.
    """

    symbols: Annotated[
        list[MarketSymbol],
        Field(min_length=1, max_length=20, description='a list of 1 to 20 symbols, each once, such as ["BTC-USD"]'),
        AfterValidator(each_once),
    ] = ["BTC-USD"]
    timeframe: Annotated[Timeframe, Field(strict=False, description=f"one of {', '.join(Timeframe)}")] = (
        Timeframe.MINUTE
    )
    strategies: Annotated[
        dict[str, dict[str, Any]],
        Field(
            min_length=1,
            max_length=20,
            description="a table of 1 to 20 strategies, each a table of its parameters, such as "
            "{ ema_crossover = { fast = 12, slow = 26 } }",
        ),
    ] = {"ema_crossover": {}}
    join_trend: bool = True
    risk_per_trade: Annotated[WrittenDecimal, part(above="0", most="0.1")] = Decimal("0.01")
    stop_loss: Annotated[WrittenDecimal, part(above="0", most="0.5")] = Decimal("0.02")
    take_profit: Annotated[WrittenDecimal, part(least="0", most="10")] = Decimal("0.04")
    max_open_positions: Annotated[int, whole(1, 100)] = 1
    max_daily_loss: Annotated[WrittenDecimal, part(above="0", most="1")] = Decimal("0.05")
    quantity_step: Annotated[WrittenDecimal, part(above="0", most="1")] = Decimal("0.000001")
    cycle_seconds: Annotated[float, seconds(0.05, 3_600)] = 5.0
    lease_seconds: Annotated[float, seconds(1, 600)] = 15.0
    max_cycle_seconds: Annotated[float, seconds(1, 86_400)] = 300.0
    notify_urls: Secret = None


class BacktestSettings(_Section):
    """What a backtest may take: how many of the newest candles it runs over, how many run at once, each in a process of
    its own, how many more may wait, and for how long one may run."""

    candles: Annotated[int, whole(10, 50_000)] = 2_000
    workers: Annotated[int, whole(1, 16)] = 1
    max_queued: Annotated[int, whole(0, 100)] = 3
    timeout_seconds: Annotated[float, seconds(0.1, 600)] = 30.0
    retry_after_seconds: Annotated[int, whole(0, 3_600)] = 5


class Settings(BaseSettings):
    """All settings. Made directly, it takes what it is given and reads neither file nor environment."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    window: WindowConfig = WindowConfig()
    market: MarketSettings = MarketSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    limits: LimitSettings = LimitSettings()
    bridge: BridgeSettings = BridgeSettings()
    cutover: CutoverSettings = CutoverSettings()
    broker: BrokerSettings = BrokerSettings()
    bot: BotSettings = BotSettings()
    backtest: BacktestSettings = BacktestSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(
    config_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """The settings of this process. `environ` is the process's own unless given.

    The file is the one that the argument names, else TRADEWINDOW_CONFIG, else `tradewindow.toml` in the working
    directory if it is there. Variables TRADEWINDOW_<SECTION>__<KEY> win over the file, and `options`, by section and
    key, over both. Raises SettingsError with one sentence: the key, its value and its bound, or what ails the file.
    """
    environ = os.environ if environ is None else environ
    path = config_file or _config_file(environ)
    layers = [
        Layer({} if path is None else read_toml(path), origin=f"{path}"),
        Layer(read_environment(Settings, environ), origin=None),
        Layer(options or {}, origin="the command line"),
    ]
    for section, values in layers[0].values.items():
        if section not in Settings.model_fields:
            rule = f"expected: the sections are {', '.join(Settings.model_fields)}"
            raise SettingsError(f"{InvalidField(section, values, rule)} (from {path})")
    return Settings(**{name: section_of(name, type(default), layers) for name, default in Settings()})


def _config_file(environ: Mapping[str, str]) -> Path | None:
    named = environ.get(CONFIG_VARIABLE)
    if named is not None:
        return Path(named)
    return DEFAULT_CONFIG_FILE if DEFAULT_CONFIG_FILE.exists() else None
