"""Runs for tests, which other processes import by their names."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from shared.backtest.job import BacktestJob

UNTIL_KILLED_SECONDS = 300


def tells_its_process(job: BacktestJob) -> dict[str, Any]:
    return {"pid": os.getpid(), "candles": len(job.candles)}


def takes_long(job: BacktestJob) -> dict[str, Any]:
    """Tells the file that the job's strategy names of its process first."""
    (name,) = job.bot.strategies
    unfinished = Path(f"{name}.new")
    unfinished.write_text(str(os.getpid()))
    unfinished.rename(name)
    time.sleep(UNTIL_KILLED_SECONDS)
    return {}


def fails(_job: BacktestJob) -> dict[str, Any]:
    raise ZeroDivisionError("a strategy's own fault")


def dies(_job: BacktestJob) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}
