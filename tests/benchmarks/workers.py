"""One server of several processes."""

from dataclasses import replace
from statistics import median

from tests.benchmarks.arms import CAN_TRADE, POST_TRADE, native
from tests.benchmarks.figures import ratios
from tests.benchmarks.load import Request
from tests.benchmarks.machine import UNPINNED, cores
from tests.benchmarks.peer_sections import rates
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench, Loads, measure

SERVERS = {
    1: native("1 worker", workers=1),
    2: native("2 workers", workers=2),
    4: native("4 workers", workers=4),
}
_REQUESTS = (CAN_TRADE, POST_TRADE)


def workers(bench: Bench) -> Section:
    loads = measure(replace(bench, pins=UNPINNED), list(SERVERS.values()), _REQUESTS)
    head = ("server", *(title for request in _REQUESTS for title in (f"{request.name}/s", "p99, ms", "to 1 worker")))
    rows = [
        (spec.name, *(cell for request in _REQUESTS for cell in _cells(loads, request, count)))
        for count, spec in SERVERS.items()
    ]
    return Section(
        title="Workers",
        blocks=(_METHOD.format(cores=cores(), seconds=bench.seconds), Table(head=head, rows=rows), _MEANING),
    )


_METHOD = """\
Nothing is pinned here: the workers and wrk share the machine's {cores} cores. All workers are on one state file;
{seconds} s a measurement."""

_MEANING = """\
On two cores a second worker gets at most what wrk leaves of the second core, and four only take turns: what
workers gain where cores are free can't be seen on such a machine. Reads need nothing of each other. Writes are
one commit at a time over all processes, since SQLite has one writer, and a group that is spread over processes
is more commits; a second worker can only take over what a POST costs around its commit."""


def _cells(loads: Loads, request: Request, count: int) -> tuple[str, str, str]:
    own, alone = loads[SERVERS[count].name, request.name], loads[SERVERS[1].name, request.name]
    ratio = "" if count == 1 else ratio_text(ratios(rates(own), rates(alone)))
    return f"{median(rates(own)):,.0f}", f"{median(load.p99_ms for load in own):,.1f}", ratio
