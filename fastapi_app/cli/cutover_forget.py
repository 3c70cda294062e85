"""`tradewindow cutover forget`: lets the evidence of endpoints start over."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from fastapi_app.cli.cutover_author import author_or_user, check_reason
from fastapi_app.cli.cutover_named import check_named, names_of
from fastapi_app.cli.cutover_opened import ends_with_a_sentence, opened
from fastapi_app.cli.cutover_shown import print_json
from fastapi_app.cli.options import AsJson, Config, State
from fastapi_app.cutover.api.answers import forgotten_answer
from fastapi_app.cutover.store.base import Forgotten
from shared.fields import validated


def forget(
    endpoints: Annotated[
        list[str] | None, typer.Argument(metavar="ENDPOINT", help="One or several, such as GET /api/status.")
    ] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the log.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every endpoint that has any evidence.")] = False,
    author: Annotated[str | None, typer.Option(help="Who; else your user name.")] = None,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Forget what the comparisons of endpoints found, so that it starts over.

    \b
    tradewindow cutover forget GET /api/status --reason "native is mended"
    tradewindow cutover forget --all --reason "a new release"

    The counts and the kept mismatches go, for good; the modes stay, and the
    log says who, when and why. What a server that runs has found before and
    not written yet, up to a second's worth and what it is just comparing,
    counts as new: so let the mended native run first, then forget.
    """
    from fastapi_app.cutover.api.wire import EvidenceToForget  # noqa: PLC0415 - as `set` does

    with ends_with_a_sentence():
        check_reason(reason)
        check_named(endpoints, every=every)
    with opened(state, config) as (store, where):
        names = None if every else names_of(endpoints or [])
        asked = validated(
            EvidenceToForget,
            {"endpoints": names or "all", "author": author_or_user(author), "reason": reason},
        )
        forgotten = store.forget(names, author=asked.author, reason=asked.reason, at=datetime.now(UTC))
        if as_json:
            print_json(forgotten_answer(forgotten))
        else:
            _show(forgotten, names)
            typer.echo(f"The table of modes stays at version {store.version()}, {where}.")


def _show(forgotten: Sequence[Forgotten], asked: Sequence[str] | None) -> None:
    """`asked` are the names that were given; None is all."""
    for each in forgotten:
        told = f"{_counted(each.comparisons, 'comparison')} and {_counted(each.mismatches, 'kept mismatch', 'es')}"
        typer.echo(f"{each.endpoint}: forgot {told}")
    gone = {each.endpoint for each in forgotten}
    for name in asked or ():
        if name not in gone:
            typer.echo(f"{name}: there was nothing to forget")
    if asked is None and not forgotten:
        typer.echo("There was nothing to forget.")


def _counted(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{plural if count != 1 else ''}"
