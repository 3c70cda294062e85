"""Recorded candles on their way through the bot: how far they are, and how a person stops them."""

import asyncio
import signal
import time
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fastapi_app.bot.replay import Replay, ReplayResult
from fastapi_app.cli.bot_options import end
from fastapi_app.cli.replay_stores import replay_stores
from fastapi_app.cli.replay_tape import Tape
from fastapi_app.cli.replay_told import Told
from shared.errors import CandleFileError
from shared.market.files import most_candles, read_candles
from shared.settings import Settings

STOPPED_EXIT_CODE = 130
"""That of a command that Ctrl-C ended, as a shell knows it."""


def played(file: Path, settings: Settings, state: Path | None) -> Told:
    """Raises what the files, the stores and the window do. Ends the process where it is stopped."""
    tape = Tape(most_candles(file))
    candles = read_candles(file, settings.bot.timeframe)
    symbol = settings.bot.symbols[0]
    begin = time.perf_counter()
    first = next(candles, None)
    if first is None:
        raise CandleFileError(file, "there is no candle in it")
    with replay_stores(state, settings, file, first) as stores, _Stop() as stop, _Bar(file, most_candles(file)) as bar:
        run = Replay(
            bot=settings.bot, broker=settings.broker, window=settings.window, stores=stores, observe=tape.observe
        )
        candles_seen = tape.played(chain([first], candles), is_stopped=lambda: stop.is_asked, progress=bar.move)
        result: ReplayResult | None = None
        with suppress(KeyboardInterrupt):  # a second Ctrl-C doesn't wait
            result = asyncio.run(run.run({symbol: candles_seen}))
    if result is None or not tape.is_at_end:
        end(_how_to_go_on(tape, state), STOPPED_EXIT_CODE)
    return Told(file=str(file), settings=settings, tape=tape, result=result, seconds=time.perf_counter() - begin)


def _how_to_go_on(tape: Tape, state: Path | None) -> str:
    where = f"stopped after {tape.candles:,} candles"
    if tape.stretches:
        where += f", at {tape.stretches[-1].last:%Y-%m-%d %H:%M} UTC"
    if state is None:
        return f"{where}; nothing is kept: with --state FILE, a replay that was stopped goes on"
    return f"{where}; {state} keeps what was done: the same command goes on from there"


class _Stop:
    """Within it Ctrl-C and a service manager's stop are asked for, and come when the candle is done; a second one
    doesn't wait."""

    def __init__(self) -> None:
        self.is_asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Stop":
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


class _Bar:
    """How far it is, on stderr; nothing where that is no terminal."""

    def __init__(self, file: Path, candles: int) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task(file.name, total=candles)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def move(self, candles: int) -> None:
        self._progress.update(self._task, completed=candles)
