"""The document: sections of tables and sentences, as Markdown."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from tests.benchmarks.figures import Spread, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The first column is words, the others are figures."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    title: str
    blocks: Sequence[str | Table]
    verdicts: Sequence[Verdict] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """How the figures came about."""

    day: date
    rounds: int
    seconds: int
    minutes: float
    machine: Sequence[tuple[str, str]]
    pinned: bool


def document(run: Run, sections: Sequence[Section]) -> str:
    verdicts = [verdict for section in sections for verdict in section.verdicts]
    parts = ["# Performance", _wrapped(_INTRODUCTION), _wrapped(_how(run)), _machine(run)]
    if verdicts:
        parts += ["## The bounds", _BOUNDS, table_text(_verdict_table(verdicts))]
    for section in sections:
        parts += [f"## {section.title}", *map(_block_text, section.blocks)]
    return "\n\n".join(parts) + "\n"


def ratio_text(ratio: Spread) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


def table_text(table: Table) -> str:
    rule = ["---", *("---:" for _ in table.head[1:])]
    return "\n".join(map(_row_text, (table.head, rule, *table.rows)))


def _row_text(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _block_text(block: str | Table) -> str:
    return table_text(block) if isinstance(block, Table) else _wrapped(block)


def _wrapped(text: str) -> str:
    paragraphs = text.split("\n\n")
    return "\n\n".join(textwrap.fill(part, 110, break_long_words=False, break_on_hyphens=False) for part in paragraphs)


def _verdict_table(verdicts: Iterable[Verdict]) -> Table:
    rows = [
        (
            verdict.what,
            ratio_text(verdict.ratio),
            _bound_text(verdict),
            "met" if verdict.met else "**missed**",
            "" if verdict.aim is None else f"≥ {verdict.aim:.2f}: {'met' if verdict.aim_met else 'missed'}",
        )
        for verdict in verdicts
    ]
    return Table(head=("ratio", "median (lowest-highest)", "bound", "", "aim"), rows=rows)


def _bound_text(verdict: Verdict) -> str:
    if verdict.reaches is not None:
        return f"up to {verdict.reaches:.2f}"
    return f"≥ {verdict.floor:.2f}" if verdict.floor is not None else f"≤ {verdict.ceiling:.2f}"


def _machine(run: Run) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in run.machine)


def _how(run: Run) -> str:
    return _HOW.format(
        day=run.day.isoformat(),
        minutes=run.minutes,
        rounds=run.rounds,
        seconds=run.seconds,
        pinning=_PINNED if run.pinned else _NOT_PINNED,
    )


_INTRODUCTION = """\
What `make bench` measured; it writes this file anew. `python -m tests.benchmarks --help` shows how to make the
run shorter or longer, and how to measure one part alone. It needs wrk. The ratios are what to look at: the
figures beside them are those of one machine."""

_HOW = """\
Measured on {day} in {minutes:.1f} min; rounds: {rounds}; {seconds} s a measurement, unless a section says
otherwise. {pinning} Where nothing else is said, a server is an uvicorn with uvloop and httptools, without an access
log, and with one worker. wrk keeps 64 connections busy, so every server is saturated, and a p99 is that of a
full house.

In each round, fresh processes on fresh state files are measured one after the other, every second round in the
opposite order. A ratio is made of two figures of the same round, or of the same turn where a section has turns; tables
show the median over all of them, and in brackets the lowest and the highest. The run fails if any answer is not the
wanted one, or if a trade that was acknowledged is not in the file."""

_PINNED = "What is measured has one core, and wrk another (`taskset`)."

_NOT_PINNED = """\
**Nothing was pinned to a core**, which takes `taskset` and two cores: server and load disturbed each other, so
the ratios are blurred."""

_BOUNDS = "Speed is measured here, not asserted: a bound that is missed fails no test."
