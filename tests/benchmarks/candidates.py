"""What candidates that fail, wait, never end or are too large cost the clients whose answers they are held against."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.benchmarks.evidence import counts_when_settled
from tests.benchmarks.figures import Spread, Verdict, ratios
from tests.benchmarks.load import CONNECTIONS, Request, WrongAnswers, warm_up
from tests.benchmarks.open_loop import OpenLoad, Order, run_open_loop
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench
from tests.benchmarks.servers import ServerSpec, cutover_path, serving

RATE = 300
"""Requests a second: some tenths of what the pair can serve."""

_TURNS = 6
_TURN_SECONDS = 1.0
"""Of each server in each round. Short ones, in turn: what stops the machine for a moment spoils one ratio of many,
where it would be the p99 of a long one."""

_QUIET_SECONDS = 7.0
"""Longer than a candidate that never ends is waited for."""

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


# The one in the middle follows each of the others as often as it comes before it.
SERVERS = LEGACY, SHADOW, CONTROL = (
    _bad_pair("legacy", "legacy"),
    _bad_pair("shadow, sample rate 1", "shadow"),
    _bad_pair("legacy, another server", "legacy"),
)


def candidates(bench: Bench) -> Section:
    rounds = [_round(bench, round_number) for round_number in range(bench.rounds)]
    tails = {kind: _p99(rounds, SHADOW, kind) for kind in KINDS}
    return Section(
        title="Candidates that misbehave",
        blocks=(_METHOD, _table(rounds), _COUNTED, _counts_table(rounds)),
        verdicts=[
            Verdict(what=f"p99 at {RATE}/s: native {told}, to no comparisons", ratio=tails[kind], ceiling=1.5)
            for kind, told in KINDS.items()
        ],
    )


_METHOD = f"""\
Legacy answers each request with a small JSON object, and what native does of it is the row's. All limits are as by
default. GETs are sent at times that are fixed in advance, {RATE} a second over {CONNECTIONS} connections. Each kind
has fresh servers in each round; after a second of requests one after the other they take turns of {_TURN_SECONDS:g} s,
{_TURNS} each, and a ratio is made of two turns that belong together. What these ratios are worth shows a second server
in mode legacy. By the second half, an endpoint whose candidates never end is compared no more. Times count from when a
request was due."""

_COUNTED = """\
What came of the comparisons in all rounds, the warming up included: none is lost silently."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    loads: Mapping[tuple[str, str], Sequence[OpenLoad]]
    """By the names of server and kind."""
    counts: Mapping[str, Counter[str]]
    """What came of the comparisons, by kind: their outcome, or the reason of a skip."""


def _of_all(rounds: Sequence[_Round], spec: ServerSpec, kind: str) -> Sequence[OpenLoad]:
    return [load for each in rounds for load in each.loads[spec.name, kind]]


def _p99(rounds: Sequence[_Round], spec: ServerSpec, kind: str) -> Spread:
    """To that of `LEGACY`."""
    return ratios(*([load.p99_ms for load in _of_all(rounds, each, kind)] for each in (spec, LEGACY)))


def _round(bench: Bench, round_number: int) -> _Round:
    """Raises WrongAnswers, ServerFailed."""
    loads: dict[tuple[str, str], Sequence[OpenLoad]] = {}
    counts = {}
    for kind in KINDS:
        with ExitStack() as running:
            ports = {}
            states = {
                spec.name: bench.folder / f"{kind}-{number}-{round_number}.sqlite3"
                for number, spec in enumerate(SERVERS)
            }
            for spec in SERVERS:
                bench.step(f"{kind}: starting {spec.name}")
                ports[spec.name] = running.enter_context(serving(spec, state=states[spec.name], core=bench.pins.server))
                warm_up(ports[spec.name], Request(name=kind, path=f"/{kind}"))
            bench.step(f"{kind}: in turn")
            order = Order(ports=list(ports.values()), path=f"/{kind}", rate=RATE, seconds=_TURN_SECONDS, turns=_TURNS)
            by_port = run_open_loop(order, core=bench.pins.load)
            loads |= {(spec.name, kind): by_port[ports[spec.name]] for spec in SERVERS}
            bench.step(f"{kind}: what is still compared")
            store = SQLiteCutoverStore(cutover_path(states[SHADOW.name]))
            counts[kind] = counts_when_settled(store, quiet_seconds=_QUIET_SECONDS)
        _check(kind, counts[kind], requests=sum(load.requests for load in loads[SHADOW.name, kind]))
    bench.round_done()
    return _Round(loads=loads, counts=counts)


def _check(kind: str, counts: Counter[str], *, requests: int) -> None:
    """Each request is accounted for, unless the endpoint was compared no more by then, and one whose sides agree was
    compared. Raises WrongAnswers."""
    if (counts.total() < requests and not counts["stopped"]) or (kind == "agrees" and counts["match"] < requests / 2):
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
        legacy, shadow, _ = (_of_all(rounds, spec, kind) for spec in SERVERS)
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
