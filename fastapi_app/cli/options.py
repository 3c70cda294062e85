"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fastapi_app.cli.numbers import whole_number_for
from shared.settings import ServerSettings

_DEFAULTS = ServerSettings()

Config = Annotated[
    Path | None, typer.Option(help="A TOML file (TRADEWINDOW_CONFIG, else tradewindow.toml where it is there).")
]
State = Annotated[
    Path | None,
    typer.Option(help="The cutover's state file, such as another app's (cutover.path of the settings)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, in the form of the HTTP API.")]
Host = Annotated[str | None, typer.Option(help=f"The address to listen on (server.host, else {_DEFAULTS.host}).")]
Port = Annotated[
    int | None,
    typer.Option(
        parser=whole_number_for(ServerSettings, "port"),
        metavar="NUMBER",
        help=f"The port; 0 takes a free one (server.port, else {_DEFAULTS.port}).",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        parser=whole_number_for(ServerSettings, "workers"),
        metavar="NUMBER",
        help=f"How many processes serve, on one state (server.workers, else {_DEFAULTS.workers}).",
    ),
]


def server_options(host: str | None, port: int | None, workers: int | None) -> dict[str, Any]:
    """The settings' section `server` by what was given; a None says nothing."""
    given = {"host": host, "port": port, "workers": workers}
    return {key: value for key, value in given.items() if value is not None}
