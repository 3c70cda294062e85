"""`python -m tests.benchmarks`: measures, and writes docs/performance.md."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks.bridge import bridge
from tests.benchmarks.candidates import candidates
from tests.benchmarks.concurrency import concurrency
from tests.benchmarks.cutover import cutover
from tests.benchmarks.growth import growth
from tests.benchmarks.load import WrongAnswers
from tests.benchmarks.machine import UNPINNED, WRK_IS_MISSING, machine_rows, pins
from tests.benchmarks.peer_sections import can_trade, post_trades
from tests.benchmarks.replay import replay
from tests.benchmarks.report import Run, Section, document
from tests.benchmarks.rounds import Bench
from tests.benchmarks.servers import ROOT, ServerFailed
from tests.benchmarks.window import window
from tests.benchmarks.workers import workers

DOCUMENT = ROOT / "docs" / "performance.md"


class Part(StrEnum):
    """What `--only` takes."""

    CAN_TRADE = "can-trade"
    POST_TRADES = "post-trades"
    BRIDGE = "bridge"
    CUTOVER = "cutover"
    CANDIDATES = "candidates"
    GROWTH = "growth"
    CONCURRENCY = "concurrency"
    WORKERS = "workers"
    WINDOW = "window"
    REPLAY = "replay"


MEASURES: dict[Part, Callable[[Bench], Section]] = {
    Part.CAN_TRADE: can_trade,
    Part.POST_TRADES: post_trades,
    Part.BRIDGE: bridge,
    Part.CUTOVER: cutover,
    Part.CANDIDATES: candidates,
    Part.GROWTH: growth,
    Part.CONCURRENCY: concurrency,
    Part.WORKERS: workers,
    Part.WINDOW: window,
    Part.REPLAY: replay,
}

_SHARE_OF_SECONDS = {Part.GROWTH: 1 / 3, Part.WORKERS: 2 / 3}
"""Where there are many measurements, or no bound to keep, each gets less time."""


def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often everything is measured.")] = 5,
    seconds: Annotated[
        int, typer.Option(min=1, max=30, help="How long one measurement takes; parts with many of them take less.")
    ] = 3,
    only: Annotated[
        list[Part] | None, typer.Option(help="One part alone, may be given again. Without --output it is printed.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the document goes (docs/performance.md when all is measured).")
    ] = None,
) -> None:
    """Measure the product against its peers, and write what came out."""
    # A service manager's stop and a terminal that closes end servers as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    if shutil.which("wrk") is None:
        _end(WRK_IS_MISSING)
    text = _measured(only or list(Part), rounds=rounds, seconds=seconds)
    target = output or (None if only else DOCUMENT)
    if target is None:
        typer.echo(text)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        typer.echo(f"wrote {target}", err=True)


def _measured(parts: Sequence[Part], *, rounds: int, seconds: int) -> str:
    begin = time.monotonic()
    today = datetime.now(UTC).date()
    # On the disk of the working tree: a temporary folder may be memory, where nothing has to be synced.
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=ROOT / "var") as scratch, _progress() as progress:
        folder = Path(scratch)
        machine = machine_rows(folder)
        sections = [
            _section(part, progress, rounds=rounds, seconds=seconds, folder=folder) for part in dict.fromkeys(parts)
        ]
    run = Run(
        day=today,
        rounds=rounds,
        seconds=seconds,
        minutes=(time.monotonic() - begin) / 60,
        machine=machine,
        pinned=pins() != UNPINNED,
    )
    return document(run, sections)


def _section(part: Part, progress: Progress, *, rounds: int, seconds: int, folder: Path) -> Section:
    task = progress.add_task(part, total=rounds, doing="")
    own_folder = folder / part
    own_folder.mkdir()
    measuring = Bench(
        rounds=rounds,
        seconds=max(1, round(seconds * _SHARE_OF_SECONDS.get(part, 1))),
        folder=own_folder,
        pins=pins(),
        step=lambda doing: progress.update(task, doing=doing),
        round_done=lambda: progress.advance(task),
    )
    try:
        section = MEASURES[part](measuring)
    except (WrongAnswers, ServerFailed) as exc:
        progress.stop()
        _end(f"{part}: {exc}")
    finally:
        shutil.rmtree(own_folder)
    progress.update(task, doing="done")
    return section


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}"),
        console=Console(stderr=True),
        refresh_per_second=2,
    )


def _end(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(bench)
