"""The synchronous window against the asynchronous one, in process."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.callers import Backend, CallersProcess, Calls, Face, Operation, Question, calling
from tests.benchmarks.figures import ratios
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench, in_turn

CALLERS = (1, 8, 64, 256)
OPERATIONS: tuple[Operation, ...] = ("can_trade", "try_register_trade")
BACKENDS: tuple[Backend, ...] = ("memory", "SQLite")
FACES: tuple[Face, ...] = ("threads", "tasks")

_SHARE_OF_SECONDS = 6

Measured = Mapping[tuple[Face, Backend, Operation, int], Sequence[Calls]]


def concurrency(bench: Bench) -> Section:
    seconds = bench.seconds / _SHARE_OF_SECONDS
    return Section(
        title="The synchronous window and the asynchronous one",
        blocks=(_METHOD.format(seconds=seconds), _table(_measured(bench, seconds)), _MEANING),
    )


_METHOD = """\
`TradingWindow` called by threads, `TradingWindowAsync` awaited by tasks of one event loop (uvloop): each in one
process, without HTTP, {seconds:.1f} s a measurement. Each caller calls again as soon as it has its answer. A
task's call counts from where it asks for its turn in the loop, as a thread's call waits for its turn at the
interpreter."""

_MEANING = """\
Tasks take turns after every call, so all of them wait alike, for about as long as there are callers; a thread
keeps the interpreter for many calls on end and then waits long, which shows in the slowest call more than in
the p99. On SQLite a single `try_register_trade` waits for a commit of its own, and many callers share theirs."""


def _measured(bench: Bench, seconds: float) -> Measured:
    measured: defaultdict[tuple[Face, Backend, Operation, int], list[Calls]] = defaultdict(list)
    for round_number in range(bench.rounds):
        with ExitStack() as running:
            processes: dict[tuple[Face, Backend], CallersProcess] = {}
            for backend in BACKENDS:
                for face in FACES:
                    folder = bench.folder / f"{face}-{backend}-{round_number}"
                    folder.mkdir()
                    process = calling(face, backend, folder=folder, core=bench.pins.server)
                    processes[face, backend] = running.enter_context(process)
            for operation in OPERATIONS:
                for callers in CALLERS:
                    for face, backend in in_turn(list(processes), round_number):
                        bench.step(f"{operation}, {backend}: {callers} {face}")
                        question = Question(operation=operation, callers=callers, seconds=seconds)
                        calls = processes[face, backend].ask(question)
                        measured[face, backend, operation, callers].append(calls)
        bench.round_done()
    return measured


def _table(measured: Measured) -> Table:
    times = "p99 / slowest, ms"
    head = ("call", "threads, calls/s", times, "tasks, calls/s", times, "tasks to threads")
    rows = []
    for operation in OPERATIONS:
        for backend in BACKENDS:
            for callers in CALLERS:
                threads, tasks = (measured[face, backend, operation, callers] for face in FACES)
                ratio = ratios([calls.rate for calls in tasks], [calls.rate for calls in threads])
                cells = (*_cells(threads), *_cells(tasks), ratio_text(ratio))
                rows.append((f"`{operation}`, {backend}, {_several(callers)}", *cells))
    return Table(head=head, rows=rows)


def _cells(rounds: Sequence[Calls]) -> tuple[str, str]:
    p99, slowest = median(calls.p99_ms for calls in rounds), median(calls.slowest_ms for calls in rounds)
    return f"{median(calls.rate for calls in rounds):,.0f}", f"{p99:,.2f} / {slowest:,.1f}"


def _several(callers: int) -> str:
    return f"{callers} caller" if callers == 1 else f"{callers} callers"
