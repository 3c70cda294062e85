import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from fastapi_app.cli.commands import app
from fastapi_app.cli.replay_tape import Tape
from shared.bot.events import Event
from shared.bot.store.sqlite import SQLiteBotStore
from shared.candle import Candle
from shared.store.sqlite import SQLiteStore
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.runs import OFFICE_HOURS, check_books, replayed
from tests.fastapi_app.cli.candle_files import csv_file, parquet_file
from tests.fastapi_app.cli.running import TRADEWINDOW, environment, wait_until
from tests.shared.strategies.markets import RECORDED, drifting

QUICK = ("--strategy", "ema_crossover:fast=2,slow=4")
OFFICE = ("--start-hour", "8", "--end-hour", "16")


@pytest.fixture(autouse=True)
def _empty_folder_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in os.environ:
        if name.upper().startswith("TRADEWINDOW_"):
            monkeypatch.delenv(name)


@pytest.fixture
def candles() -> Path:
    return csv_file(Path("candles.csv"), drifting(1, length=1_500))


def invoked(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["bot", "replay", *map(str, arguments)])


def output(*arguments: str | Path) -> str:
    result = invoked(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def told(*arguments: str | Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(output(*arguments, "--json"))
    return answer


def refused(*arguments: str | Path) -> str:
    result = invoked(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    return result.stderr.removeprefix("tradewindow bot: ").removesuffix("\n")


def left(answer: dict[str, Any]) -> dict[str, Any]:
    """What two runs of one replay have in common."""
    return {key: value for key, value in answer.items() if key not in ("file", "seconds", "candles_before")}


def test_json_tells_the_orders_trades_and_balances_of_the_bot_itself(candles: Path) -> None:
    answer = told(candles, *QUICK, *OFFICE)
    expected = asyncio.run(replayed(drifting(1, length=1_500)))
    check_books(expected, window=OFFICE_HOURS)
    for name in ("orders", "trades", "balances", "positions"):
        assert answer[name] == list(getattr(expected, name))
    assert {**{key: count for key, count in answer["traded"].items() if count}, **answer["refused"]} == expected.counts
    assert (answer["candles"], answer["candles_before"]) == (1_500, 0)
    assert [day["entries"] for day in answer["days"]] == [5]
    assert isinstance(answer["balances"][0]["total"], str)
    assert Decimal(answer["balances"][0]["total"]) != 10_000


def test_the_tables_say_the_same(candles: Path) -> None:
    answer = told(candles, *QUICK, *OFFICE)
    rows = [line.split() for line in output(candles, *QUICK, *OFFICE).splitlines()]
    assert ["orders", str(len(answer["orders"]))] in rows
    assert ["trades", str(len(answer["trades"]))] in rows
    assert ["entry", "5"] in rows
    assert ["DAILY_LIMIT", str(answer["refused"]["DAILY_LIMIT"]), "the", "window"] in rows
    assert ["OUTSIDE_HOURS", str(answer["refused"]["OUTSIDE_HOURS"]), "the", "window"] in rows
    assert ["2026-03-04", "5", str(answer["days"][0]["exits"])] in rows
    balance = answer["balances"][0]
    assert ["USD", balance["available"], balance["total"]] in rows
    assert ["window", "08:00", "to", "16:00", "UTC,", "at", "most", "5", "entries", "a", "day"] in rows


def test_parquet_and_csv_are_one(candles: Path) -> None:
    parquet = parquet_file(Path("candles.parquet"), drifting(1, length=1_500))
    assert left(told(parquet, *QUICK)) == left(told(candles, *QUICK))


def test_settings_say_what_no_option_does(candles: Path) -> None:
    Path("given.toml").write_text(
        "[bot]\nstrategies = { ema_crossover = { fast = 2, slow = 4 } }\n[window]\nmax_trades_per_day = 2\n"
        'intervals = [{ start = "10:00", end = "11:00" }]\n[broker]\nbalances = { USD = "500" }\n'
    )
    answer = told(candles, "--config", "given.toml")
    entries = [trade["executed_at"] for trade in answer["trades"] if "reduces" not in trade]
    assert len(entries) == 2
    assert {at[11:13] for at in entries} == {"10"}
    assert Decimal(answer["balances"][0]["total"]) < 1_000
    more = told(candles, "--config", "given.toml", "--max-trades", "3", "--start-hour", "12", "--end-hour", "13")
    entries = [trade["executed_at"] for trade in more["trades"] if "reduces" not in trade]
    assert len(entries) == 3
    assert {at[11:13] for at in entries} == {"12"}


def test_several_strategies_with_their_parameters(candles: Path) -> None:
    answer = told(candles, *QUICK, "--strategy", "fair_value_gap:min_gap_percent=0.25", "--strategy", "rsi:oversold=25")
    assert answer["strategies"] == {
        "ema_crossover": {"fast": 2, "slow": 4},
        "fair_value_gap": {"min_gap_percent": "0.25"},
        "rsi": {"oversold": 25},
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--strategy", "none"),
            'bot.strategies: strategy: "none" is not one of ema_crossover, fair_value_gap, rsi',
        ),
        (("--strategy", "rsi:period=1"), "bot.strategies: rsi: period: 1 is not a whole number from 2 to 1000"),
        (
            ("--strategy=rsi", "--strategy=rsi:period=3"),
            "--strategy: rsi is given twice, and a bot has each strategy once",
        ),
        (("--start-hour", "25"), "window.start_hour: 25 is not a whole number from 0 to 23 (from the command line)"),
        (("--timeframe", "7m"), 'bot.timeframe: "7m" is not one of 1m, 5m, 15m, 1h, 1d (from the command line)'),
        (
            ("--timeframe", "1h"),
            "the candle file candles.csv can't be read: line 3: "
            'timestamp: "2026-03-04T00:01:00+00:00" is not the open of a candle of 1h',
        ),
        (
            ("--symbol", "BTCUSD"),
            '--symbol: "BTCUSD" is not a symbol such as BTC-USD: two parts of letters A-Z and digits, joined by a '
            "dash, at most 32 characters",
        ),
        (("--symbol", "BTC-EUR"), 'broker.balances: {"USD": "10000"} is not money in EUR, which BTC-EUR costs'),
        (("--report", "none/out.html"), "--report: none/out.html is not a path at which a file can be written"),
        (("--state", "none/x.sqlite3"), "--state: there is no folder {folder}/none"),
        (("--state", "."), "--state: . is a folder, and a file is needed"),
    ],
)
def test_what_is_wrong_is_named_with_its_bound(arguments: tuple[str, ...], sentence: str, candles: Path) -> None:
    assert refused(candles, *arguments) == sentence.replace("{folder}", str(Path.cwd()))


def test_a_file_of_no_candles_is_refused() -> None:
    Path("text.txt").touch()
    assert refused("text.txt").endswith("text.txt can't be read: its ending is none of .csv, .parquet")
    assert refused("none.csv").endswith("none.csv can't be read: No such file or directory")
    assert refused(csv_file(Path("empty.csv"), [])).endswith("empty.csv can't be read: there is no candle in it")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--strategy", "rsi:period"), "'--strategy': 'rsi:period' is not a name, or a name and parameters"),
        (("--end-hour", "x"), "'--end-hour': \"x\" is not a whole number from 0 to 24"),
    ],
)
def test_an_option_that_can_not_be_read_is_wrong_use(arguments: tuple[str, ...], sentence: str, candles: Path) -> None:
    result = invoked(candles, *arguments)
    assert result.exit_code == 2
    assert f"Invalid value for {sentence}" in " ".join(re.sub("[│╭╰─╮╯]", "", result.stderr).split())


def test_a_state_file_is_gone_on_with(state_file: Path) -> None:
    whole = csv_file(Path("whole.csv"), drifting(1, length=600))
    part = csv_file(Path("part.csv"), drifting(1, length=250))
    assert told(part, *QUICK, "--state", state_file)["candles"] == 250
    answer = told(whole, *QUICK, "--state", state_file)
    assert (answer["candles"], answer["candles_before"]) == (600, 250)
    assert left(answer) == left(told(whole, *QUICK))


def test_a_state_file_belongs_to_one_replay(state_file: Path) -> None:
    part = csv_file(Path("part.csv"), drifting(1, length=50))
    state_file.rename("kept.db")
    output(part, *QUICK, "--state", "kept.db")
    assert refused(part, *QUICK, "--state", "kept.db", "--max-trades", "9") == (
        "--state: kept.db holds a replay with window.max_trades_per_day 5, and this one has 9; give the same settings, "
        "or another file"
    )
    assert "--state: kept.db holds a replay with bot.strategies " in refused(part, "--state", "kept.db")
    with FileLock("kept.db.replay-lock"):
        assert refused(part, *QUICK, "--state", "kept.db") == (
            "--state: another process replays on kept.db; let it end, or stop it"
        )


def test_a_state_file_is_not_gone_on_with_on_other_candles(state_file: Path) -> None:
    candles = drifting(1, length=60)
    part = csv_file(Path("part.csv"), candles[:50])
    output(part, *QUICK, "--state", state_file)
    other = csv_file(Path("other.csv"), drifting(2, length=80))
    assert re.fullmatch(
        r"--state: \S+state\.db holds a replay of candles that begin with 2026-03-04T00:00:00\+00:00,100\.\d+,[\d.,]+, "
        r"and other\.csv begins with 2026-03-04T00:00:00\+00:00,100\.\d+,[\d.,]+; "
        r"give the same candles, or another file",
        refused(other, *QUICK, "--state", state_file),
    )
    cut = csv_file(Path("cut.csv"), candles[10:])
    assert "and cut.csv begins with 2026-03-04T00:10:00+00:00," in refused(cut, *QUICK, "--state", state_file)
    rest = csv_file(Path("rest.csv"), candles[50:])  # what a market did afterwards
    assert told(rest, *QUICK, "--state", state_file)["candles"] == 10
    for again in (rest, part):
        assert told(again, *QUICK, "--state", state_file)["candles_before"] == told(again, *QUICK)["candles"]


def test_a_servers_state_is_left_alone(candles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SQLiteStore("server.db")) as store:
        store.create("default", WindowConfig())
    assert refused(candles, "--state", "server.db") == (
        "--state: server.db is a server's state; a replay needs a file of its own"
    )
    monkeypatch.setenv("TRADEWINDOW_STORE__PATH", "server.db")
    assert refused(candles, "--state", str(Path("server.db").absolute())) == (
        f"--state: {Path('server.db').absolute()} is the server's own file (store.path); a replay needs one of its own"
    )


def test_ctrl_c_and_kill_9_are_gone_on_from(state_file: Path) -> None:
    """The process is stopped twice, and what this one then finishes is equal to what is never stopped."""
    # As many entries as it wants: a write every other candle makes it slow enough to be stopped half way.
    given = (csv_file(Path("long.csv"), drifting(9, length=6_000)), *QUICK, "--max-trades", "10000")
    kept = (*given, "--state", state_file)
    with closing(SQLiteBotStore(state_file)) as rows:

        def beyond(version: int) -> Callable[[], bool]:
            return lambda: rows.read().version > version

        code, errors = _stopped(kept, signal.SIGINT, when=beyond(20))
        assert code == 130
        assert re.fullmatch(
            r"tradewindow bot: stopped after [\d,]+ candles, at 2026-03-0\d \d\d:\d\d UTC; \S+state\.db keeps what was "
            r"done: the same command goes on from there\n",
            errors,
        )
        before = rows.read().version
        code, errors = _stopped(kept, signal.SIGKILL, when=beyond(before + 20))
        assert (code, errors) == (-signal.SIGKILL, "")
    answer = told(*kept)
    assert 0 < answer["candles_before"] < 6_000
    assert left(answer) == left(told(*given))


def test_ctrl_c_in_memory_says_what_would_have_kept_it(candles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press_ctrl_c(tape: Tape, event: Event) -> None:  # noqa: ARG001
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Tape, "observe", press_ctrl_c)
    result = invoked(candles, *QUICK)
    assert (result.exit_code, result.stdout) == (130, "")
    assert re.fullmatch(
        r"tradewindow bot: stopped after \d+ candles, at 2026-03-04 00:\d\d UTC; nothing is kept: with --state FILE, a "
        r"replay that was stopped goes on\n",
        result.stderr,
    )


def test_ctrl_c_at_the_last_candle_shows_what_came_of_all(candles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = told(candles, *QUICK)
    take = Tape._take

    def and_press_ctrl_c_at_the_last(tape: Tape, candle: Candle) -> None:
        take(tape, candle)
        if tape.candles == 1_500:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Tape, "_take", and_press_ctrl_c_at_the_last)
    answer = told(candles, *QUICK)
    assert answer["candles"] == 1_500
    assert left(answer) == left(expected)


def _stopped(arguments: tuple[str | Path, ...], number: signal.Signals, *, when: Callable[[], bool]) -> tuple[int, str]:
    """The exit status and stderr of a replay that is sent the signal once it has come so far."""
    process = subprocess.Popen(
        [TRADEWINDOW, "bot", "replay", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: when() or process.poll() is not None)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert stdout == ""
    return process.returncode, stderr


def test_a_recorded_month_keeps_to_the_window() -> None:
    if not RECORDED.exists():
        pytest.skip(f"needs the recorded candles at {RECORDED}")
    answer = told(RECORDED, "--strategy", "rsi", *OFFICE)
    assert answer["candles"] == 45_031
    assert max(day["entries"] for day in answer["days"]) == 5
    entries = [trade for trade in answer["trades"] if "reduces" not in trade]
    assert all(8 <= int(trade["executed_at"][11:13]) < 16 for trade in entries)
    assert [trade["id"] for trade in answer["trades"]] == [
        f"trade-{order['client_order_id']}" for order in answer["orders"]
    ]
    cash = sum((Decimal(order["realized_pnl"]) - Decimal(order["fee"]) for order in answer["orders"]), Decimal(10_000))
    assert answer["positions"] == []
    assert Decimal(answer["balances"][0]["total"]) == cash
