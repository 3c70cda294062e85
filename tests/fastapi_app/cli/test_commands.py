import json
import os
import subprocess
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastapi_app.cli.commands import app
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cli.running import TRADEWINDOW
from tests.fastapi_app.cutover.store.helpers import INSTANT, LEGACY, VERIFY, endpoint, migrated


@pytest.fixture(autouse=True)
def _empty_folder_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in os.environ:
        if name.upper().startswith("TRADEWINDOW_"):
            monkeypatch.delenv(name)


def output(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def endpoints(*arguments: str) -> dict[str, dict[str, str]]:
    return {row["endpoint"]: row for row in json.loads(output("routes", "--json", *arguments))}


def test_routes_shows_who_has_and_who_serves_each_endpoint() -> None:
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output("routes").splitlines()]
    assert ["GET /api/health", "both", "legacy", "legacy"] in rows
    assert ["POST /api/trading-window/trades", "both", "legacy", "legacy"] in rows
    assert ["GET /api/trading-window", "native only", "native", "native"] in rows


def test_routes_as_json() -> None:
    assert endpoints()["GET /api/trading-window/remaining-trades"] == {
        "endpoint": "GET /api/trading-window/remaining-trades",
        "method": "GET",
        "rule": "/api/trading-window/remaining-trades",
        "has": "native only",
        "mode": "native",
        "served_by": "native",
    }


def test_routes_follows_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("given.toml").write_text('[cutover.modes]\n"GET /api/status" = "native"\n')
    assert endpoints("--config", "given.toml")["GET /api/status"]["served_by"] == "native"
    monkeypatch.setenv("TRADEWINDOW_CUTOVER__MODES", '{"GET /api/health": "native"}')
    served_by = {name: row["served_by"] for name, row in endpoints().items()}
    assert served_by["GET /api/health"] == "native"
    assert served_by["GET /api/status"] == "legacy"


def test_routes_touches_no_state() -> None:
    output("routes")
    assert list(Path().iterdir()) == []


def test_routes_follows_the_store_and_leaves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SQLiteCutoverStore(migrated(Path("kept.db")))) as store:
        both = [endpoint("GET /api/health"), endpoint("GET /api/trading-window")]
        modes = {"GET /api/health": VERIFY, "GET /api/trading-window": LEGACY}
        store.register(both, modes, at=INSTANT)
    monkeypatch.setenv("TRADEWINDOW_CUTOVER__PATH", "kept.db")
    before = {file.name for file in Path().iterdir()}
    shown = endpoints()
    assert (shown["GET /api/health"]["mode"], shown["GET /api/health"]["served_by"]) == ("verify", "native")
    # It was on both sides once.
    gone = shown["GET /api/trading-window"]
    assert (gone["mode"], gone["served_by"]) == ("legacy", "native")
    assert {file.name for file in Path().iterdir()} == before


def test_routes_migrates_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty.db").touch()
    monkeypatch.setenv("TRADEWINDOW_CUTOVER__PATH", "empty.db")
    result = CliRunner().invoke(app, ["routes"])
    assert (result.exit_code, result.stderr) == (
        3,
        "tradewindow can't start: the store can't answer: empty.db is not a cutover's state file\n",
    )
    assert [(file.name, file.stat().st_size) for file in Path().iterdir()] == [("empty.db", 0)]


def test_routes_refuses_wrong_settings_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWINDOW_SERVER__PORT", "http")
    result = CliRunner().invoke(app, ["routes"])
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        'tradewindow can\'t start: server.port: "http" is not a whole number from 0 to 65535 '
        "(from TRADEWINDOW_SERVER__PORT)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve", "--port", "http"], "'--port': \"http\" is not a whole number from 0 to 65535"),
        (["serve", "--workers", "2.5"], "'--workers': \"2.5\" is not a whole number from 1 to 64"),
        (["cutover", "serve", "--legacy=a:b", "--port", ""], "'--port': \"\" is not a whole number from 0 to 65535"),
    ],
)
def test_an_option_that_is_no_number_is_named_with_its_rule(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for {sentence}" in result.stderr


def test_help_names_every_option_and_where_settings_come_from() -> None:
    told = output("serve", "--help")
    for name in ("--host", "--port", "--workers", "--config", "127.0.0.1", "8000", "tradewindow.toml"):
        assert name in told
    assert "TRADEWINDOW_SERVER__PORT=9000" in told


def test_a_change_is_told_on_a_stdout_that_knows_no_arrow() -> None:
    with closing(SQLiteCutoverStore(migrated(Path("kept.db")))) as store:
        store.register([endpoint("GET /a")], {}, at=INSTANT)
    ended = subprocess.run(
        [TRADEWINDOW, "cutover", "set", "GET /a", "shadow", "--reason=x", "--author=ann", "--state=kept.db"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[0] == "GET /a: legacy ? shadow"


def test_the_installed_command_tells_its_version() -> None:
    told = subprocess.run([TRADEWINDOW, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"tradewindow {version('trading-window')}\n"
    assert told.stderr == ""


def test_the_help_of_the_bot_names_the_section_of_the_settings() -> None:
    assert "the section bot of the settings" in " ".join(output("bot", "--help").split())
