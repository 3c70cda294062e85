"""A replay's state file is the replay's alone: no server and no bot starts on it, and it stays as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastapi_app.app import create_app
from fastapi_app.cli.commands import app
from fastapi_app.main_bot_async import run_main_async
from legacy_flask.app import create_app as create_legacy_app
from legacy_flask.main_bot import run_main
from tests.fastapi_app.cli.candle_files import csv_file
from tests.shared.strategies.markets import drifting


def bot(*arguments: str) -> str:
    """What it says on stderr, with its exit code."""
    result = CliRunner().invoke(app, ["bot", *arguments])
    return f"{result.exit_code} {result.stderr}"


@pytest.fixture
def replayed(state_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    csv_file(Path("candles.csv"), drifting(1, length=300))
    assert bot("replay", "candles.csv", "--state", str(state_file)) == "0 "
    monkeypatch.setenv("TRADEWINDOW_STORE__PATH", str(state_file))
    return state_file


@pytest.mark.parametrize(
    ("start", "begins"),
    [
        (create_app, "tradewindow can't start: "),
        (create_legacy_app, "tradewindow can't start: "),
        (run_main, "the bot can't start: "),
        (run_main_async, "the bot can't start: "),
    ],
    ids=["serve", "flask", "old bot", "new bot"],
)
def test_no_process_starts_on_it(
    start: Callable[[], object], begins: str, replayed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = replayed.read_bytes()
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code == 3
    assert capsys.readouterr().err == (
        f"{begins}the state file {replayed} is a replay's (bot replay --state); a server and a bot need a file of "
        "their own (store.path)\n"
    )
    assert replayed.read_bytes() == before


def test_bot_run_does_not_either_and_the_replay_goes_on(replayed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bot("run") == (
        f"3 tradewindow bot: the state file {replayed} is a replay's (bot replay --state); a server and a bot need a "
        "file of their own (store.path)\n"
    )
    monkeypatch.delenv("TRADEWINDOW_STORE__PATH")
    assert bot("replay", "candles.csv", "--state", str(replayed)) == "0 "
