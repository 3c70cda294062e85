"""`tradewindow cutover serve`: any legacy WSGI app and any native ASGI app, behind one address."""

from pathlib import Path
from typing import Annotated

import typer

from fastapi_app.cli.interrupts import ctrl_c_just_ends
from fastapi_app.cli.options import (
    ACCEPTED_HELP,
    EFFECTS_HELP,
    LEGACY_HELP,
    NATIVE_HELP,
    Config,
    Host,
    Port,
    Workers,
    server_options,
)


def serve(
    *,
    legacy: Annotated[str, typer.Option(metavar="MODULE:APP", help=LEGACY_HELP)],
    native: Annotated[
        str | None, typer.Option(metavar="MODULE:APP", help=f"{NATIVE_HELP} Without, legacy answers all.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Where modes and evidence are kept (cutover.path, else var/cutover-MODULE.sqlite3 of legacy's module)."
        ),
    ] = None,
    legacy_routes: Annotated[
        Path | None,
        typer.Option(help="Legacy's routes where it isn't Flask: lines such as GET /items/<int:item_id>."),
    ] = None,
    native_routes: Annotated[
        Path | None,
        typer.Option(help="Native's where it isn't Starlette or FastAPI: lines such as GET /items/{item_id:int}."),
    ] = None,
    accepted: Annotated[str | None, typer.Option(metavar="MODULE:NAME", help=ACCEPTED_HELP)] = None,
    effects: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help=f"{EFFECTS_HELP} With it writes are compared, too."),
    ] = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    config: Config = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Don't tell what the two route tables show.")] = False,
) -> None:
    """Serve a legacy app and its successor from one address, each endpoint by its mode, until Ctrl-C.

    An endpoint begins in mode legacy where legacy has it. Effects of the two
    apps aren't known without --effects, so that only requests without any are
    compared: GET, HEAD, OPTIONS, and the endpoints that the settings name in
    cutover.pure. With --effects writes are compared, too: all that they do must
    then go through what is recorded, or it is done twice (docs/effects.md).
    """
    with ctrl_c_just_ends():
        from fastapi_app.cli.cutover_served import serve_pair  # noqa: PLC0415 - the server, which `--help` doesn't need
    options = {
        "server": server_options(host, port, workers),
        "cutover": {} if state is None else {"path": str(state)},
    }
    serve_pair(
        legacy,
        native,
        legacy_routes=legacy_routes,
        native_routes=native_routes,
        accepted=accepted,
        effects=effects,
        config=config,
        options=options,
        quiet=quiet,
    )
