"""What candidates that fail, wait, never end or are too large cost the clients whose answers they are held against."""

from collections import Counter, defaultdict
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
from tests.benchmarks.rounds import Bench, rotated
from tests.benchmarks.servers import ServerSpec, cutover_path, serving

RATE = 300
"""Requests a second: some tenths of what the pair can serve."""

_STARTS = 3
"""Of the servers of each kind in each round."""

_TURNS = 3
_TURN_SECONDS = 0.5
"""Of each server behind each start: short ones, so that what stops the machine for a moment spoils one ratio of many,
and all of them within the five seconds for which a candidate that never ends is waited for."""

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
default. GETs are sent at times that are fixed in advance, {RATE} a second over {CONNECTIONS} connections. Three servers
take {_TURNS} turns of {_TURN_SECONDS:g} s, each time another one first; a ratio is of two of the same turn, and a
second server in mode legacy shows what it is worth. For each kind they are started {_STARTS} times a round, and answer
some requests of a kind that agrees before: so all turns lie in the first seconds of a kind, in which candidates that
never end are waited for, and what they go on with falls on the turns of the others, too. What happens once is in the
highest ratios: an answer of 50 MB that is built at once holds up who comes in that moment, and then it has to rest.
Times count from when a request was due."""

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
    """To that of `LEGACY`, turn by turn."""
    return ratios(*([load.p99_ms for load in _loads(rounds, each, kind)] for each in (spec, LEGACY)))


def _loads(rounds: Sequence[_Round], spec: ServerSpec, kind: str) -> Sequence[OpenLoad]:
    return [load for each in rounds for load in each.loads[spec.name, kind]]


def _round(bench: Bench, round_number: int) -> _Round:
    """Raises WrongAnswers, ServerFailed."""
    loads: defaultdict[tuple[str, str], list[OpenLoad]] = defaultdict(list)
    counts = {}
    for kind in KINDS:
        counts[kind] = Counter[str]()
        for start in range(_STARTS):
            of_servers, found = _turns(bench, kind, round_number * _STARTS + start)
            _check(kind, found, requests=sum(load.requests for load in of_servers[SHADOW.name]))
            counts[kind] += found
            for name, of_server in of_servers.items():
                loads[name, kind] += of_server
    bench.round_done()
    return _Round(loads=loads, counts=counts)


def _turns(bench: Bench, kind: str, start: int) -> tuple[Mapping[str, Sequence[OpenLoad]], Counter[str]]:
    """By server, and what came of the comparisons. Raises WrongAnswers, ServerFailed."""
    states = {spec.name: bench.folder / f"{kind}-{number}-{start}.sqlite3" for number, spec in enumerate(SERVERS)}
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
        bench.step(f"{kind}: in turn")
        in_turn = rotated(list(ports.values()), start)
        order = Order(ports=in_turn, path=f"/{kind}", rate=RATE, seconds=_TURN_SECONDS, turns=_TURNS)
        loads = run_open_loop(order, core=bench.pins.load)
    # A server that ends keeps what it has found.
    found = counts_now(store)
    found.subtract(before)
    return {name: loads[port] for name, port in ports.items()}, found


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
