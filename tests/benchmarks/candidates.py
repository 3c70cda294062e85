"""What candidates that fail, wait, never end or are too large cost the clients whose answers they are held against."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.benchmarks.evidence import counts_now, counts_when_settled
from tests.benchmarks.figures import Spread, Verdict, ratios
from tests.benchmarks.load import CONNECTIONS, Request, WrongAnswers, still_answering, warm_up
from tests.benchmarks.open_loop import OpenLoad, Order, run_open_loop
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench, in_turn
from tests.benchmarks.servers import ServerSpec, cutover_path, serving

RATE = 300
"""Requests a second: some tenths of what the pair can serve."""

_STRETCHES = 8
_STRETCH_SECONDS = 0.5
"""Of each server in each round, one after the other: short ones, so that what stops the machine for a moment spoils one
ratio of many, and all of them within the five seconds for which a candidate that never ends is waited for."""

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

_WARM_UP = Request(name="agrees", path="/agrees")


def _bad_pair(name: str, mode: str) -> ServerSpec:
    modes = {f"GET /{kind}": mode for kind in KINDS}
    return ServerSpec(name=name, app="tests.benchmarks.small_pair:bad_pair", modes=modes, keeps=False)


SERVERS = LEGACY, SHADOW, CONTROL = (
    _bad_pair("legacy", "legacy"),
    _bad_pair("shadow, sample rate 1", "shadow"),
    _bad_pair("legacy, another server", "legacy"),
)


def candidates(bench: Bench) -> Section:
    rounds = [_round(bench, round_number) for round_number in range(bench.rounds)]
    return Section(
        title="Candidates that misbehave",
        blocks=(_METHOD, _table(rounds), _COUNTED, _counts_table(rounds)),
        verdicts=[
            Verdict(
                what=f"p99 at {RATE}/s: native {told}, to no comparisons", ratio=_p99(rounds, SHADOW, kind), ceiling=1.5
            )
            for kind, told in KINDS.items()
        ],
    )


_METHOD = f"""\
Legacy answers each request with a small JSON object, and what native does of it is the row's. All limits are as by
default. GETs are sent at times that are fixed in advance, {RATE} a second over {CONNECTIONS} connections, for
{_STRETCHES} stretches of {_STRETCH_SECONDS:g} s; a ratio is of two stretches in the same place. The servers are fresh
for each kind, answer some requests of a kind that agrees, and are asked one after the other: two in mode legacy, of
which the second shows what a ratio is worth, then the one that compares, for its candidates may go on. All of its
stretches lie in the first seconds of the kind, in which candidates that never end are waited for. What happens once is
in the highest ratios: the first stream loads a module of anyio's, and an answer of 50 MB that is built at once holds up
who comes in that moment, and then has to rest. Times count from when a request was due."""

_COUNTED = """\
What came of the comparisons in all rounds: none is lost silently. What still ran when its server was ended is
`shutdown`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    loads: Mapping[tuple[str, str], Sequence[OpenLoad]]
    """By the names of server and kind."""
    counts: Mapping[str, Counter[str]]
    """What came of the comparisons, by kind: their outcome, or the reason of a skip."""


def _p99(rounds: Sequence[_Round], spec: ServerSpec, kind: str) -> Spread:
    """To that of `LEGACY`, stretch by stretch."""
    return ratios(*([load.p99_ms for load in _loads(rounds, each, kind)] for each in (spec, LEGACY)))


def _loads(rounds: Sequence[_Round], spec: ServerSpec, kind: str) -> Sequence[OpenLoad]:
    return [load for each in rounds for load in each.loads[spec.name, kind]]


def _round(bench: Bench, round_number: int) -> _Round:
    """Raises WrongAnswers, ServerFailed."""
    loads: dict[tuple[str, str], Sequence[OpenLoad]] = {}
    counts = {}
    for kind in KINDS:
        states = {
            spec.name: bench.folder / f"{kind}-{number}-{round_number}.sqlite3" for number, spec in enumerate(SERVERS)
        }
        store = SQLiteCutoverStore(cutover_path(states[SHADOW.name]))
        with ExitStack() as running:
            ports = {}
            for spec in SERVERS:
                bench.step(f"{kind}: starting {spec.name}")
                port = running.enter_context(serving(spec, state=states[spec.name], core=bench.pins.server))
                with still_answering(spec.name):
                    warm_up(port, _WARM_UP)
                ports[spec.name] = port
            before = counts_when_settled(store)
            for spec in (*in_turn((LEGACY, CONTROL), round_number), SHADOW):
                bench.step(f"{kind}: {spec.name}")
                port = ports[spec.name]
                order = Order(ports=[port], path=f"/{kind}", rate=RATE, seconds=_STRETCH_SECONDS, turns=_STRETCHES)
                loads[spec.name, kind] = run_open_loop(order, core=bench.pins.load)[port]
        # A server that ends keeps what it has found.
        counts[kind] = counts_now(store)
        counts[kind].subtract(before)
        _check(kind, counts[kind], requests=sum(load.requests for load in loads[SHADOW.name, kind]))
    bench.round_done()
    return _Round(loads=loads, counts=counts)


def _check(kind: str, counts: Counter[str], *, requests: int) -> None:
    """Each request is accounted for, unless the endpoint was compared no more by then, and one whose sides agree was
    compared. Raises WrongAnswers."""
    if (counts.total() != requests and not counts["stopped"]) or (kind == "agrees" and counts["match"] < requests / 2):
        raise WrongAnswers(f"{kind}: of the comparisons of {requests} requests came {dict(counts)}")


def _counts_table(rounds: Sequence[_Round]) -> Table:
    totals = {kind: sum((each.counts[kind] for each in rounds), Counter()) for kind in KINDS}
    outcomes = list(dict.fromkeys(outcome for counts in totals.values() for outcome, _ in counts.most_common()))
    rows = [
        (told, *(f"{totals[kind][outcome]:,}" if totals[kind][outcome] else "" for outcome in outcomes))
        for kind, told in KINDS.items()
    ]
    return Table(head=("native …", *outcomes), rows=rows)


def _table(rounds: Sequence[_Round]) -> Table:
    rows = []
    for kind, told in KINDS.items():
        legacy, shadow = (_loads(rounds, spec, kind) for spec in (LEGACY, SHADOW))
        rows.append(
            (
                told,
                f"{median(load.p50_ms for load in legacy):,.2f}",
                f"{median(load.p50_ms for load in shadow):,.2f}",
                f"{median(load.p99_ms for load in legacy):,.2f}",
                f"{median(load.p99_ms for load in shadow):,.2f}",
                ratio_text(_p99(rounds, SHADOW, kind)),
                ratio_text(_p99(rounds, CONTROL, kind)),
            )
        )
    times = ("p50, legacy, ms", "p50, shadow, ms", "p99, legacy, ms", "p99, shadow, ms")
    return Table(head=("native …", *times, "p99, to legacy", "p99, legacy to legacy"), rows=rows)
