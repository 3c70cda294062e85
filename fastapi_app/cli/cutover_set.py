"""`tradewindow cutover set`: moves endpoints."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, get_args

import typer

from fastapi_app.cli.cutover_author import author_or_user, check_reason
from fastapi_app.cli.cutover_named import WrongUse, check_named, fitting, names_of
from fastapi_app.cli.cutover_opened import ends_with_a_sentence, opened
from fastapi_app.cli.cutover_shown import print_json, show_changes
from fastapi_app.cli.cutover_warned import warnings
from fastapi_app.cli.numbers import number
from fastapi_app.cli.options import AsJson, Config, State
from fastapi_app.cutover.api.answers import moved_answer
from fastapi_app.cutover.modes.unproved import unproved
from fastapi_app.cutover.store.base import ChangeRefused, ModeTable, VersionConflict
from fastapi_app.cutover.store.rules import listed, unknown_endpoint
from shared.fields import validated
from shared.modes import EndpointMode, Mode

Move = Callable[[Mapping[str, EndpointMode]], ModeTable]
"""Writes so many endpoints' new modes, all or none. Raises ChangeRefused."""


def set_mode(
    endpoints: Annotated[
        list[str] | None, typer.Argument(metavar="ENDPOINT", help="One or several, such as GET /api/status.")
    ] = None,
    mode: Annotated[str, typer.Argument(metavar="MODE", help=f"One of {', '.join(get_args(Mode))}.")] = "",
    *,
    reason: Annotated[str, typer.Option(help="Why, for the log.")] = "",
    percent: Annotated[
        float | None,
        typer.Option(
            parser=number(float, "a number from 0 to 100"),
            metavar="NUMBER",
            help="Of clients that a canary sends to native, 0 to 100; else as it is.",
        ),
    ] = None,
    sample_rate: Annotated[
        float | None,
        typer.Option(
            parser=number(float, "a number from 0 to 1"),
            metavar="NUMBER",
            help="Of requests that are compared, 0 to 1; else as it is.",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every endpoint that has the sides which the mode needs; back to legacy also those that are gone.",
        ),
    ] = False,
    author: Annotated[str | None, typer.Option(help="Who; else your user name.")] = None,
    version: Annotated[
        int | None,
        typer.Option(
            parser=number(int, "a whole number from 0", low=0),
            metavar="NUMBER",
            help="Only if the table is still at this version, as `list` showed it.",
        ),
    ] = None,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Move endpoints to a mode: legacy, shadow, canary, verify or native.

    \b
    tradewindow cutover set GET /api/status shadow --reason "first look"
    tradewindow cutover set GET /api/status GET /api/health canary --percent 5 --reason "no mismatch in a day"
    tradewindow cutover set --all legacy --reason "back, all of it"

    With --all, endpoints that lack a side which the mode needs are left as
    they are. Others whose move is refused stay, are named, and make the exit
    code 3, while the rest moves. Without --all, all of them move, or none.

    In shadow, legacy answers and native is compared; in canary, a share of
    clients gets native; in verify, native answers and legacy is compared.
    Where clients get native's answers though none was ever compared, or
    though the two sides differed, a warning says so (in JSON: never_compared,
    skipped_as, differing).
    """
    from fastapi_app.cutover.api.wire import ModesChange  # noqa: PLC0415 - the models of HTTP, which only a move needs

    with ends_with_a_sentence():
        _check_move(endpoints, mode, reason, every=every)
    with opened(state, config) as (store, where):
        known, counts = store.known_endpoints(), store.counts()
        gone = {endpoint.name for endpoint in known if endpoint.is_gone}
        for attempts_left in reversed(range(_ATTEMPTS)):
            before = store.table()
            # One that is gone may still be served by a process that started before: the way back takes it along.
            within = [each for each in listed(known, before.modes) if mode == "legacy" or not each.is_gone]
            names = fitting(within, mode) if every else names_of(endpoints or [])
            if unknown := [name for name in names if name not in before.modes]:
                raise unknown_endpoint([endpoint.name for endpoint in known], unknown[0])
            changes = {
                name: _moved(name, mode, before.modes[name], percent=percent, sample_rate=sample_rate) for name in names
            }
            change = validated(ModesChange, {"changes": changes, "author": author_or_user(author), "reason": reason})
            move = partial(
                store.change,
                author=change.author,
                reason=change.reason,
                at=datetime.now(UTC),
                version=before.version if version is None else version,
            )
            try:
                after, refused = (_move_most if every else _move_all)(move, change.changes)
            except VersionConflict:
                # A guard, or another person, was quicker.
                if version is not None or not attempts_left:
                    raise
            else:
                break
        names = [name for name in names if refused is None or name not in refused.endpoints]
        moved = [name for name in names if after.modes[name] != before.modes[name]]
        lacking_proof = unproved(moved, before, after, counts)
        if as_json:
            print_json(moved_answer(after, lacking_proof))
        else:
            lacking = sorted({endpoint.name for endpoint in within} - {*changes}) if every else []
            show_changes(names, before, after, gone=gone, lacking=lacking)
            typer.echo(f"The table is at version {after.version}, {where}.")
            for sentence in warnings(lacking_proof, {name: after.modes[name] for name in moved}):
                typer.echo(sentence)
        if refused is not None:
            raise refused


_ATTEMPTS = 10
"""To move what somebody else moves at the same time."""


def _check_move(endpoints: Sequence[str] | None, mode: str, reason: str, *, every: bool) -> None:
    if mode not in get_args(Mode):
        # Where it is left out, the last endpoint stands in its place.
        wrong = "the mode is missing" if not mode or "/" in mode else f"{mode!r} is no mode"
        raise WrongUse(f"{wrong}: give one of {', '.join(get_args(Mode))}, after the endpoints")
    check_reason(reason)
    check_named(endpoints, every=every)


def _move_all(move: Move, changes: Mapping[str, EndpointMode]) -> tuple[ModeTable, None]:
    try:
        return move(changes), None
    except ChangeRefused as exc:
        raise _of_all(exc, changes) from exc


def _move_most(move: Move, changes: Mapping[str, EndpointMode]) -> tuple[ModeTable, ChangeRefused | None]:
    """Those that can go, and why the others can't: the way back must not wait for the few."""
    try:
        return move(changes), None
    except ChangeRefused as exc:
        movable = {name: mode for name, mode in changes.items() if name not in exc.endpoints}
        if len(movable) in (0, len(changes)):
            raise _of_all(exc, changes) from exc
        return move(movable), exc


def _of_all(refusal: ChangeRefused, names: Collection[str]) -> ChangeRefused:
    """As it is told where several were to move."""
    return ChangeRefused(f"{refusal}. Nothing was moved") if len(names) > 1 else refusal


def _moved(
    name: str, mode: str, before: EndpointMode, *, percent: float | None, sample_rate: float | None
) -> EndpointMode:
    """What isn't given stays as it is. Raises InvalidField."""
    if mode == "canary":
        percent = before.percent if percent is None else percent
        if percent is None:
            raise WrongUse(f"{name} needs a --percent for canary: of clients that get native, 0 to 100")
    elif percent is not None:
        raise WrongUse(f"--percent goes with canary, not with {mode}")
    sample_rate = before.sample_rate if sample_rate is None else sample_rate
    return validated(EndpointMode, {"mode": mode, "percent": percent, "sample_rate": sample_rate})
