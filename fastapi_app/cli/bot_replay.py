"""`tradewindow bot replay`: recorded candles through the real bot, window, store and paper broker."""

import asyncio
import json
import signal
import time
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fastapi_app.bot.replay import Replay, ReplayResult
from fastapi_app.cli.bot_options import Strategies, end, ends_with_a_sentence, settings_of, strategies_of
from fastapi_app.cli.numbers import whole_number_for
from fastapi_app.cli.options import Config
from fastapi_app.cli.replay_page import write_page
from fastapi_app.cli.replay_shown import show
from fastapi_app.cli.replay_stores import replay_stores
from fastapi_app.cli.replay_tape import Tape
from fastapi_app.cli.replay_told import Told
from shared.candle import Timeframe
from shared.errors import CandleFileError, InvalidField, SettingsError
from shared.market.files import most_candles, read_candles
from shared.settings import Settings
from shared.window_config import WindowConfig

STOPPED_EXIT_CODE = 130
"""That of a command that Ctrl-C ended, as a shell knows it."""


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
            "symbols": None if symbol is None else [symbol],
            "timeframe": timeframe,
        }
        settings = settings_of(config, {"bot": bot, "window": window})
        _check(settings, report)
        told = _played(file, settings, state)
        if report is not None:
            write_page(report, told)
        if as_json:
            typer.echo(json.dumps(told.to_json(), indent=2))
        else:
            show(told, state=state, report=report)


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


def _played(file: Path, settings: Settings, state: Path | None) -> Told:
    """Raises what the files, the stores and the window do. Ends the process where it is stopped."""
    tape = Tape(most_candles(file))
    candles = read_candles(file, settings.bot.timeframe)
    symbol = settings.bot.symbols[0]
    begin = time.perf_counter()
    first = next(candles, None)
    if first is None:
        raise CandleFileError(file, "there is no candle in it")
    with replay_stores(state, settings, file, first) as stores, _Stop() as stop, _Bar(file, most_candles(file)) as bar:
        run = Replay(
            bot=settings.bot, broker=settings.broker, window=settings.window, stores=stores, observe=tape.observe
        )
        played = tape.played(chain([first], candles), is_stopped=lambda: stop.is_asked, progress=bar.move)
        result: ReplayResult | None = None
        try:
            result = asyncio.run(run.run({symbol: played}))
        except KeyboardInterrupt:  # a second Ctrl-C doesn't wait
            stop.is_asked = True
    if result is None or stop.is_asked:
        end(_how_to_go_on(tape, state), STOPPED_EXIT_CODE)
    return Told(file=str(file), settings=settings, tape=tape, result=result, seconds=time.perf_counter() - begin)


def _how_to_go_on(tape: Tape, state: Path | None) -> str:
    where = f"stopped after {tape.candles:,} candles"
    if tape.stretches:
        where += f", at {tape.stretches[-1].last:%Y-%m-%d %H:%M} UTC"
    if state is None:
        return f"{where}; nothing is kept: with --state FILE, a replay that was stopped goes on"
    return f"{where}; {state} keeps what was done: the same command goes on from there"


class _Stop:
    """Within it Ctrl-C and a service manager's stop are asked for, and come when the candle is done; a second one
    doesn't wait."""

    def __init__(self) -> None:
        self.is_asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Stop":
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


class _Bar:
    """How far it is, on stderr; nothing where that is no terminal."""

    def __init__(self, file: Path, candles: int) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task(file.name, total=candles)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def move(self, candles: int) -> None:
        self._progress.update(self._task, completed=candles)
