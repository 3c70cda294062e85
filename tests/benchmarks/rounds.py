"""Rounds over servers: each is started, gets each request's load, in turn or at once with the others, and is ended."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.benchmarks.filling import Filling, fill, newest_sequence, reset
from tests.benchmarks.load import (
    CONNECTIONS,
    Load,
    Request,
    WrongAnswers,
    run_load,
    still_answering,
    wait_until_idle,
    warm_up,
)
from tests.benchmarks.machine import Pins
from tests.benchmarks.servers import ServerSpec, serving

Loads = Mapping[tuple[str, str], Sequence[Load]]
"""By the names of server and request: one load each time that it was measured."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """How one section is measured. `folder` is its own and empty; `step` is told what comes next,
    `round_done` that one more of the rounds is over."""

    rounds: int
    seconds: int
    folder: Path
    pins: Pins
    step: Callable[[str], None]
    round_done: Callable[[], None]


def measure(
    bench: Bench,
    servers: Sequence[ServerSpec],
    requests: Sequence[Request],
    *,
    fillings: Mapping[str, Filling] | None = None,
) -> Loads:
    """All servers of a round are up at once and idle but the one that is measured, whose place in the row changes.

    Each has a fresh state file in each round, or, by its name in `fillings`, one that is filled once and has the round
    before taken out again. Raises WrongAnswers, ServerFailed.
    """
    loads: defaultdict[tuple[str, str], list[Load]] = defaultdict(list)
    for round_number in range(bench.rounds):
        with ExitStack() as running:
            states = {spec.name: _state_file(bench, spec, round_number, fillings) for spec in servers}
            ports = {}
            for spec in servers:
                bench.step(f"starting {spec.name}")
                ports[spec.name] = running.enter_context(serving(spec, state=states[spec.name], core=bench.pins.server))
            for request in requests:
                for spec in in_turn(servers, round_number):
                    bench.step(f"{request.name}: {spec.name}")
                    load = _checked_load(bench, spec, request, port=ports[spec.name], state=states[spec.name])
                    loads[spec.name, request.name].append(load)
        bench.round_done()
    return loads


def measure_at_once(bench: Bench, servers: Sequence[ServerSpec], requests: Sequence[Request], *, starts: int) -> Loads:
    """Servers that are loaded at the same time, pinned to one processor where there are two, so that what disturbs the
    machine slows them alike: for a few percent between servers that keep nothing. As one process may be some percent
    faster than another of the same program, all are started anew so many times a round.

    Raises WrongAnswers, ServerFailed.
    """
    loads: defaultdict[tuple[str, str], list[Load]] = defaultdict(list)
    for number in range(bench.rounds * starts):
        with ExitStack() as running, ThreadPoolExecutor(len(servers)) as threads:
            ports = {}
            for spec in in_turn(servers, number):
                bench.step(f"starting {spec.name}")
                state = _state_file(bench, spec, number, None)
                ports[spec.name] = running.enter_context(serving(spec, state=state, core=bench.pins.server))
            for request in requests:
                names = " and ".join(ports)
                bench.step(f"{request.name}: {names}")
                with still_answering(names):
                    for port in ports.values():
                        warm_up(port, request)
                    started = {
                        name: threads.submit(run_load, port, request, seconds=bench.seconds, core=bench.pins.load)
                        for name, port in ports.items()
                    }
                    for name, load in started.items():
                        loads[name, request.name].append(load.result())
                    for port in ports.values():
                        wait_until_idle(port)
        if (number + 1) % starts == 0:
            bench.round_done()
    return loads


def in_turn(arms: Sequence[T], round_number: int) -> Sequence[T]:
    """Every second round the other way round, so that no arm always follows the same one."""
    return arms if round_number % 2 == 0 else arms[::-1]


def rotated(arms: Sequence[T], number: int) -> Sequence[T]:
    """Another one first each time: in three such turns of three arms each follows each other one, and none itself."""
    first = number % len(arms)
    return [*arms[first:], *arms[:first]]


def _state_file(bench: Bench, spec: ServerSpec, round_number: int, fillings: Mapping[str, Filling] | None) -> Path:
    name = re.sub(r"\W+", "-", spec.name)
    if fillings is None:
        return bench.folder / f"{name}-{round_number}.sqlite3"
    path = bench.folder / f"{name}.sqlite3"
    if path.exists():
        reset(path, fillings[spec.name])
    else:
        bench.step(f"filling {spec.name}")
        fill(path, fillings[spec.name])
    return path


def _checked_load(bench: Bench, spec: ServerSpec, request: Request, *, port: int, state: Path) -> Load:
    """Holds what was acknowledged against what the file has got. Raises WrongAnswers."""
    keeps = request.body is not None and spec.keeps
    with still_answering(spec.name):
        warm_up(port, request)
        before = newest_sequence(state) if keeps else 0
        load = run_load(port, request, seconds=bench.seconds, core=bench.pins.load)
        wait_until_idle(port)
    if keeps:
        kept = newest_sequence(state) - before
        # Those that wrk didn't wait for may be kept as well.
        if not load.requests <= kept <= load.requests + CONNECTIONS:
            raise WrongAnswers(f"{spec.name} acknowledged {load.requests} trades and kept {kept}")
    return load
