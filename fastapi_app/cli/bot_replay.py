"""`tradewindow bot replay`: recorded candles through the real bot, window, store and paper broker."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from fastapi_app.cli.bot_options import Strategies, ends_with_a_sentence, settings_of, strategies_of
from fastapi_app.cli.interrupts import ctrl_c_just_ends
from fastapi_app.cli.numbers import whole_number_for
from fastapi_app.cli.options import Config
from shared.candle import Timeframe
from shared.errors import InvalidField, SettingsError
from shared.settings import Settings
from shared.settings_fields import MarketSymbol
from shared.window_config import WindowConfig


def _hour(field: str, what: str) -> Any:
    return typer.Option(
        parser=whole_number_for(WindowConfig, field), metavar="NUMBER", help=f"{what} (window.{field})."
    )


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Candles, as .csv or .parquet.", show_default=False)],
    *,
    strategy: Strategies = None,
    symbol: Annotated[
        str | None, typer.Option(help="What the candles are of, such as BTC-USD (bot.symbols, where that is one).")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(help=f"How long a candle is: {', '.join(Timeframe)} (bot.timeframe).")
    ] = None,
    start_hour: Annotated[int | None, _hour("start_hour", "The hour from which the window is open")] = None,
    end_hour: Annotated[int | None, _hour("end_hour", "The hour before which it is open")] = None,
    max_trades: Annotated[int | None, _hour("max_trades_per_day", "How many entries a day has at the most")] = None,
    timezone: Annotated[str | None, typer.Option(help="Whose hours and days those are (window.timezone).")] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="A file that keeps what is done, for this replay alone: begun again, it goes on there."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Where a page goes that shows it all, such as out.html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    config: Config = None,
) -> None:
    """Put recorded candles through the bot, with each candle's close as the clock.

    \b
    tradewindow bot replay candles.csv --strategy rsi --start-hour 8 --end-hour 16 --report out.html
    tradewindow bot replay candles.csv --strategy ema_crossover:fast=5,slow=20 --state replay.sqlite3

    Two runs are equal, to the last id; and so is one that was killed, and
    begun again on its --state. What isn't given is as in the settings.
    """
    with ctrl_c_just_ends():
        from fastapi_app.cli.replay_page import write_page  # noqa: PLC0415 - the bot, which `--help` doesn't need
        from fastapi_app.cli.replay_played import played  # noqa: PLC0415
        from fastapi_app.cli.replay_shown import show  # noqa: PLC0415
    with ends_with_a_sentence():
        window: dict[str, Any] = {
            "start_hour": start_hour,
            "end_hour": end_hour,
            "max_trades_per_day": max_trades,
            "timezone": timezone,
        }
        if start_hour is not None or end_hour is not None:
            window["intervals"] = []  # they would take the place of the hours
        bot = {
            "strategies": strategies_of(strategy),
            "symbols": None if symbol is None else [_checked(symbol)],
            "timeframe": timeframe,
        }
        settings = settings_of(config, {"bot": bot, "window": window})
        _check(settings, report)
        told = played(file, settings, state)
        if report is not None:
            write_page(report, told)
        if as_json:
            typer.echo(json.dumps(told.to_json(), indent=2))
        else:
            show(told, state=state, report=report)


def _checked(symbol: str) -> str:
    """Raises SettingsError, by the rule of one symbol; that of the settings is for a list."""
    try:
        return TypeAdapter(MarketSymbol).validate_python(symbol)
    except ValidationError as exc:
        rule = "a symbol such as BTC-USD: two parts of letters A-Z and digits, joined by a dash, at most 32 characters"
        raise SettingsError(str(InvalidField("--symbol", symbol, rule))) from exc


def _check(settings: Settings, report: Path | None) -> None:
    """Raises SettingsError."""
    symbols, balances = settings.bot.symbols, settings.broker.balances
    if len(symbols) > 1:
        raise SettingsError(
            f"{InvalidField('bot.symbols', symbols, 'one symbol, whose candles FILE holds')} (--symbol)"
        )
    currency = symbols[0].partition("-")[2]
    if currency not in balances:
        shown = {name: str(amount) for name, amount in balances.items()}
        raise SettingsError(
            str(InvalidField("broker.balances", shown, f"money in {currency}, which {symbols[0]} costs"))
        )
    if report is not None and (report.is_dir() or not report.absolute().parent.is_dir()):
        raise SettingsError(f"--report: {report} is not a path at which a file can be written")
