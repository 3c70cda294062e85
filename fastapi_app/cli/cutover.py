"""`tradewindow cutover`: the table of modes, its log and its evidence, from the command line."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fastapi_app.cli.cutover_forget import forget
from fastapi_app.cli.cutover_named import NoSuchMismatch, WrongUse, one_known, one_seen
from fastapi_app.cli.cutover_opened import opened
from fastapi_app.cli.cutover_set import set_mode
from fastapi_app.cli.cutover_shown import (
    print_json,
    show_endpoint,
    show_endpoints,
    show_log,
    show_mismatch,
    show_mismatches,
)
from fastapi_app.cli.numbers import number
from fastapi_app.cli.options import AsJson, Config, State
from fastapi_app.cutover.api.answers import (
    endpoint_answer,
    endpoints_answer,
    log_answer,
    mismatch_answer,
    mismatches_answer,
)
from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.store.rules import listed

OWN_SIDES = {
    "native": "fastapi_app.sides:native()",
    "legacy": "fastapi_app.sides:legacy()",
    "effects": "fastapi_app.sides:effects()",
    "accepted": "fastapi_app.accepted_differences:ACCEPTED_DIFFERENCES",
}
"""This product's app, as the imports of a test name it."""

MAX_SHOWN = 1_000_000

Limit = Annotated[
    int,
    typer.Option(
        parser=number(int, f"a whole number from 1 to {MAX_SHOWN}", low=1, high=MAX_SHOWN),
        metavar="NUMBER",
        help="How many, newest first.",
    ),
]

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


@cutover.command()
def mismatches(
    mismatch_id: Annotated[
        int | None,
        typer.Argument(
            parser=number(int, "a whole number from 1", low=1),
            metavar="[ID]",
            help="One in full: the request, both answers, the differences.",
        ),
    ] = None,
    *,
    endpoint: Annotated[str | None, typer.Option(help='Those of one endpoint, such as "GET /api/status".')] = None,
    limit: Limit = 20,
    as_test: Annotated[
        bool, typer.Option("--as-test", help="Print the one as a pytest case that fails until the two sides agree.")
    ] = False,
    native: Annotated[
        str | None,
        typer.Option(
            help="For the test, another native app: module:name, or module:factory(); without --state, one with both "
            "sides will do."
        ),
    ] = None,
    legacy: Annotated[str | None, typer.Option(help="For the test, another legacy app, in the same way.")] = None,
    effects: Annotated[
        str | None, typer.Option(help="For the test of other apps: their effects, where they record any.")
    ] = None,
    accepted: Annotated[
        str | None, typer.Option(help="For the test of other apps: their accepted differences.")
    ] = None,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the newest mismatches, or show one in full, or as a test.

    \b
    tradewindow cutover mismatches
    tradewindow cutover mismatches 17
    tradewindow cutover mismatches 17 --as-test > tests/test_mismatch_17.py
    """
    given = {"native": native, "legacy": legacy, "effects": effects, "accepted": accepted}
    with opened(state, config) as (store, _):
        _check_view(mismatch_id, endpoint, given, as_test=as_test, as_json=as_json)
        if mismatch_id is None:
            newest = store.mismatches(limit=limit, endpoint=one_seen(store, [endpoint] if endpoint else None))
            if as_json:
                print_json(mismatches_answer(newest))
            else:
                show_mismatches(newest)
            return
        one = store.mismatch(mismatch_id)
        if one is None:
            raise NoSuchMismatch(f"there is no mismatch {mismatch_id}, or it is no longer kept")
        if as_test:
            typer.echo(_test_of(one, _sides(given, is_own=state is None)), nl=False)
        elif as_json:
            print_json(mismatch_answer(one))
        else:
            show_mismatch(one)


def _check_view(
    mismatch_id: int | None, endpoint: str | None, sides: Mapping[str, str | None], *, as_test: bool, as_json: bool
) -> None:
    for option in [f"--{name}" for name, value in sides.items() if value is not None and not as_test]:
        raise WrongUse(f"{option} goes with --as-test")
    if as_test and as_json:
        raise WrongUse("--as-test and --json: give one of them")
    if as_test and mismatch_id is None:
        raise WrongUse("--as-test needs the id of a mismatch")
    if endpoint is not None and mismatch_id is not None:
        raise WrongUse("--endpoint and the id of a mismatch: give one of them")


def _test_of(mismatch: Mismatch, sides: Mapping[str, Any]) -> str:
    from fastapi_app.cli.loading import refuse_missing_module  # noqa: PLC0415 - what one option alone needs
    from fastapi_app.cutover.suite.as_test import as_test  # noqa: PLC0415 - what one option alone needs

    try:
        test = as_test(mismatch, **sides)
    except ValueError as exc:
        raise WrongUse(str(exc)) from exc
    for option, name in sides.items():
        if name is not None:
            refuse_missing_module(name, option=f"--{option}")
    return test


def _sides(given: dict[str, str | None], *, is_own: bool) -> dict[str, Any]:
    if is_own and not any(given.values()):
        return {**OWN_SIDES}
    # An app that has both sides is this product's; a state of others says nothing of where their two are.
    if given["native"] is None or (given["legacy"] is None and not is_own):
        raise WrongUse("a test of other apps needs --native and --legacy: module:name, or module:factory()")
    return given
