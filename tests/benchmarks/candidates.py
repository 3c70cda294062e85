"""What candidates that fail, wait, never end or are too large cost the clients whose answers they are held against."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.benchmarks.evidence import counts_when_settled
from tests.benchmarks.figures import Spread, Verdict, ratios
from tests.benchmarks.load import CONNECTIONS, Request, warm_up
from tests.benchmarks.open_loop import OpenLoad, Order, run_open_loop
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench, in_turn
from tests.benchmarks.servers import ServerSpec, cutover_path, serving

RATE = 300
"""Requests a second: some tenths of what the pair can serve."""

KINDS: Mapping[str, str] = {
    "agrees": "answers the same",
    "waits": "waits and never answers",
    "raises": "raises",
    "streams": "streams without end, as fast as it is taken",
    "trickles": "streams without end, ten chunks a second",
    "large": "answers 50 MB at once",
    "large-in-chunks": "answers 50 MB in chunks",
}
"""By their paths in the bad pair."""


def _bad_pair(name: str, mode: str) -> ServerSpec:
    modes = {f"GET /{kind}": mode for kind in KINDS}
    return ServerSpec(name=name, app="tests.benchmarks.small_pair:bad_pair", modes=modes, keeps=False)


LEGACY = _bad_pair("legacy", "legacy")
SHADOW = _bad_pair("shadow, sample rate 1", "shadow")


def candidates(bench: Bench) -> Section:
    rounds = [_round(bench, round_number) for round_number in range(bench.rounds)]
    tails = {
        kind: ratios(
            [each[SHADOW.name, kind].p99_ms for each in rounds], [each[LEGACY.name, kind].p99_ms for each in rounds]
        )
        for kind in KINDS
    }
    return Section(
        title="Candidates that misbehave",
        blocks=(_METHOD.format(seconds=bench.seconds), _table(rounds, tails)),
        verdicts=[
            Verdict(what=f"p99 at {RATE}/s: native {told}, to no comparisons", ratio=tails[kind], ceiling=1.5)
            for kind, told in KINDS.items()
        ],
    )


_METHOD = f"""\
Legacy answers each request with a small JSON object, and what native does of it is the row's. All limits are as by
default. GETs are sent at times that are fixed in advance, {RATE} a second over {CONNECTIONS} connections for
{{seconds}} s, after a second of requests one after the other; each kind has the server for itself, once the
comparisons of the kind before are settled. Times count from when a request was due."""


_Round = Mapping[tuple[str, str], OpenLoad]
"""By the names of server and kind."""


def _round(bench: Bench, round_number: int) -> _Round:
    """Raises WrongAnswers, ServerFailed."""
    loads = {}
    with ExitStack() as running:
        servers = {}
        for number, spec in enumerate((LEGACY, SHADOW)):
            bench.step(f"starting {spec.name}")
            state = bench.folder / f"candidates-{round_number}-{number}.sqlite3"
            port = running.enter_context(serving(spec, state=state, core=bench.pins.server))
            servers[spec.name] = (port, SQLiteCutoverStore(cutover_path(state)))
        for kind in KINDS:
            for spec in in_turn((LEGACY, SHADOW), round_number):
                bench.step(f"{kind}: {spec.name}")
                port, store = servers[spec.name]
                warm_up(port, Request(name=kind, path=f"/{kind}"))
                order = Order(port=port, path=f"/{kind}", rate=RATE, seconds=bench.seconds)
                loads[spec.name, kind] = run_open_loop(order, core=bench.pins.load)
                # What goes on would be held against the next kind.
                counts_when_settled(store)
    bench.round_done()
    return loads


def _table(rounds: Sequence[_Round], tails: Mapping[str, Spread]) -> Table:
    rows = []
    for kind, told in KINDS.items():
        legacy, shadow = ([each[spec.name, kind] for each in rounds] for spec in (LEGACY, SHADOW))
        rows.append(
            (
                told,
                f"{median(load.p50_ms for load in legacy):,.2f}",
                f"{median(load.p50_ms for load in shadow):,.2f}",
                f"{median(load.p99_ms for load in legacy):,.2f}",
                f"{median(load.p99_ms for load in shadow):,.2f}",
                ratio_text(tails[kind]),
            )
        )
    head = ("native …", "p50, legacy, ms", "p50, shadow, ms", "p99, legacy, ms", "p99, shadow, ms", "p99, to legacy")
    return Table(head=head, rows=rows)
