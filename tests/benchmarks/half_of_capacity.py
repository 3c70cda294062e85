"""What a comparison costs the client of a server that is half busy."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.bridge import GET
from tests.benchmarks.figures import Spread, ratios
from tests.benchmarks.load import CONNECTIONS, run_load, still_answering, wait_until_idle, warm_up
from tests.benchmarks.open_loop import OpenLoad, Order, run_open_loop
from tests.benchmarks.report import Table, ratio_text
from tests.benchmarks.rounds import Bench, rotated
from tests.benchmarks.servers import ServerSpec, serving
from tests.benchmarks.small_flask import JSON_PATH

SAMPLE_RATE = 0.05
SHARE_OF_CAPACITY = 0.5

_CAPACITIES = 12
"""How often in each round it is taken anew, for the speed of these machines changes within seconds."""

_CAPACITY_SECONDS = 1

_TURNS = 3
_TURN_SECONDS = 0.3
"""Of each server behind each capacity: short ones, so that what slows the machine down meets them all."""


def cut_over(name: str, mode: str | Mapping[str, str | float]) -> ServerSpec:
    """The small pair, its JSON routes in this mode."""
    modes = {f"{method} {JSON_PATH}": mode for method in ("GET", "POST")}
    return ServerSpec(name=name, app="tests.benchmarks.small_pair:cut_over", modes=modes, keeps=False)


LEGACY = cut_over("legacy, in a cutover", "legacy")
SAMPLED = cut_over(f"shadow, sample rate {SAMPLE_RATE:g}", {"mode": "shadow", "sample_rate": SAMPLE_RATE})
CONTROL = cut_over("legacy, another server", "legacy")
_SERVERS = (LEGACY, SAMPLED, CONTROL)


@dataclass(frozen=True, kw_only=True, slots=True)
class AtHalf:
    """At half of one capacity: requests a second, and by the name of each server what came of its turns."""

    rate: float
    loads: Mapping[str, Sequence[OpenLoad]]


def measure_at_half(bench: Bench, round_number: int) -> Sequence[AtHalf]:
    """Raises WrongAnswers, ServerFailed."""
    measured = []
    with ExitStack() as running:
        ports = {}
        for number, spec in enumerate(_SERVERS):
            bench.step(f"starting {spec.name}")
            state = bench.folder / f"half-{round_number}-{number}.sqlite3"
            ports[spec.name] = running.enter_context(serving(spec, state=state, core=bench.pins.server))
            with still_answering(spec.name):
                warm_up(ports[spec.name], GET)
        for number in range(_CAPACITIES):
            bench.step(f"half of capacity {number + 1} of {_CAPACITIES}")
            rate = _capacity(bench, ports[LEGACY.name]) * SHARE_OF_CAPACITY
            order = Order(
                ports=rotated(list(ports.values()), number),
                path=GET.path,
                rate=rate,
                seconds=_TURN_SECONDS,
                turns=_TURNS,
            )
            loads = run_open_loop(order, core=bench.pins.load)
            measured.append(AtHalf(rate=rate, loads={name: loads[port] for name, port in ports.items()}))
    return measured


def _capacity(bench: Bench, port: int) -> float:
    with still_answering(LEGACY.name):
        load = run_load(port, GET, seconds=_CAPACITY_SECONDS, core=bench.pins.load)
        wait_until_idle(port)
    return load.rate


def p50_to_legacy(measured: Sequence[AtHalf], spec: ServerSpec) -> Spread:
    """Turn by turn."""
    return ratios(*([load.p50_ms for load in _loads(measured, each)] for each in (spec, LEGACY)))


def _loads(measured: Sequence[AtHalf], spec: ServerSpec) -> Sequence[OpenLoad]:
    return [load for each in measured for load in each.loads[spec.name]]


def half_method(measured: Sequence[AtHalf]) -> str:
    return _METHOD.format(
        low=min(each.rate for each in measured),
        high=max(each.rate for each in measured),
        count=len(_loads(measured, LEGACY)),
    )


_METHOD = f"""\
wrk sends when it has an answer, so a server that slows down is asked less. To see what a comparison costs the
client, GETs are sent at times that are fixed in advance, at equal distances and {SHARE_OF_CAPACITY:g} of the rate at
which wrk saturates mode `legacy` just before; that is taken {_CAPACITIES} times a round, and was {{low:,.0f}} to
{{high:,.0f}} a second. Behind each the servers take {_TURNS} turns of {_TURN_SECONDS:g} s, each time another one first.
A ratio is of two of the same turn; there are {{count}}. A second server in mode legacy shows what they are worth. Times
count from when a request was due, over {CONNECTIONS} connections. The last column is how late the client itself was."""


def half_table(measured: Sequence[AtHalf]) -> Table:
    rows = []
    for spec in (LEGACY, CONTROL, SAMPLED):
        loads = _loads(measured, spec)
        rows.append(
            (
                spec.name,
                f"{median(load.p50_ms for load in loads):,.2f}",
                f"{median(load.p99_ms for load in loads):,.1f}",
                "" if spec is LEGACY else ratio_text(p50_to_legacy(measured, spec)),
                f"{median(load.late_p99_ms for load in loads):,.2f}",
            )
        )
    return Table(head=("GET at half of capacity", "p50, ms", "p99, ms", "p50 to legacy", "client, p99, ms"), rows=rows)
