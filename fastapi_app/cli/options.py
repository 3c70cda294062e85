"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fastapi_app.cli.numbers import number, whole_number_for
from shared.settings import ServerSettings

_DEFAULTS = ServerSettings()

MAX_SHOWN = 1_000_000

LEGACY_HELP = "The WSGI app that is to be replaced, or what makes it."
NATIVE_HELP = "The ASGI app that replaces it, or what makes it."
ACCEPTED_HELP = "The differences that are meant: a list of AcceptedDifference, or what makes it."
EFFECTS_HELP = "What records the effects of both apps, or what makes it."
"""Of a pair of apps, wherever one is named: all commands take the same names."""

Config = Annotated[
    Path | None, typer.Option(help="A TOML file (TRADEWINDOW_CONFIG, else tradewindow.toml where it is there).")
]
State = Annotated[
    Path | None,
    typer.Option(help="The cutover's state file, such as another app's (cutover.path of the settings)."),
]
Limit = Annotated[
    int,
    typer.Option(
        parser=number(int, f"a whole number from 1 to {MAX_SHOWN}", low=1, high=MAX_SHOWN),
        metavar="NUMBER",
        help="How many, newest first.",
    ),
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
