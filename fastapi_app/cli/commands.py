"""The command `tradewindow`, with what it can do."""

from importlib.metadata import version
from typing import Annotated

import typer

from fastapi_app.cli.bot import bot
from fastapi_app.cli.cutover import cutover
from fastapi_app.cli.cutover_serve import serve as serve_any_pair
from fastapi_app.cli.routes import routes
from fastapi_app.cli.serve import serve

app = typer.Typer(
    name="tradewindow",
    help="A trading bot's backend on its way from Flask to FastAPI: one process, two stacks, one state.",
    epilog="Settings: tradewindow.toml, then the environment (TRADEWINDOW_SERVER__PORT=9000), then the options.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(routes)
app.add_typer(bot)
app.add_typer(cutover)
cutover.command()(serve_any_pair)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tradewindow {version('trading-window')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass
