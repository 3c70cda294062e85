"""`tradewindow cutover`: the table of modes, its log and its evidence, from the command line."""

from typing import Annotated

import typer

from fastapi_app.cli.cutover_forget import forget
from fastapi_app.cli.cutover_mismatches import mismatches
from fastapi_app.cli.cutover_named import one_known, one_seen
from fastapi_app.cli.cutover_opened import opened
from fastapi_app.cli.cutover_set import set_mode
from fastapi_app.cli.cutover_shown import print_json, show_endpoint, show_endpoints, show_log
from fastapi_app.cli.options import AsJson, Config, Limit, State
from fastapi_app.cutover.api.answers import endpoint_answer, endpoints_answer, log_answer
from fastapi_app.cutover.store.rules import listed

cutover = typer.Typer(
    name="cutover",
    help="Move endpoints between the two stacks, and see what the comparisons found.\n\n"
    "Works on the cutover's store, whether a server runs or not; one that runs follows within a second.",
    epilog="An endpoint is its method and its rule: GET /api/status",
    no_args_is_help=True,
)


@cutover.command("list")
def list_endpoints(*, state: State = None, config: Config = None, as_json: AsJson = False) -> None:
    """Show each endpoint, its mode, and how many comparisons came to what.

    One that the newest start doesn't have is gone; it is shown while it is in
    another mode than legacy and legacy had it, since a server that started
    before may still serve it. Where no server has run yet, the modes are those that the first start
    would make; nothing is written.
    """
    with opened(state, config, may_be_first=True) as (store, where):
        known, table, counts = store.known_endpoints(), store.table(), store.counts()
        endpoints = listed(known, table.modes)
        if as_json:
            print_json(endpoints_answer(endpoints, table, counts))
        else:
            logs = [store.log(limit=1, endpoint=endpoint.name) for endpoint in endpoints]
            moved = {change.endpoint: change for log in logs for change in log if change.before is not None}
            show_endpoints(endpoints, table, counts, moved)
            gone = sum(endpoint.is_gone for endpoint in endpoints)
            counted = f"{len(endpoints) - gone} endpoints" + (f" and {gone} gone" if gone else "")
            typer.echo(f"{counted}; the table of modes is at version {table.version}, {where}.")


@cutover.command()
def show(
    endpoint: Annotated[list[str], typer.Argument(metavar="ENDPOINT", help="Such as GET /api/status.")],
    *,
    limit: Limit = 5,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show all of one endpoint: its mode, counts, notes, newest mismatches and changes."""
    with opened(state, config) as (store, _):
        found = one_known(store, endpoint)
        table, counts = store.table(), store.counts()
        mismatches = store.mismatches(limit=limit, endpoint=found.name)
        if as_json:
            print_json(endpoint_answer(found, table, counts, mismatches))
        else:
            show_endpoint(found, table, counts, mismatches, store.log(limit=limit, endpoint=found.name))


cutover.command("set")(set_mode)
cutover.command()(forget)


@cutover.command()
def log(
    endpoint: Annotated[
        list[str] | None, typer.Argument(metavar="[ENDPOINT]", help="Without, the changes of all.")
    ] = None,
    *,
    limit: Limit = 50,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show who moved what, or forgot its evidence, when, and why."""
    with opened(state, config) as (store, _):
        changes = store.log(limit=limit, endpoint=one_seen(store, endpoint))
        if as_json:
            print_json(log_answer(changes))
        else:
            show_log(changes)


cutover.command()(mismatches)
