"""The hot endpoints against the bare framework, the old side and the plain way to keep trades."""

from collections.abc import Sequence
from statistics import median

from tests.benchmarks.arms import BARE, CAN_TRADE, OLD_SIDE, ONE_COMMIT, ONE_COMMIT_IN_LINE, POST_TRADE, native
from tests.benchmarks.figures import Spread, Verdict, ratios
from tests.benchmarks.load import Load, Request
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench, Loads, measure
from tests.benchmarks.servers import ServerSpec

NATIVE = native()


def can_trade(bench: Bench) -> Section:
    peers = (BARE, OLD_SIDE)
    loads = measure(bench, (NATIVE, *peers), (CAN_TRADE,))
    to_bare, to_old = (rate_ratios(NATIVE, peer, loads, CAN_TRADE) for peer in peers)
    return Section(
        title="GET can-trade",
        blocks=(
            _CAN_TRADE_METHOD,
            rate_table(NATIVE, peers, loads, CAN_TRADE),
            _CAN_TRADE_MEANING.format(bare=to_bare.median, old=to_old.median),
        ),
        verdicts=(
            Verdict(what="can-trade, native to bare FastAPI", ratio=to_bare, floor=0.80, aim=0.90),
            Verdict(what="can-trade, native to the old side behind plain a2wsgi", ratio=to_old, floor=3),
        ),
    )


_CAN_TRADE_METHOD = """\
The native endpoint reads the window from SQLite for each request. The bare endpoint returns the same pydantic
model, a constant, as FastAPI's tutorial does it. The old side is the product on a state file of its own,
with a plain a2wsgi mount of ten threads in the place of its bridge, as a migration begins. The bridge has a part
of its own."""

_CAN_TRADE_MEANING = """\
Native answers at {bare:.2f} of the rate of FastAPI with nothing behind it. An endpoint that is moved off the
old side behind plain a2wsgi answers {old:.1f} times as fast."""


def post_trades(bench: Bench) -> Section:
    peers = (BARE, ONE_COMMIT, ONE_COMMIT_IN_LINE)
    loads = measure(bench, (NATIVE, *peers), (POST_TRADE,))
    to_bare, to_one_commit, to_line = (rate_ratios(NATIVE, peer, loads, POST_TRADE) for peer in peers)
    return Section(
        title="POST trades",
        blocks=(
            _POST_METHOD,
            rate_table(NATIVE, peers, loads, POST_TRADE),
            _POST_MEANING.format(bare=to_bare.median, one_commit=to_one_commit.median, line=to_line.median),
        ),
        verdicts=(
            Verdict(what="POST trades, native to bare FastAPI", ratio=to_bare, floor=0.50, aim=0.65),
            Verdict(what="POST trades, native to one commit per request", ratio=to_one_commit, floor=2),
            Verdict(what="POST trades, native to one commit per request, behind a lock", ratio=to_line, floor=2),
        ),
    )


_POST_METHOD = """\
Native: each 201 is in the file and synced before it is sent, many trades to a commit. Bare: FastAPI validates
the same body by the same model and answers by the same model, and keeps nothing. One commit per request: a
`def` endpoint in FastAPI's thread pool with the same rules and rows, a connection per thread,
`synchronous=FULL`, WAL; its threads wait for SQLite's lock on the file, or in line for a lock of their own."""

_POST_MEANING = """\
To keep every trade for good leaves {bare:.2f} of the rate of an endpoint that keeps nothing. A commit for many
answers {one_commit:.1f} times as many trades as a commit for each, and {line:.1f} times as many as that one
with its threads in line."""


def rates(loads: Sequence[Load]) -> list[float]:
    return [load.rate for load in loads]


def rate_ratios(measured: ServerSpec, peer: ServerSpec, loads: Loads, request: Request) -> Spread:
    return ratios(rates(loads[measured.name, request.name]), rates(loads[peer.name, request.name]))


def rate_table(measured: ServerSpec, peers: Sequence[ServerSpec], loads: Loads, request: Request) -> Table:
    rows = []
    for spec in (measured, *peers):
        of_server = loads[spec.name, request.name]
        rows.append(
            (
                spec.name,
                f"{median(rates(of_server)):,.0f}",
                f"{median(load.p50_ms for load in of_server):,.1f}",
                f"{median(load.p99_ms for load in of_server):,.1f}",
                "" if spec is measured else ratio_text(rate_ratios(measured, spec, loads, request)),
            )
        )
    return Table(head=(request.name, "requests/s", "p50, ms", "p99, ms", f"{measured.name} to it"), rows=rows)
