"""What the cutover's commands print."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fastapi_app.cutover.comparing.observation import Mismatch, Observation, Outcome, SeenRequest
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.base import Change, CountKey, ModeTable
from shared.modes import Mode

_STYLES: dict[Mode, str] = {
    "legacy": "",
    "shadow": "cyan",
    "canary": "yellow",
    "verify": "yellow",
    "native": "green",
}
_GUTTER = 3
_UNBOUNDED = 10_000
_LACKS_A_SIDE = (
    "the mode needs a side that the newest start did not have. The side that is there answers, and nothing is "
    "compared: start with both apps again (cutover serve --native), or set another mode."
)
_GONE = (
    "the newest start does not have it (was another pair of apps served on the same state?); a server that started "
    "before may still serve it, and follows its mode."
)
_NUMBERS = ("compared", "matches", "mismatches", "accepted", "skipped")
_CHANGED = "newest change (UTC)"
_HEADINGS = ("endpoint", "sides", "mode", *_NUMBERS, _CHANGED)
_LEAST = (
    (),
    (_CHANGED,),
    (_CHANGED, "accepted", "skipped"),
    (_CHANGED, "accepted", "skipped", "matches", "sides"),
)
"""Headings that a table of endpoints may lack, from one that is wide to one that is narrow."""
_TOO_NARROW_FOR_TABLES = 60


def show_endpoints(
    endpoints: Sequence[Endpoint],
    table: ModeTable,
    counts: Mapping[CountKey, int],
    newest: Mapping[str, Change],
) -> None:
    """A table, without its least columns where all don't fit, with rules that are folded where these don't; on the
    narrowest terminals a line for each. Last what a mode lacks, and what is gone."""
    console = _console()
    unbounded = console.options.update(width=_UNBOUNDED)
    if console.width < _TOO_NARROW_FOR_TABLES:
        _print_lines(console, (_line_of(endpoint, table, counts) for endpoint in endpoints))
    else:
        for without in _LEAST:
            shown = _table_of_endpoints(endpoints, table, counts, newest, without=without)
            if console.measure(shown, options=unbounded).maximum <= console.width:
                break
        console.print(shown)
        if without:
            console.print(f"Not shown, for want of width: {', '.join(without)}.", soft_wrap=True)
    if misfits := [endpoint.name for endpoint in endpoints if _is_misfit(endpoint, table)]:
        console.print(_text(f"{first_of(misfits)}: {_LACKS_A_SIDE}"), soft_wrap=True)
    if gone := [endpoint.name for endpoint in endpoints if endpoint.is_gone]:
        console.print(_text(f"{first_of(gone)}: {_GONE}"), soft_wrap=True)


def show_endpoint(
    endpoint: Endpoint,
    table: ModeTable,
    counts: Mapping[CountKey, int],
    mismatches: Sequence[Mismatch],
    changes: Sequence[Change],
) -> None:
    total = _by_outcome(counts, endpoint.name)
    found = ", ".join(f"{total[outcome]} {word}" for outcome, word in _COMPARED.items())
    console = _console()
    console.print(_text(endpoint.name, "bold"))
    facts = [
        ("sides", _sides(endpoint)),
        ("mode", _mode(endpoint, table)),
        *([("", _LACKS_A_SIDE)] if _is_misfit(endpoint, table) else []),
        *([("", _GONE)] if endpoint.is_gone else []),
        ("compared", f"{_compared(total)}: {found}"),
        ("skipped", str(total["skipped"])),
        *(("note", note) for note in endpoint.notes),
    ]
    for label, value in facts:
        console.print(Text.assemble((f"  {label:<9} ", "cyan"), _text(value)), soft_wrap=True)
    own = sorted((key, count) for key, count in counts.items() if key.endpoint == endpoint.name)
    if own:
        console.print("\nComparisons", style="bold")
        rows = [(key.mode, key.outcome, key.reason.replace("_", " "), str(count)) for key, count in own]
        _print_rows(console, ("mode", "outcome", "reason", "count"), rows)
    if mismatches:
        console.print("\nNewest mismatches", style="bold")
        show_mismatches(mismatches)
    if changes:
        console.print("\nNewest changes", style="bold")
        show_log(changes)


def print_json(answer: Any) -> None:
    typer.echo(json.dumps(answer, indent=2))


def show_changes(
    names: Sequence[str], before: ModeTable, after: ModeTable, *, gone: Collection[str], lacking: Sequence[str]
) -> None:
    """Those that were moved; `lacking` are those that were passed over."""
    for name in names:
        old, new = before.modes[name], after.modes[name]
        told = f"{name} stays {new}" if old == new else f"{name}: {old} → {new}"
        typer.echo(told + " (not among the endpoints of the process that started last)" * (name in gone))
    if lacking:
        typer.echo(f"Left as they are, since they lack a side: {first_of(lacking)}")


def first_of(names: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def show_log(changes: Sequence[Change]) -> None:
    """Endpoints that begin together are one row: a first start has dozens, which would bury the moves."""
    rows = []
    for _, group in groupby(changes, key=lambda change: (change.version, change.before is None)):
        first, *others = group
        if first.before is None and others:
            rows.append((str(first.version), _minute(first.at), "several", "begin", first.author, first.reason))
            continue
        rows += [
            (
                str(change.version),
                _minute(change.at),
                change.endpoint,
                _what(change),
                change.author,
                change.reason,
            )
            for change in (first, *others)
        ]
    _print_rows(_console(), ("version", "when (UTC)", "endpoint", "change", "who", "why"), rows, empty="No changes.")


def show_mismatches(mismatches: Sequence[Mismatch]) -> None:
    rows = []
    for mismatch in mismatches:
        paths = [difference.path for difference in mismatch.differences]
        # One of each kind, lest a header hides that the body differs, too.
        shown: dict[str, str] = {}
        for path in paths:
            shown.setdefault(path.partition(".")[0], path)
        more = len(paths) - len(shown)
        differs_at = ", ".join(shown.values()) + (f" and {more} more" if more else "")
        target = _target(mismatch.request)
        rows.append((str(mismatch.id), _minute(mismatch.at), target, mismatch.mode.mode, differs_at))
    _print_rows(_console(), ("id", "when (UTC)", "request", "mode", "differs at"), rows, empty="No mismatches.")


def show_mismatch(mismatch: Mismatch) -> None:
    """The differences first; both answers side by side where their lines fit."""
    console = _console()
    primary, candidate = mismatch.primary, mismatch.candidate
    console.print(_text(f"Mismatch {mismatch.id} of {mismatch.endpoint}", "bold"))
    console.print(_text(f"seen {_minute(mismatch.at)} UTC in {mismatch.mode}: {primary.side} answered the client"))
    console.print("\nDifferences", style="bold")
    for difference in mismatch.differences:
        console.print(_text(f"  {difference.between(primary.side, candidate.side)}"), soft_wrap=True)
    console.print("\nRequest", style="bold")
    for line in _request_lines(mismatch.request):
        console.print(_text(f"  {line}"), soft_wrap=True)
    left, right = [*_observation_lines(primary)], [*_observation_lines(candidate)]
    console.print()
    if max(map(len, [*left, *right])) <= (console.width - _GUTTER) // 2 - 2:
        both = _table(f"{primary.side} (primary)", f"{candidate.side} (candidate)")
        both.add_row(_text("\n".join(left)), _text("\n".join(right)))
        console.print(both)
        return
    for side, lines in ((f"{primary.side} (primary)", left), (f"{candidate.side} (candidate)", right)):
        console.print(side, style="bold")
        for line in lines:
            console.print(_text(f"  {line}"), soft_wrap=True)
        console.print()


_COMPARED: dict[Outcome, str] = {"match": "matched", "mismatch": "mismatched", "accepted": "accepted"}
_NOT_MATCHED: dict[Outcome, str] = {"mismatch": "mismatched", "accepted": "accepted"}


def _console() -> Console:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # What is piped is searched line by line, or cut by whoever reads it.
        console.width = _UNBOUNDED
    return console


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _table_of_endpoints(
    endpoints: Sequence[Endpoint],
    table: ModeTable,
    counts: Mapping[CountKey, int],
    newest: Mapping[str, Change],
    *,
    without: Collection[str],
) -> Table:
    headings = [heading for heading in _HEADINGS if heading not in without]
    shown = _table(*headings)
    for column, heading in zip(shown.columns, headings, strict=True):
        column.justify = "right" if heading in _NUMBERS else "left"
        column.no_wrap = heading != "endpoint"
    for endpoint in endpoints:
        total = _by_outcome(counts, endpoint.name)
        change = newest.get(endpoint.name)
        cells = (
            *_head(endpoint, table),
            _number(_compared(total)),
            _number(total["match"]),
            _number(total["mismatch"], "bold red"),
            _number(total["accepted"]),
            _skipped(total["skipped"], counts, endpoint.name),
            _text(f"{_minute(change.at)} {change.author}" if change else ""),
        )
        shown.add_row(*(cell for heading, cell in zip(_HEADINGS, cells, strict=True) if heading not in without))
    return shown


def _line_of(endpoint: Endpoint, table: ModeTable, counts: Mapping[CountKey, int]) -> tuple[Text, ...]:
    total = _by_outcome(counts, endpoint.name)
    words = (
        f"{_compared(total)} compared",
        *(f"{total[kind]} {word}" for kind, word in _NOT_MATCHED.items() if total[kind]),
        *([f"{total['skipped']} skipped ({_why_skipped(counts, endpoint.name)})"] if total["skipped"] else []),
    )
    told = Text(", ".join(words) if total else "none compared", style="bold red" if total["mismatch"] else "")
    return *_head(endpoint, table), told


def _head(endpoint: Endpoint, table: ModeTable) -> tuple[Text, Text, Text]:
    style = _STYLES[table.modes[endpoint.name].mode]
    return _text(endpoint.name), Text(_sides(endpoint)), Text(_mode(endpoint, table), style=style)


def _mode(endpoint: Endpoint, table: ModeTable) -> str:
    mode = table.modes[endpoint.name]
    if endpoint.is_gone:
        return f"{mode}, gone"
    return f"{mode}, but {_sides(endpoint)} alone has it" if _is_misfit(endpoint, table) else str(mode)


def _is_misfit(endpoint: Endpoint, table: ModeTable) -> bool:
    return not endpoint.is_gone and not table.modes[endpoint.name].needs() <= endpoint.sides


def _print_rows(console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "") -> None:
    """A table, in which long cells are folded, or a line for each row where that would be in shreds."""
    if not rows:
        console.print(empty)
    elif console.width < _TOO_NARROW_FOR_TABLES:
        _print_lines(console, (map(_text, row) for row in rows))
    else:
        shown = _table(*headings)
        for row in rows:
            shown.add_row(*map(_text, row))
        console.print(shown)


def _print_lines(console: Console, rows: Iterable[Iterable[Text]]) -> None:
    for row in rows:
        console.print(Text("  ").join(cell for cell in row if cell), soft_wrap=True)


def _number(count: int, style: str = "") -> Text:
    return Text(str(count), style=style if count else "dim")


def _skipped(count: int, counts: Mapping[CountKey, int], endpoint: str) -> Text:
    return Text(f"{count} ({_why_skipped(counts, endpoint)})") if count else _number(count)


def _why_skipped(counts: Mapping[CountKey, int], endpoint: str) -> str:
    """The reason, or the commonest of several with its count."""
    reasons: Counter[str] = Counter()
    for key, count in counts.items():
        if key.endpoint == endpoint and key.outcome == "skipped":
            reasons[key.reason.replace("_", " ")] += count
    [(reason, count)] = reasons.most_common(1)
    return reason if len(reasons) == 1 else f"{count} {reason}"


def _text(text: str, style: str = "") -> Text:
    """Without what would steer the terminal: much of it came over the network."""
    return Text(
        "".join(
            character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1]
            for character in text
        ),
        style=style,
    )


def _by_outcome(counts: Mapping[CountKey, int], endpoint: str) -> Counter[Outcome]:
    total: Counter[Outcome] = Counter()
    for key, count in counts.items():
        if key.endpoint == endpoint:
            total[key.outcome] += count
    return total


def _compared(total: Counter[Outcome]) -> int:
    return sum(total[outcome] for outcome in _COMPARED)


def _sides(endpoint: Endpoint) -> str:
    return "both" if endpoint.legacy and endpoint.native else "legacy" if endpoint.legacy else "native"


def _what(change: Change) -> str:
    match change.kind:
        case "begin":
            return f"begins as {change.after}"
        case "forget":
            return "evidence forgotten"
        case "move":
            return f"{change.before} → {change.after}"


def _minute(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _target(request: SeenRequest) -> str:
    return f"{request.method} {request.path}" + (f"?{request.query}" if request.query else "")


def _request_lines(request: SeenRequest) -> Iterator[str]:
    yield _target(request)
    yield from _message_lines(request.headers, request.body)


def _observation_lines(observation: Observation) -> Iterator[str]:
    answer = observation.answer
    yield str(answer.status)
    yield from _message_lines(answer.headers, answer.body)
    raised = [*(observation.raised or "").splitlines(), *filter(None, [observation.raised_at])]
    if raised:
        yield from ("", "raised", *raised)
    if observation.effects:
        yield from ("", "effects", *_as_json(observation.effects).splitlines())


def _message_lines(headers: Iterable[tuple[str, str]], body: bytes) -> Iterator[str]:
    yield from (f"{name}: {value}" for name, value in headers)
    if body:
        yield ""
        yield from _body_text(body).splitlines()


def _body_text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes that are no text: {body[:32].hex(' ')}{' …' if len(body) > 32 else ''})"
    try:
        return _as_json(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
