"""`tradewindow bot run`: the bot as a process of its own, with paper money unless a person says otherwise."""

from typing import Annotated

import typer

from fastapi_app.cli.bot_options import Strategies
from fastapi_app.cli.interrupts import ctrl_c_just_ends
from fastapi_app.cli.options import Config


def run(
    *,
    strategy: Strategies = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Trade real money at the exchange that the settings name; its name is then typed in a terminal.",
        ),
    ] = False,
    config: Config = None,
) -> None:
    """Run the bot until Ctrl-C, which finishes what is in flight.

    The settings say where prices come from and orders go: a made-up market
    and paper money, unless they say otherwise. It runs on the server's state,
    where one process at a time runs the bot.
    """
    with ctrl_c_just_ends():
        from fastapi_app.cli.bot_running import run_bot  # noqa: PLC0415 - the bot, which `--help` doesn't need
    run_bot(config, strategy, live=live)
