"""What the cutover costs: between client and app, and where it compares the two sides."""

import http.client
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median

from fastapi_app.cutover.store.base import CutoverStore
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.benchmarks.bridge import BRIDGE, GET, POST
from tests.benchmarks.evidence import counts_when_settled
from tests.benchmarks.figures import Verdict, ratios
from tests.benchmarks.half_of_capacity import (
    LEGACY,
    SAMPLED,
    AtHalf,
    cut_over,
    half_method,
    half_table,
    measure_at_half,
    p50_to_legacy,
)
from tests.benchmarks.load import (
    CONNECTIONS,
    HOST,
    Load,
    WrongAnswers,
    run_load,
    still_answering,
    wait_until_idle,
    warm_up,
)
from tests.benchmarks.peer_sections import rate_ratios, rate_table
from tests.benchmarks.report import Section, Table
from tests.benchmarks.rounds import Bench, Loads, in_turn, measure_at_once
from tests.benchmarks.servers import ServerSpec, cutover_path, serving
from tests.benchmarks.small_flask import PROCESSOR_PATH, THREADS

_TURNS = 4
"""In each round: what there is to see is smaller than what these machines do from one second to the next."""

_STARTS = 8
"""Of each pair in each round."""

NATIVE = cut_over("native, in a cutover", "native")
SHADOW = cut_over("shadow, sample rate 1", {"mode": "shadow", "sample_rate": 1.0})
FASTAPI = ServerSpec(name="FastAPI alone", app="tests.benchmarks.small_pair:create_native", keeps=False)

_PAIRS = ((NATIVE, FASTAPI), (LEGACY, BRIDGE))
_REQUESTS = (GET, POST)


def cutover(bench: Bench) -> Section:
    # The progress counts the rounds of what comes then.
    in_between = replace(bench, round_done=lambda: None)
    loads: Loads = {}
    for pair in _PAIRS:
        loads = {**loads, **measure_at_once(in_between, pair, _REQUESTS, starts=_STARTS)}
    turns: list[_Turn] = []
    at_half: list[AtHalf] = []
    for round_number in range(bench.rounds):
        turns += _turns(bench, round_number)
        at_half += measure_at_half(bench, round_number)
        bench.round_done()
    answered = ratios([each.shadow.load.rate for each in turns], [each.both_rate for each in turns])
    compared = ratios([each.both_microseconds for each in turns], [each.shadow.per_pair for each in turns])
    waits = p50_to_legacy(at_half, SAMPLED)
    return Section(
        title="The cutover",
        blocks=(
            _METHOD,
            *(rate_table(spec, [peer], loads, request) for spec, peer in _PAIRS for request in _REQUESTS),
            half_method(at_half),
            half_table(at_half),
            _FULL_METHOD,
            _full_table(turns),
            _FULL_MEANING.format(
                answered=answered.median,
                shed=median(each.shadow.shed_share for each in turns),
                compared=compared.median,
                least=compared.low,
            ),
        ),
        verdicts=(
            *(
                Verdict(
                    what=f"{request.name}: {spec.name}, to {peer.name}",
                    ratio=rate_ratios(spec, peer, loads, request),
                    floor=0.95,
                )
                for spec, peer in _PAIRS
                for request in _REQUESTS
            ),
            Verdict(what=f"p50 at half of capacity: {SAMPLED.name}, to legacy", ratio=waits, ceiling=1.15),
            Verdict(what="requests/s: shadow, sample rate 1, to what both sides cost alone", ratio=answered, floor=0.9),
        ),
    )


_METHOD = f"""\
A small Flask app on the {THREADS} threads of a bridge, and a FastAPI app, as its tutorial would have it, that has
taken over two of its routes. FastAPI, and the bridge, in a cutover and alone are loaded at the same time,
{_STARTS} times a round with fresh servers: each would answer about twice as often by itself. GET returns a small JSON
object; POST has a body of four fields, which pydantic checks on the native side."""

_FULL_METHOD = """\
At a sample rate of 1 each GET is answered by Flask, then asked of FastAPI, and the two answers are compared, as
JSON, since they are spelled differently. wrk saturates the server. Processor time is what the server's process has
used, in all its threads, until nothing was left to compare; a request alone is one of mode `legacy`, or `native`,
HTTP included; the requests/s of the two together are what that would let one processor answer. Shed is what found the
queue of comparisons full."""

_FULL_MEANING = """\
Clients got {answered:.2f} times as many answers as a processor of one's own could give on both sides. In that count
are the {shed:.0%} of all requests that were answered and whose comparison was shed: load takes comparisons away before
it takes answers. By what was compared alone, a second of the processor made {compared:.2f} (at least {least:.2f}) times
as many pairs as it could answer requests on both sides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Used:
    """What a saturating load cost a server: the processor's time, and what came of the comparisons."""

    load: Load
    processor_seconds: float
    compared: int
    shed: int

    @property
    def per_request(self) -> float:
        """Microseconds. What wrk no longer waited for was worked on as well."""
        return self.processor_seconds / (self.load.requests + CONNECTIONS) * 1e6

    @property
    def per_pair(self) -> float:
        """Microseconds."""
        return self.processor_seconds / self.compared * 1e6

    @property
    def shed_share(self) -> float:
        return self.shed / (self.compared + self.shed)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Turn:
    used: Mapping[str, _Used]

    @property
    def shadow(self) -> _Used:
        return self.used[SHADOW.name]

    @property
    def both_microseconds(self) -> float:
        return self.used[LEGACY.name].per_request + self.used[NATIVE.name].per_request

    @property
    def both_rate(self) -> float:
        """Requests a second that one processor could answer on both sides."""
        return 1e6 / self.both_microseconds


def _turns(bench: Bench, round_number: int) -> Sequence[_Turn]:
    """Raises WrongAnswers, ServerFailed."""
    specs = (LEGACY, SHADOW, NATIVE)
    turns = []
    with ExitStack() as running:
        servers = {}
        for number, spec in enumerate(specs):
            bench.step(f"starting {spec.name}")
            state = bench.folder / f"compared-{round_number}-{number}.sqlite3"
            port = running.enter_context(serving(spec, state=state, core=bench.pins.server))
            servers[spec.name] = (port, SQLiteCutoverStore(cutover_path(state)))
        for turn in range(_TURNS):
            used = {}
            for spec in in_turn(specs, round_number + turn):
                bench.step(f"processor time: {spec.name}")
                used[spec.name] = _used(bench, spec, *servers[spec.name])
            turns.append(_Turn(used=used))
    return turns


def _used(bench: Bench, spec: ServerSpec, port: int, store: CutoverStore) -> _Used:
    with still_answering(spec.name):
        warm_up(port, GET)
        counted = counts_when_settled(store)
        begin = _processor_seconds(port)
        load = run_load(port, GET, seconds=bench.seconds, core=bench.pins.load)
        wait_until_idle(port)
        found = counts_when_settled(store)
        seconds = _processor_seconds(port) - begin
    found.subtract(counted)
    if spec is SHADOW:
        _check(found, load)
    return _Used(load=load, processor_seconds=seconds, compared=found["match"], shed=found["queue_full"])


def _check(found: Mapping[str, int], load: Load) -> None:
    """Every request is accounted for, and none for a reason that isn't the load's. Raises WrongAnswers."""
    known = sum(found[outcome] for outcome in ("match", "queue_full", "client_left"))
    if known != sum(found.values()) or not load.requests <= known <= load.requests + CONNECTIONS:
        raise WrongAnswers(f"of {load.requests} requests that were to be compared: {dict(found)}")


def _processor_seconds(port: int) -> float:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("GET", PROCESSOR_PATH)
        seconds: float = json.loads(connection.getresponse().read())["seconds"]
    finally:
        connection.close()
    return seconds


def _full_table(turns: Sequence[_Turn]) -> Table:
    rows = []
    for spec in (LEGACY, NATIVE, SHADOW):
        of_mode = [each.used[spec.name] for each in turns]
        compares = spec is SHADOW
        rows.append(
            (
                spec.name,
                f"{median(used.load.rate for used in of_mode):,.0f}",
                f"{median(used.per_pair if compares else used.per_request for used in of_mode):,.0f}",
                f"{median(1 - used.shed_share for used in of_mode):.0%}" if compares else "",
                f"{median(used.shed_share for used in of_mode):.0%}" if compares else "",
            )
        )
    both = f"{median(each.both_microseconds for each in turns):,.0f}"
    both_rate = f"{median(each.both_rate for each in turns):,.0f}"
    rows.insert(2, ("the two together", both_rate, both, "", ""))
    head = ("GET, saturated", "requests/s", "processor, µs a request or pair", "compared", "shed")
    return Table(head=head, rows=rows)
