"""The rules of a window in one process, without HTTP, in turn with exchange_calendars itself.

Run as a program it measures one round and writes one line.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any, Literal

from fastapi_app.window.decision import decide
from fastapi_app.window.order import Order
from fastapi_app.window.schedule import schedule_of
from fastapi_app.window.trading_day import trading_day
from shared.window import ALL, Tally, WindowState
from shared.window_config import WindowConfig
from tests.benchmarks.load import WrongAnswers
from tests.benchmarks.machine import pinned
from tests.benchmarks.servers import ROOT

CALENDAR = "XNYS"
INSTANTS = 10_000
FIRST_YEAR = 2010
SEED = 20100104

Arm = Literal["is_open", "decide", "decide, open", "is_open_on_minute", "is_open_at_time"]
ARMS: tuple[Arm, ...] = ("is_open", "decide", "decide, open", "is_open_on_minute", "is_open_at_time")

RULES = {
    "timezone": "America/New_York",
    "start_hour": 9,
    "end_hour": 17,
    "max_trades_per_day": 50,
    "symbol_limits": {"AAPL": 10, "*": 5},
    "side_limits": {"buy": 40},
    "strategy_limits": {"rsi": 20},
    "cooldown_seconds": 30,
    "symbol_cooldown_seconds": 300,
}
"""Beside the calendar, whose sessions are within these hours."""

_ORDER = Order(symbol="AAPL", side="buy", strategy="rsi")
_SLICE_SECONDS = 0.002
"""How long an arm is measured before it's the next one's turn."""


def rules_round(*, seconds: float, backwards: bool, core: int | None) -> dict[Arm, float]:
    """Seconds for a call of each, in a fresh process. Raises WrongAnswers."""
    command = [sys.executable, "-m", "tests.benchmarks.window_rules", str(seconds), "backwards" if backwards else ""]
    ran = subprocess.run(
        pinned(command, core), cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=seconds + 120, check=False
    )
    if ran.returncode:
        raise WrongAnswers("the process with the rules ended; its traceback is above")
    return {arm: float(found) for arm, found in json.loads(ran.stdout).items()}


@dataclass(slots=True)
class _Timed:
    """`call` with each argument in turn, over and over."""

    call: Callable[[Any], object]
    arguments: Sequence[Any]
    at_once: int = 1
    begin: int = 0
    seconds: float = 0.0
    calls: int = 0

    def slice(self) -> None:
        given = self.arguments[self.begin : self.begin + self.at_once]
        self.begin = (self.begin + self.at_once) % len(self.arguments)
        call = self.call
        begun = time.perf_counter()
        for argument in given:
            call(argument)
        self.seconds += time.perf_counter() - begun
        self.calls += len(given)


def main(seconds: float, *, backwards: bool) -> None:
    arms = _arms()
    for timed in arms.values():
        # Both sides work out what they keep; how many calls make a slice depends on the first ones.
        for argument in timed.arguments[:500]:
            timed.call(argument)
        timed.at_once = 100
        timed.slice()
        timed.at_once = max(1, round(_SLICE_SECONDS / (timed.seconds / timed.calls)))
        timed.seconds, timed.calls = 0, 0
    deadline = time.perf_counter() + seconds
    order = list(arms.values())
    while time.perf_counter() < deadline:
        for timed in order:
            timed.slice()
        order.reverse()
    print(json.dumps({arm: timed.seconds / timed.calls for arm, timed in arms.items()}))


def _arms():
    import exchange_calendars, pandas
    from exchange_calendars.calendar_helpers import UTC as UTCX

    theirs = exchange_calendars.get_calendar(CALENDAR, start=f"{FIRST_YEAR}-01-01")
    ours = schedule_of(WindowConfig.parse({"calendar": CALENDAR}))
    config = WindowConfig.parse({"calendar": CALENDAR, **RULES})
    first, last = theirs.first_minute.to_pydatetime(), theirs.last_minute.to_pydatetime()
    rng = random.Random(SEED)
    n = int((last - first) / timedelta(minutes=1))
    ats = [(first + timedelta(minutes=rng.randrange(n))).astimezone(UTC) for _ in range(INSTANTS)]
    tss = [pandas.Timestamp(a).tz_convert(UTCX) for a in ats]

    def st(a):
        last = (a - timedelta(hours=1)).isoformat()
        return WindowState(
            trade_day=trading_day(config, a),
            trades_today=3,
            halt=None,
            tally=Tally(symbol={"AAPL": 2, "MSFT": 1}, side={"buy": 3}, strategy={"rsi": 3}),
            last_trades={ALL: last, "AAPL": last},
        )

    asked = [(a, st(a)) for a in ats]
    op = [x for x in asked if ours.is_open(x[0])]
    t = time.perf_counter()
    assert [ours.is_open(a) for a in ats] == [theirs.is_open_on_minute(x) for x in tss]
    assert [decide(config, s, a, _ORDER).allowed for a, s in asked] == [ours.is_open(a) for a in ats]
    d = lambda x: decide(config, x[1], x[0], _ORDER)
    for x in asked:
        d(x)
    print(len(op), time.perf_counter() - t, file=sys.stderr)
    return {
        "is_open": _Timed(ours.is_open, ats),
        "decide": _Timed(d, asked),
        "decide, open": _Timed(d, op),
        "is_open_on_minute": _Timed(theirs.is_open_on_minute, tss),
        "is_open_at_time": _Timed(theirs.is_open_at_time, tss),
    }


if __name__ == "__main__":
    main(float(sys.argv[1]), backwards=bool(sys.argv[2]))
