"""What the rules of a window cost: by themselves against exchange_calendars, and what a calendar adds to a request."""

import http.client
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

from tests.benchmarks.arms import native
from tests.benchmarks.figures import Verdict, ratios
from tests.benchmarks.load import HOST, Load, Request, WrongAnswers, run_load, wait_until_idle, warm_up
from tests.benchmarks.peer_sections import rates
from tests.benchmarks.report import Section, Table, ratio_text
from tests.benchmarks.rounds import Bench, in_turn
from tests.benchmarks.servers import serving
from tests.benchmarks.window_rules import CALENDAR, FIRST_DAY, INSTANTS, RULES, SEED, Arm, rules_round

_WITH, _WITHOUT = "with a calendar", "without a calendar"
_ALWAYS_OPEN = "24/7"
_TURNS = 4
_ORDER = "symbol=AAPL&side=buy&strategy=rsi"

_LIMITS = {key: value for key, value in RULES.items() if key not in ("calendar", "start_hour", "end_hour")}
_CONFIGS = {_WITHOUT: _LIMITS, _WITH: {**_LIMITS, "calendar": _ALWAYS_OPEN}}
_PATHS = {_WITHOUT: "plain", _WITH: "calendar"}
_REQUESTS = [
    Request(name=name, path=f"/api/windows/{window_id}/decision?{_ORDER}") for name, window_id in _PATHS.items()
]

Rules = Mapping[Arm, Sequence[float]]
"""Microseconds a call, one figure a round."""


def window(bench: Bench) -> Section:
    rules: defaultdict[Arm, list[float]] = defaultdict(list)
    loads: defaultdict[str, list[Sequence[Load]]] = defaultdict(list)
    for round_number in range(bench.rounds):
        bench.step("rules")
        for arm, microseconds in rules_round(seconds=2 * bench.seconds, core=bench.pins.server).items():
            rules[arm].append(microseconds)
        for name, in_round in _requests_round(bench, round_number).items():
            loads[name].append(in_round)
        bench.round_done()
    with_calendar = ratios(_rates(loads[_WITH]), _rates(loads[_WITHOUT]))
    return Section(
        title="The rules of a window",
        blocks=(_RULES_METHOD, _rules_table(rules), _REQUESTS_METHOD, _requests_table(loads)),
        verdicts=(
            _verdict("is_open_on_minute, to is_open", rules, "is_open_on_minute", "is_open", floor=5),
            _verdict("is_open_at_time, to is_open", rules, "is_open_at_time", "is_open", floor=100),
            _verdict("decide, allowed, to is_open_on_minute", rules, "decide, allowed", "is_open_on_minute", ceiling=2),
            Verdict(what="GET decision, requests/s: with a calendar, to without", ratio=with_calendar, reaches=1),
        ),
    )


_RULES_METHOD = f"""\
Microseconds a call, in one process and in turn, about 50 ms at a time, after what is worked out once has been worked
out. {INSTANTS:,} minutes, drawn at random (seed {SEED}) from those that {CALENDAR} knows from {FIRST_DAY} on, are the
same for both sides: `is_open` of a window with that calendar gets them as datetimes, and exchange_calendars'
`is_open_on_minute` and `is_open_at_time` as timestamps of the calendar's zone; all answers agree. `decide` judges an
order by calendar, hours, the limits of day, symbol, side and strategy, and both cooldowns; with the instants at which
the exchange is open it is allowed, and with the others it is refused and told each reason and when it clears."""

_REQUESTS_METHOD = f"""\
GET decision, over HTTP, of two windows on one server, which have the same limits and cooldowns; one has the calendar
{_ALWAYS_OPEN} too. With that one the answers are the same whenever this is run. A calendar costs nothing measurable
where the highest ratio comes up to 1. In a round each is measured {_TURNS} times in turn."""


def _verdict(
    what: str, rules: Rules, measured: Arm, against: Arm, *, floor: float | None = None, ceiling: float | None = None
) -> Verdict:
    return Verdict(what=what, ratio=ratios(rules[measured], rules[against]), floor=floor, ceiling=ceiling)


def _rules_table(rules: Rules) -> Table:
    rows = [
        (
            f"`{arm}`" if arm.isidentifier() else f"`decide`, {arm.removeprefix('decide, ')}",
            f"{median(microseconds):,.2f}",
            "" if arm == "is_open_on_minute" else ratio_text(ratios(microseconds, rules["is_open_on_minute"])),
        )
        for arm, microseconds in rules.items()
    ]
    return Table(head=("call", "µs", "to `is_open_on_minute`"), rows=rows)


def _rates(rounds: Sequence[Sequence[Load]]) -> list[float]:
    return [fmean(rates(in_round)) for in_round in rounds]


def _requests_table(loads: Mapping[str, Sequence[Sequence[Load]]]) -> Table:
    rows = [
        (
            name,
            f"{median(_rates(loads[name])):,.0f}",
            f"{median(load.p50_ms for in_round in loads[name] for load in in_round):,.1f}",
            "" if name == _WITHOUT else ratio_text(ratios(_rates(loads[name]), _rates(loads[_WITHOUT]))),
        )
        for name in (_WITHOUT, _WITH)
    ]
    return Table(head=("GET decision", "requests/s", "p50, ms", "to without"), rows=rows)


def _requests_round(bench: Bench, round_number: int) -> Mapping[str, Sequence[Load]]:
    bench.step("starting the server")
    loads: defaultdict[str, list[Load]] = defaultdict(list)
    with TemporaryDirectory(dir=bench.folder) as folder:
        state = Path(folder) / "windows.sqlite3"
        with serving(native(), state=state, core=bench.pins.server) as port:
            for name, config in _CONFIGS.items():
                _create(port, _PATHS[name], config)
            for request in _REQUESTS:
                warm_up(port, request)
            for turn in range(_TURNS):
                for request in in_turn(_REQUESTS, round_number + turn):
                    bench.step(f"GET decision {request.name}")
                    loads[request.name].append(
                        run_load(port, request, seconds=max(1, bench.seconds // _TURNS), core=bench.pins.load)
                    )
                    wait_until_idle(port)
    return loads


def _create(port: int, window_id: str, config: Mapping[str, object]) -> None:
    """Raises WrongAnswers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    body = json.dumps({"window_id": window_id, "config": config})
    try:
        connection.request("POST", "/api/windows", body, {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            answer = response.read()
    finally:
        connection.close()
    if response.status != 201:
        raise WrongAnswers(f"POST /api/windows: {response.status} {answer[:200]!r}")
