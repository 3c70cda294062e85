"""`tradewindow bot`: the bot on what was recorded, and on the market."""

import typer

from fastapi_app.cli.bot_replay import replay
from fastapi_app.cli.bot_run import run

bot = typer.Typer(
    name="bot",
    help="Run the bot, or put recorded candles through it.",
    epilog="What it trades, by which strategies, and how much it may risk: the section bot of the settings.",
    no_args_is_help=True,
)
bot.command()(replay)
bot.command()(run)
