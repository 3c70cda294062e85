"""What a bot's own process says when it starts in an empty folder, and when it is told to stop."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fastapi_app.cli.running import DEADLINE_SECONDS, TRADEWINDOW, environment, wait_until

PRICES = r"prices come from: synthetic \(made up, seed 1\)"
RUNS = (
    r"the bot runs as \S+-{pid}: BTC-USD by ema_crossover, "
    r"paper money at the prices of synthetic \(made up, seed 1\); the window: 00:00 to 24:00 UTC, "
    r"at most 7 entries a day"
)


@pytest.mark.parametrize(
    ("command", "head", "last"),
    [
        ([sys.executable, "-m", "legacy_flask.main_bot"], [PRICES, RUNS], "the bot has stopped"),
        ([sys.executable, "-m", "fastapi_app.main_bot_async"], [PRICES, RUNS], "the bot has stopped"),
        (
            [str(TRADEWINDOW), "bot", "run"],
            ["Trading bot .*", "  money       paper"],
            "Stopped; what was in flight is finished.",
        ),
    ],
    ids=["old", "new", "bot run"],
)
def test_it_tells_what_it_trades_and_that_it_has_stopped(
    command: list[str], head: list[str], last: str, tmp_path: Path
) -> None:
    pid, text = _interrupted(command, tmp_path, once="the bot runs as")
    lines = [re.sub(r"^[-0-9]+ [0-9:,]+ INFO [a-z_.]+: ", "", line) for line in text.splitlines()]
    for pattern, line in zip(head, lines, strict=False):
        assert re.fullmatch(pattern.format(pid=pid), line), lines
    assert lines[-1] == last


@pytest.mark.parametrize("module", ["legacy_flask.main_bot", "fastapi_app.main_bot_async"])
def test_interrupted_while_it_starts_it_ends_with_a_line(module: str, tmp_path: Path) -> None:
    _, text = _interrupted([sys.executable, "-m", module], tmp_path, once="prices come from")
    # A machine that is slow to send the signal lets it start.
    assert text.splitlines()[-1].endswith(("the bot was interrupted", "the bot has stopped"))


def _interrupted(command: list[str], folder: Path, *, once: str) -> tuple[int, str]:
    """The process's id, and what it has said, with a Ctrl-C as soon as it has said `once`."""
    out = folder / "out"
    with out.open("wb") as file:
        environ = environment(WINDOW__MAX_TRADES_PER_DAY="7")
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: once in out.read_text() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_SECONDS) == 0, out.read_text()
    finally:
        process.kill()
        process.wait()
    return process.pid, out.read_text()
