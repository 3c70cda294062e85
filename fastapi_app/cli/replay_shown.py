"""The tables that `tradewindow bot replay` prints."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fastapi_app.cli.announcement import announce
from fastapi_app.cli.replay_told import Told, sum_of

SHOWN_DAYS = 62
"""The newest; all are in the JSON."""


def show(told: Told, *, state: Path | None, report: Path | None) -> None:
    console = Console(highlight=False, markup=False)
    announce(console, "Replay", facts_of(told) + _files(state, report))
    traded = [(purpose.replace("_", "-"), f"{count:,}") for purpose, count in told.by_purpose().items()]
    _print(console, ("traded", "orders"), traded)
    _print(console, ("refused", "times", "by"), [(one.code, f"{one.times:,}", one.by) for one in told.refusals()])
    days = told.days()
    _print(
        console,
        ("day", "entries", "exits"),
        [(day, str(entries), str(exits)) for day, entries, exits in days[-SHOWN_DAYS:]],
    )
    if len(days) > SHOWN_DAYS:
        console.print(f"Not shown: {len(days) - SHOWN_DAYS} earlier days; --json has them.", soft_wrap=True)
    _print(
        console,
        ("currency", "available", "total"),
        [(each["currency"], each["available"], each["total"]) for each in told.result.balances],
    )


def facts_of(told: Told) -> list[tuple[str, str]]:
    """What was replayed, and what came of it, as labels and values."""
    bot, result, stretches = told.settings.bot, told.result, told.tape.stretches
    taken_in = f"{told.tape.candles:,} of {bot.timeframe}"
    if told.before:
        taken_in += f", {told.before:,} of them by an earlier run"
    quote = bot.symbols[0].partition("-")[2]
    begin, end = told.settings.broker.balances[quote], told.equity()[-1].equity
    change = f", {(end - begin) / begin:+.2%}" if begin else ""
    return [
        ("candles", f"{told.file}: {taken_in}"),
        ("from", f"{stretches[0].first:%Y-%m-%d %H:%M} to {stretches[-1].last:%Y-%m-%d %H:%M} UTC"),
        ("speed", f"{result.candles / told.seconds:,.0f} candles/s, {told.seconds:.1f} s"),
        ("symbol", bot.symbols[0]),
        ("strategies", ", ".join(map(_strategy, bot.strategies.items()))),
        ("window", told.settings.window.in_words()),
        ("orders", f"{len(result.orders):,}"),
        ("trades", f"{len(result.trades):,}"),
        ("profit", f"{sum_of(result.orders, 'realized_pnl'):f} {quote}, before fees"),
        ("fees", f"{sum_of(result.orders, 'fee'):f} {quote}"),
        ("equity", f"{rounded(begin)} to {rounded(end)} {quote}{change}"),
    ]


def rounded(amount: Decimal) -> str:
    """To six digits, or to the second behind the point where that is more."""
    digits = max(2, 5 - amount.adjusted()) if amount else 2
    return f"{amount:,.{digits}f}"


def _strategy(one: tuple[str, dict[str, object]]) -> str:
    name, parameters = one
    return f"{name} ({', '.join(f'{key} {value}' for key, value in parameters.items())})" if parameters else name


def _files(state: Path | None, report: Path | None) -> list[tuple[str, str]]:
    given = (("state", state), ("report", report))
    return [(label, str(path.absolute())) for label, path in given if path is not None]


def _print(console: Console, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=SIMPLE_HEAD)
    for place, heading in enumerate(head):
        is_number = place and heading != "by"
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
