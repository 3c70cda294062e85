"""What a request costs as the store fills up."""

from collections.abc import Sequence
from statistics import median

from tests.benchmarks.arms import CAN_TRADE, POST_TRADE, native
from tests.benchmarks.figures import Spread, Verdict, ratios
from tests.benchmarks.filling import COMMON_SYMBOL, FIRST_DAY, RARE_SYMBOL, Filling
from tests.benchmarks.load import Request
from tests.benchmarks.peer_sections import rates
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench, Loads, measure

LARGER = (1_000, 100_000, 1_000_000)

FLAT = 1.20
"""At how many times the cost on the smallest store a cost still counts as flat."""

_SMALLEST = "1 window, 1 row"
_LIST = Request(name="GET trades, newest 50", path="/api/trading-window/trades?limit=50")
_RARE = Request(name="GET trades, rare symbol", path=f"/api/trading-window/trades?symbol={RARE_SYMBOL}")
_DAY = Request(
    name="GET trades, symbol on the first day",
    path=f"/api/trading-window/trades?date={FIRST_DAY}&symbol={COMMON_SYMBOL}",
)
# The one that writes is the last: the others find exactly what was filled in.
_REQUESTS = (CAN_TRADE, _LIST, _RARE, _DAY, POST_TRADE)


def growth(bench: Bench) -> Section:
    of_windows = {f"{count:,} windows": Filling(windows=count) for count in LARGER}
    of_rows = {f"{count:,} rows": Filling(ledger_rows=count) for count in LARGER}
    fillings = {_SMALLEST: Filling(), **of_windows, **of_rows}
    loads = measure(bench, [native(name) for name in fillings], _REQUESTS, fillings=fillings)
    return Section(
        title="From 1 to 1,000,000",
        blocks=(
            _METHOD.format(seconds=bench.seconds),
            _table(loads, [_SMALLEST, *of_windows]),
            _table(loads, [_SMALLEST, *of_rows]),
            _MEANING,
        ),
        verdicts=[
            Verdict(what=f"cost of {request.name}: {name} to {_base(request, name)}", ratio=cost, ceiling=FLAT)
            for name in ([*of_windows][-1], [*of_rows][-1])
            for request in _REQUESTS
            for cost in [_cost(loads, request, name)]
        ],
    )


_METHOD = """\
Microseconds per request, and how many times the cost on the smallest store that is; {seconds} s a measurement.
The window that is asked has the rows: a thousand a day, of twenty symbols in turn. The rare symbol is that of the
oldest row alone. The newest 50 trades need 50 rows, and so do those of a common symbol on the first day, so their
smallest store has 1,000. What a load of POST adds is taken out again before the next round."""

_MEANING = f"""\
Flat means that no statement counts or searches through rows; it is called so here where a request costs at most
{FLAT:.2f} times as much on the largest store."""


def _base(request: Request, name: str) -> str:
    return f"{LARGER[0]:,} rows" if request in (_LIST, _DAY) and name.endswith("rows") else _SMALLEST


def _cost(loads: Loads, request: Request, name: str) -> Spread:
    """Time for a request, held against that on the smallest store."""
    return ratios(rates(loads[_base(request, name), request.name]), rates(loads[name, request.name]))


def _table(loads: Loads, names: Sequence[str]) -> Table:
    head = ("store", *(request.name for request in _REQUESTS))
    return Table(head=head, rows=[(name, *(_cell(loads, request, name) for request in _REQUESTS)) for name in names])


def _cell(loads: Loads, request: Request, name: str) -> str:
    microseconds = f"{1e6 / median(rates(loads[name, request.name])):,.0f} µs"
    if name in (_base(request, name), _SMALLEST):
        return microseconds
    return f"{microseconds}, {ratio_text(_cost(loads, request, name))}"
