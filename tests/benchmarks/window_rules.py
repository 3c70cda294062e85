"""The rules of a window, without HTTP, in turn with exchange_calendars itself.

Run as a program it is the measured process: it measures one round and writes a line.
"""

import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from fastapi_app.window.decision import Decision, decide
from fastapi_app.window.order import Order
from fastapi_app.window.schedule import schedule_of
from fastapi_app.window.trading_day import trading_day
from shared.window import ALL, Tally, WindowState
from shared.window_config import WindowConfig
from tests.benchmarks.load import WrongAnswers
from tests.benchmarks.machine import pinned
from tests.benchmarks.servers import ROOT

CALENDAR = "XNYS"
FIRST_DAY = "2010-01-01"
SEED = 2010
INSTANTS = 10_000

Arm = Literal["is_open", "is_open_on_minute", "is_open_at_time", "decide, allowed", "decide, refused"]

RULES: Mapping[str, object] = {
    "calendar": CALENDAR,
    "timezone": "America/New_York",
    # Wider than the sessions: an order is allowed iff the exchange is open.
    "start_hour": 9,
    "end_hour": 17,
    "max_trades_per_day": 50,
    "symbol_limits": {"AAPL": 10, "*": 5},
    "side_limits": {"buy": 40},
    "strategy_limits": {"rsi": 20},
    "cooldown_seconds": 30,
    "symbol_cooldown_seconds": 300,
}
_ORDER = Order(symbol="AAPL", side="buy", strategy="rsi")
_TALLY = Tally(symbol={"AAPL": 2, "MSFT": 1}, side={"buy": 3}, strategy={"rsi": 3})
_LAST_TRADES = {ALL: "2009-12-31T20:59:00+00:00", "AAPL": "2009-12-31T20:59:00+00:00"}
_PASS_SECONDS = 0.05
"""How long an arm is measured, about, before it is the next one's turn."""


def rules_round(*, seconds: float, core: int | None) -> Mapping[Arm, float]:
    """Microseconds a call, in a fresh process; `seconds` for all arms together. Raises WrongAnswers."""
    command = pinned([sys.executable, "-m", "tests.benchmarks.window_rules", str(seconds)], core)
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=seconds + 300, check=False)
    if ran.returncode:
        raise WrongAnswers("the process with the rules failed; its traceback is above")
    measured: Mapping[Arm, float] = json.loads(ran.stdout)
    return measured


@dataclass(kw_only=True, slots=True)
class _Timing:
    """Of `call` with each of what is `given` in turn, over and over."""

    call: Callable[[Any], object]
    given: Sequence[Any]
    at_once: int = 100
    _next: int = field(default=0, init=False)
    _calls: int = field(default=0, init=False)
    _seconds: float = field(default=0, init=False)

    def go_on(self) -> None:
        call, given = self.call, self.given[self._next : self._next + self.at_once]
        begin = time.perf_counter()
        for one in given:
            call(one)
        self._seconds += time.perf_counter() - begin
        self._calls += len(given)
        self._next = 0 if self._next + self.at_once >= len(self.given) else self._next + self.at_once

    def microseconds(self) -> float:
        return self._seconds / self._calls * 1e6

    def begin_anew(self) -> None:
        self.at_once = max(1, round(_PASS_SECONDS * 1e6 / self.microseconds()))
        self._next, self._calls, self._seconds = 0, 0, 0.0


def main(seconds: float) -> None:
    timings = _timings()
    # Both sides keep what they have worked out, and it's the first pass that has to.
    for timing in timings.values():
        timing.go_on()
        timing.begin_anew()
        timing.go_on()
        timing.begin_anew()
    # As the server does.
    gc.collect()
    gc.freeze()
    in_turn = list(timings.values())
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        for timing in in_turn:
            timing.go_on()
        in_turn.reverse()
    sys.stdout.write(json.dumps({arm: timing.microseconds() for arm, timing in timings.items()}) + "\n")


def _timings() -> dict[Arm, _Timing]:
    # The library is an extra: the other parts of the benchmarks do without it.
    from exchange_calendars import get_calendar  # noqa: PLC0415
    from pandas import Timestamp  # noqa: PLC0415

    theirs = get_calendar(CALENDAR, start=FIRST_DAY)
    minutes = theirs.minutes  # every one at which it is open
    first, last = minutes[0].to_pydatetime().astimezone(UTC), minutes[-1].to_pydatetime()
    chosen = random.Random(SEED)
    instants = [
        first + timedelta(minutes=chosen.randrange((last - first) // timedelta(minutes=1))) for _ in range(INSTANTS)
    ]
    stamps = [Timestamp(instant).tz_convert(minutes.tz) for instant in instants]
    ours, config = schedule_of(WindowConfig(calendar=CALENDAR)), WindowConfig.parse(RULES)

    def decided(asked: tuple[WindowState, datetime]) -> Decision:
        state, at = asked
        return decide(config, state, at, _ORDER)

    days = [trading_day(config, instant) for instant in instants]
    states = {day: _state(day) for day in days}
    asked = [(states[day], instant) for day, instant in zip(days, instants, strict=True)]
    opened = [theirs.is_open_on_minute(stamp) for stamp in stamps]
    assert opened == [ours.is_open(instant) for instant in instants] == [decided(one).allowed for one in asked]
    return {
        "is_open": _Timing(call=ours.is_open, given=instants),
        "is_open_on_minute": _Timing(call=theirs.is_open_on_minute, given=stamps),
        "is_open_at_time": _Timing(call=theirs.is_open_at_time, given=stamps),
        "decide, allowed": _Timing(
            call=decided, given=[one for one, open_ in zip(asked, opened, strict=True) if open_]
        ),
        "decide, refused": _Timing(
            call=decided, given=[one for one, open_ in zip(asked, opened, strict=True) if not open_]
        ),
    }


def _state(day: str) -> WindowState:
    """Three trades on this day; what cools down has done so."""
    return WindowState(trade_day=day, trades_today=3, halt=None, tally=_TALLY, last_trades=_LAST_TRADES)


if __name__ == "__main__":
    main(float(sys.argv[1]))
