"""`tradewindow cutover mismatches`: what differed, in a list, in full, or as a test."""

from collections.abc import Mapping
from typing import Annotated

import typer

from fastapi_app.cli.cutover_as_test import case_of
from fastapi_app.cli.cutover_named import NoSuchMismatch, WrongUse, one_seen
from fastapi_app.cli.cutover_opened import opened
from fastapi_app.cli.cutover_shown import print_json, show_mismatch, show_mismatches
from fastapi_app.cli.numbers import number
from fastapi_app.cli.options import (
    ACCEPTED_HELP,
    EFFECTS_HELP,
    LEGACY_HELP,
    NATIVE_HELP,
    AsJson,
    Config,
    Limit,
    State,
)
from fastapi_app.cutover.api.answers import mismatch_answer, mismatches_answer


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
    legacy: Annotated[str | None, typer.Option(metavar="MODULE:APP", help=LEGACY_HELP)] = None,
    native: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:APP",
            help=f"{NATIVE_HELP} Without --state, an app with both sides will do.",
        ),
    ] = None,
    accepted: Annotated[str | None, typer.Option(metavar="MODULE:NAME", help=ACCEPTED_HELP)] = None,
    effects: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help=f"{EFFECTS_HELP} Needed for a mismatch that was found with it."),
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

    The test of other apps needs --legacy, --native, --accepted and --effects as
    `cutover serve` was given them; it names what they lead to, so that they are
    loaded here, too.
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
            typer.echo(case_of(one, given, is_own=state is None), nl=False)
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
