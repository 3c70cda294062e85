"""How fast recorded candles pass through the bot, its window, store and paper broker: in memory, and in a file.

Run as a program it is the measured process: it replays once and writes a line.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Literal, get_args

from fastapi_app.bot.replay import Replay, ReplayStores
from shared.candle import Timeframe
from shared.market.files import read_candles
from shared.settings import BotSettings, BrokerSettings
from shared.window_config import WindowConfig
from tests.benchmarks.load import WrongAnswers
from tests.benchmarks.machine import pinned
from tests.benchmarks.report import Section, Table
from tests.benchmarks.rounds import Bench, in_turn
from tests.benchmarks.servers import ROOT
from tests.shared.strategies.markets import RECORDED

STRATEGIES = ("ema_crossover", "fair_value_gap", "rsi")
CANDLES = 45_031

Arm = Literal["in memory", "durable"]
BOUNDS: Mapping[Arm, int] = {"in memory": 20_000, "durable": 5_000}
"""Candles a second, on one core; reported, and failing nothing."""

Rates = Mapping[tuple[str, Arm], Sequence[float]]
"""Candles a second by strategy and arm, one figure a round."""

_WINDOW = WindowConfig(start_hour=8, end_hour=16, max_trades_per_day=5)


def replay(bench: Bench) -> Section:
    rates: defaultdict[tuple[str, Arm], list[float]] = defaultdict(list)
    arms: list[tuple[str, Arm]] = [(strategy, arm) for strategy in STRATEGIES for arm in get_args(Arm)]
    for round_number in range(bench.rounds if RECORDED.exists() else 0):
        for strategy, arm in in_turn(arms, round_number):
            bench.step(f"{strategy}, {arm}")
            state = bench.folder / f"{strategy}-{round_number}.sqlite3" if arm == "durable" else None
            rates[strategy, arm].append(_measured(strategy, state, core=bench.pins.server))
        bench.round_done()
    return section(rates)


def section(rates: Rates) -> Section:
    if not rates:
        return Section(title="Replays", blocks=(f"Not measured: it takes the recorded candles at {RECORDED.name}.",))
    rows = [
        (f"`{strategy}`", *(f"{median(rates[strategy, arm]):,.0f}" for arm in get_args(Arm))) for strategy in STRATEGIES
    ]
    table = Table(head=("candles/s", *get_args(Arm)), rows=rows)
    return Section(title="Replays", blocks=(_METHOD, table, " ".join(map(_verdict, get_args(Arm), [rates] * 2))))


def _verdict(arm: Arm, rates: Rates) -> str:
    slowest = min(median(rates[strategy, arm]) for strategy in STRATEGIES)
    bound = BOUNDS[arm]
    return f"The bound {arm} is {bound:,} candles a second: {'met' if slowest >= bound else '**missed**'}."


_METHOD = f"""\
{RECORDED.name}, {CANDLES:,} minutes, read from the file and put through the bot by one strategy at a time, with a
window from 8 to 16 o'clock UTC and at most five entries a day, in a fresh process: with everything in memory, and
durable in one SQLite file, where each order is kept in steps that survive `kill -9`."""


def _measured(strategy: str, state: Path | None, *, core: int | None) -> float:
    """Raises WrongAnswers."""
    command = [sys.executable, "-m", "tests.benchmarks.replay", strategy, *([] if state is None else [str(state)])]
    ran = subprocess.run(pinned(command, core), cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=300, check=False)
    if ran.returncode:
        raise WrongAnswers(f"the replay of {strategy} failed; its traceback is above")
    told = json.loads(ran.stdout)
    if told["candles"] != CANDLES or told["orders"] != told["trades"]:
        raise WrongAnswers(f"the replay of {strategy} came to {told}")
    return float(told["candles"] / told["seconds"])


def main(strategy: str, state: Path | None) -> None:
    broker = BrokerSettings()
    opened = ReplayStores.in_memory(broker) if state is None else ReplayStores.in_file(state, broker)
    with closing(opened) as stores:
        stores.windows.window_ids()  # a new file is migrated now, once for its life
        bot = BotSettings(strategies={strategy: {}})
        run = Replay(bot=bot, broker=broker, window=_WINDOW, stores=stores)
        begin = time.perf_counter()
        result = asyncio.run(run.run({"BTC-USD": read_candles(RECORDED, Timeframe.MINUTE)}))
        seconds = time.perf_counter() - begin
    told = {
        "candles": result.candles,
        "orders": len(result.orders),
        "trades": len(result.trades),
        "seconds": seconds,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None)
