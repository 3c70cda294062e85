"""`tradewindow serve`: from the settings to a server that runs until it is told to stop."""

import logging.config
import signal
import socket
from functools import partial
from importlib.metadata import version

from rich.console import Console

from fastapi_app.cli.announcement import address_of, announce
from fastapi_app.cli.interrupts import ctrl_c_just_ends
from fastapi_app.cli.options import Config, Host, Port, Workers, server_options
from fastapi_app.cli.state_files import StateFiles
from shared.entry import exits_with_a_sentence
from shared.settings import Settings, load_settings


def serve(
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    config: Config = None,
) -> None:
    """Serve both stacks from one address, on one state, until Ctrl-C.

    Every setting can stand in the TOML file, as port = 9000 under server, or
    in the environment, as TRADEWINDOW_SERVER__PORT=9000, which wins; an
    option wins over both.
    """
    with ctrl_c_just_ends():
        from fastapi_app.app import create_app  # noqa: PLC0415 - both stacks, which `--help` doesn't need
        from fastapi_app.cli.server import LOGGING, listen, run  # noqa: PLC0415
        from fastapi_app.cutover.dispatch import PREFIX  # noqa: PLC0415
    # A service manager's stop ends like a person's Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.config.dictConfig(LOGGING)
    console = Console(highlight=False)
    files = StateFiles()
    try:
        with exits_with_a_sentence():
            settings = load_settings(config, options={"server": server_options(host, port, workers)})
            listener = listen(settings.server.host, settings.server.port)
            app = create_app(settings)
        files = StateFiles(settings.store.path, settings.cutover.path)
        prices = app.live_ports.for_request().outbound.read("market", "source")
        _announce(console, settings, listener, prices=prices, api=f"{PREFIX}/docs")
        run(app, partial(create_app, settings), settings.server, listener)
    except KeyboardInterrupt:
        files.tell_stopped(console, "what was acknowledged is kept.")


def _announce(console: Console, settings: Settings, listener: socket.socket, *, prices: str, api: str) -> None:
    address = address_of(listener, settings.server.host)
    facts = [
        ("address", address),
        ("docs", f"{address}/docs"),
        ("state", str(settings.store.path.absolute())),
        ("prices", prices),
        ("token", str(settings.cutover.token_path.absolute())),
        ("api", f"{address}{api}"),
        ("stop", "Ctrl-C"),
    ]
    announce(console, f"Trading window {version('trading-window')}", facts)
