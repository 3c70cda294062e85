"""`tradewindow routes`: every endpoint, who has it, and which side serves it."""

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fastapi_app.cli.interrupts import ctrl_c_just_ends
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.entry import exits_with_a_sentence
from shared.modes import EndpointMode
from shared.settings import load_settings


def routes(
    *,
    config: Annotated[Path | None, typer.Option(help="A TOML file, as for `serve`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show each endpoint, which stacks have it, its mode, and the side that serves it.

    Modes are those in force, as the cutover's store has them; before the
    first start they are the settings'. No server has to run, and no state is
    touched.
    """
    with ctrl_c_just_ends():
        from fastapi_app.app import create_app  # noqa: PLC0415 - both stacks, whose routes are asked for
        from shared.ports import LivePorts  # noqa: PLC0415
        from shared.store.memory import MemoryStore  # noqa: PLC0415
    with exits_with_a_sentence():
        settings = load_settings(config)
        cutover = create_app(settings, live_ports=LivePorts(store=MemoryStore())).cutover
        # An endpoint that the store doesn't know begins as the settings say.
        modes = dict(cutover.store.table().modes)
        if settings.cutover.path.exists():
            with closing(SQLiteCutoverStore(settings.cutover.path, only_existing=True)) as store:
                modes |= store.table().modes
    rows = [_row(endpoint, modes[endpoint.name]) for endpoint in cutover.inventory.endpoints]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("endpoint", "who has it", "mode", "served by")
    for row in rows:
        table.add_row(row["endpoint"], row["has"], row["mode"], row["served_by"])
    Console(highlight=False, markup=False).print(table)


def _row(endpoint: Endpoint, mode: EndpointMode) -> dict[str, Any]:
    served_by = {"shadow": "legacy", "verify": "native", "canary": "both"}.get(mode.mode, mode.mode)
    if not mode.needs() <= endpoint.sides:
        (served_by,) = endpoint.sides
    return {
        "endpoint": endpoint.name,
        "method": endpoint.method,
        "rule": endpoint.rule,
        "has": "both" if endpoint.legacy and endpoint.native else "legacy only" if endpoint.legacy else "native only",
        "mode": str(mode),
        "served_by": served_by,
    }
