import os
import pty
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastapi_app.cli.commands import app
from shared.bot.store.base import BotRow
from shared.bot.store.sqlite import SQLiteBotStore
from shared.store.sqlite import SQLiteStore
from shared.window_config import WindowConfig
from tests.fakes.trading import TradingExchange
from tests.fastapi_app.cli.running import TRADEWINDOW, environment, wait_until
from tests.shared.broker.at_exchange import trading

REAL = {"BROKER__KIND": "exchange", "BROKER__SYMBOLS": '["BTC-USD"]', "MARKET__KIND": "exchange"}
KEYS = {"EXCHANGE__API_KEY": "key", "EXCHANGE__API_SECRET": "secret", "EXCHANGE__SANDBOX": "false"}


class Run:
    """`tradewindow bot run` as a process; with a terminal, a person can type into it."""

    def __init__(self, folder: Path, *arguments: str, variables: Mapping[str, str], has_terminal: bool = False) -> None:
        self._out = folder / "out"
        self._terminal: int | None = None
        stdin = subprocess.DEVNULL
        if has_terminal:
            self._terminal, stdin = pty.openpty()
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [TRADEWINDOW, "bot", "run", *arguments],
                cwd=folder,
                env=environment(**variables),
                stdin=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        if has_terminal:
            os.close(stdin)

    @property
    def text(self) -> str:
        return self._out.read_text()

    def types(self, line: str) -> None:
        assert self._terminal is not None
        os.write(self._terminal, f"{line}\n".encode())

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.text or self.process.poll() is not None)
        assert text in self.text, self.text

    def press_ctrl_c(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._terminal is not None:
            os.close(self._terminal)


@pytest.fixture(autouse=True)
def _empty_folder_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("TRADEWINDOW_"):
            monkeypatch.delenv(name)


@pytest.fixture
def venue() -> Iterator[TradingExchange]:
    with trading() as exchange:
        yield exchange


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["bot", "run", *arguments])
    assert (result.exit_code, result.stdout) == (3, "")
    return result.stderr.removeprefix("tradewindow bot: ").removesuffix("\n")


def row_in(path: Path) -> BotRow:
    with closing(SQLiteBotStore(path)) as store:
        return store.read()


def test_it_trades_paper_money_until_ctrl_c_and_no_second_one_runs(
    state_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it in its way that one was killed, whose lease has ended."""
    ended = datetime.now(UTC) - timedelta(seconds=1)
    with closing(SQLiteBotStore(state_file)) as store:
        store.change(lambda _: BotRow(desired="running", holder="one that was killed", lease_until=ended))
    with closing(SQLiteStore(state_file)) as windows:
        windows.create("default", WindowConfig(max_trades_per_day=50))
    given = {"STORE__PATH": str(state_file), "BOT__CYCLE_SECONDS": "0.05"}
    with closing(Run(tmp_path, "--strategy", "rsi:period=3", variables=given)) as run:
        run.wait_for("Ctrl-C")
        assert "  money       paper\n" in run.text
        assert "  prices      synthetic (made up)\n" in run.text
        assert "at most 50 entries a day" in run.text  # as is stored, and not the settings' 5
        assert f"  state       {state_file}\n" in run.text
        wait_until(lambda: row_in(state_file).last_cycle is not None)
        row = row_in(state_file)
        assert row.config is not None
        assert row.config["strategies"] == {"rsi": {"period": 3}}
        monkeypatch.setenv("TRADEWINDOW_STORE__PATH", str(state_file))
        told = refused()
        assert told.startswith(f"the bot is run by {row.holder}, whose lease lasts until 20")
        assert row.holder is not None
        assert row.holder.endswith(f"-{run.process.pid}")
        assert run.press_ctrl_c() == 0
        assert run.text.endswith("Stopped; what was in flight is finished.\n")
    row = row_in(state_file)
    assert (row.desired, row.holder) == ("stopped", None)


def test_real_money_takes_the_exchanges_name_typed_in_a_terminal(
    state_file: Path, tmp_path: Path, venue: TradingExchange
) -> None:
    given = {**REAL, **KEYS, "EXCHANGE__URL": venue.url, "STORE__PATH": str(state_file), "BOT__CYCLE_SECONDS": "0.05"}
    with closing(Run(tmp_path, "--live", variables=given, has_terminal=True)) as run:
        run.wait_for("Type the name of the exchange to go on (binance): ")
        assert "This trades BTC-USD at binance, with real money, by ema_crossover." in run.text
        assert venue.asked("/api/v3/account") == []
        run.types("binance")
        run.wait_for("  money       real, at binance\n")
        wait_until(lambda: row_in(state_file).last_cycle is not None)
        assert run.press_ctrl_c() == 0


def test_another_word_starts_nothing(tmp_path: Path) -> None:
    with closing(Run(tmp_path, "--live", variables={**REAL, **KEYS}, has_terminal=True)) as run:
        run.wait_for("(binance): ")
        run.types("yes")
        assert run.process.wait(60) == 3
        assert run.text.endswith('tradewindow bot: the name: "yes" is not binance; nothing was started\n')


@pytest.fixture
def _real(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**REAL, **KEYS}.items():
        monkeypatch.setenv(f"TRADEWINDOW_{name}", value)


@pytest.mark.usefixtures("_real")
def test_a_pipe_is_no_person() -> None:
    result = CliRunner().invoke(app, ["bot", "run", "--live"], input="binance\n")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "tradewindow bot: --live needs a terminal, in which a person types the name of the exchange; "
        "nothing was started\n"
    )


@pytest.mark.usefixtures("_real")
@pytest.mark.parametrize("arguments", [(), ("--live",)])
def test_real_money_is_traded_only_as_settings_and_command_say(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not arguments:
        assert refused() == (
            "the settings trade real money at binance (broker.kind, exchange.sandbox): that takes --live"
        )
        # A word in the settings is not enough.
        monkeypatch.setenv("TRADEWINDOW_BROKER__LIVE", "true")
        assert refused().endswith("that takes --live")
        return
    monkeypatch.setenv("TRADEWINDOW_EXCHANGE__SANDBOX", "true")
    assert refused("--live") == "--live: exchange.sandbox: true is not false, as real money needs"
    monkeypatch.setenv("TRADEWINDOW_BROKER__KIND", "paper")
    assert refused("--live") == '--live: broker.kind: "paper" is not exchange, which real money needs'


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    assert refused("--strategy", "rsi:period=1").endswith("rsi: period: 1 is not a whole number from 2 to 1000")
    assert list(tmp_path.iterdir()) == []
