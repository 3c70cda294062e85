"""`tradewindow serve`: from the settings to a server that runs until it is told to stop."""

import logging.config
import signal
import socket
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from fastapi_app.app import TradingWindowApp, create_app
from fastapi_app.cli.announcement import address_of, announce
from fastapi_app.cli.numbers import whole_number_for
from fastapi_app.cli.server import LOGGING, listen, run
from shared.entry import exits_with_a_sentence
from shared.settings import ServerSettings, Settings, load_settings

_DEFAULTS = ServerSettings()


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help=f"The address to listen on (server.host, else {_DEFAULTS.host}).")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            parser=whole_number_for(ServerSettings, "port"),
            metavar="NUMBER",
            help=f"The port; 0 takes a free one (server.port, else {_DEFAULTS.port}).",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            parser=whole_number_for(ServerSettings, "workers"),
            metavar="NUMBER",
            help=f"How many processes serve, on one state (server.workers, else {_DEFAULTS.workers}).",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file (TRADEWINDOW_CONFIG, else tradewindow.toml where it is there).")
    ] = None,
) -> None:
    """Serve both stacks from one address, on one state, until Ctrl-C.

    Every setting can stand in the TOML file, as port = 9000 under server, or
    in the environment, as TRADEWINDOW_SERVER__PORT=9000, which wins; an
    option wins over both.
    """
    # A service manager's stop ends like a person's Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.config.dictConfig(LOGGING)
    console = Console(highlight=False)
    given: dict[str, Any] = {"host": host, "port": port, "workers": workers}
    try:
        with exits_with_a_sentence():
            options = {"server": {key: value for key, value in given.items() if value is not None}}
            settings = load_settings(config, options=options)
            listener = listen(settings.server.host, settings.server.port)
            app = create_app(settings)
        _announce(console, settings, listener, app)
        run(app, partial(create_app, settings), settings.server, listener)
    except KeyboardInterrupt:
        console.print("Stopped; what was acknowledged is kept.")


def _announce(console: Console, settings: Settings, listener: socket.socket, app: TradingWindowApp) -> None:
    address = address_of(listener, settings.server.host)
    facts = [
        ("address", address),
        ("docs", f"{address}/docs"),
        ("state", str(settings.store.path.absolute())),
        ("prices", app.live_ports.for_request().outbound.read("market", "source")),
        ("stop", "Ctrl-C"),
    ]
    announce(console, f"Trading window {version('trading-window')}", facts)
