"""How `tradewindow bot run` begins and ends: whose money it is, who may start it, and what it says."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from fastapi_app.cli.announcement import announce
from fastapi_app.cli.bot_options import end, ends_with_a_sentence, settings_of, strategies_of
from fastapi_app.main_bot_async import main_async
from shared.bot.lease import is_free
from shared.bot.opening import open_bot_store
from shared.clock import SystemClock
from shared.entry import log_to_stderr
from shared.errors import BotIsRunning, InvalidField, LeaseHeld, SettingsError
from shared.settings import Settings
from shared.store.opening import window_in_force


def run_bot(config: Path | None, strategy: Sequence[str] | None, *, live: bool) -> None:
    """Until it is told to stop. What the operator must mend ends the process with a sentence."""
    log_to_stderr()
    console = Console(highlight=False, markup=False)
    try:
        with ends_with_a_sentence():
            options: dict[str, dict[str, Any]] = {
                "bot": {"strategies": strategies_of(strategy)},
                "broker": {"live": True if live else None},
            }
            settings = settings_of(config, options)
            _check_money(settings, live=live)
            _refuse_held(settings)
            if live:
                _confirm(settings)
            _announce(console, settings)
            try:
                asyncio.run(main_async(settings))
            except BotIsRunning:
                _refuse_held(settings)
                raise
    except KeyboardInterrupt:  # before the loop has begun to listen for it
        pass
    console.print("Stopped; what was in flight is finished.")


def _check_money(settings: Settings, *, live: bool) -> None:
    """Real money takes the settings' word and the command's. Raises SettingsError."""
    broker, exchange = settings.broker, settings.exchange
    is_real = broker.kind == "exchange" and not exchange.sandbox
    if is_real and not live:
        raise SettingsError(
            f"the settings trade real money at {exchange.name} (broker.kind, exchange.sandbox): that takes --live"
        )
    if live and broker.kind != "exchange":
        raise SettingsError(f"--live: {InvalidField('broker.kind', broker.kind, 'exchange, which real money needs')}")
    if live and not is_real:
        raise SettingsError(
            f"--live: {InvalidField('exchange.sandbox', exchange.sandbox, 'false, as real money needs')}"
        )


def _confirm(settings: Settings) -> None:
    """By a person at a terminal; a pipe that says yes is none. Ends the process otherwise."""
    name = settings.exchange.name
    if not sys.stdin.isatty():
        end("--live needs a terminal, in which a person types the name of the exchange; nothing was started")
    symbols = ", ".join(settings.bot.symbols)
    typer.echo(f"This trades {symbols} at {name}, with real money, by {', '.join(settings.bot.strategies)}.", err=True)
    try:
        typed = input(f"Type the name of the exchange to go on ({name}): ")
    except (EOFError, KeyboardInterrupt):
        typed = ""
    if typed.strip() != name:
        end(f"{InvalidField('the name', typed, name)}; nothing was started")


def _refuse_held(settings: Settings) -> None:
    """Raises LeaseHeld while another process runs the bot, with its name."""
    with closing(open_bot_store(settings.store)) as store:
        row = store.read()
    if row.holder is not None and not is_free(row, SystemClock().now()):
        raise LeaseHeld(row.holder, row.lease_until)


def _announce(console: Console, settings: Settings) -> None:
    bot, broker, exchange = settings.bot, settings.broker, settings.exchange
    place = f"the sandbox of {exchange.name}" if exchange.sandbox else exchange.name
    facts = [
        ("money", "paper" if broker.kind == "paper" else f"real, at {place}" if broker.live else f"at {place}"),
        ("prices", {"synthetic": "synthetic (made up)", "file": "recorded", "exchange": place}[settings.market.kind]),
        ("symbols", f"{', '.join(bot.symbols)}, candles of {bot.timeframe}"),
        ("strategies", ", ".join(bot.strategies)),
        ("window", window_in_force(settings).in_words()),
        ("state", str(settings.store.path.absolute())),
        ("stop", "Ctrl-C"),
    ]
    announce(console, f"Trading bot {version('trading-window')}", facts)
