"""Servers that can't start, by their own commands: one sentence, no traceback, and they end. `tradewindow serve` has
its tests beside its source."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.servers import Server, new_app_under_uvicorn, old_backend, old_backend_under_flask, settings


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"TRADEWINDOW_WINDOW__START_HOUR": "99"},
            "window.start_hour: 99 is not a whole number from 0 to 23 (from TRADEWINDOW_WINDOW__START_HOUR)",
        ),
        (
            {"TRADEWINDOW_CONFIG": "{folder}/broken.toml"},
            "the config file {folder}/broken.toml is not TOML: Expected ']' at the end of a table declaration "
            "(at line 1, column 8)",
        ),
        (
            {"TRADEWINDOW_STORE__PATH": "{folder}/broken.toml/state.sqlite3"},
            "the state file {folder}/broken.toml/state.sqlite3 can't be used: "
            "the folder of {folder}/broken.toml/state.sqlite3 can't be made: File exists (store.path)",
        ),
        (
            {"TRADEWINDOW_STORE__PATH": "{folder}/broken.toml"},
            "the state file {folder}/broken.toml can't be used: file is not a database (store.path)",
        ),
    ],
    ids=["setting", "config-file", "state-folder", "state-file"],
)
def test_each_command_ends_with_one_sentence(wrong: dict[str, str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[window\n" + "#" * 1024)
    environ = settings(tmp_path / "state.sqlite3") | {
        name: value.format(folder=tmp_path) for name, value in wrong.items()
    }
    with ExitStack() as stack:
        servers: list[Server] = [
            stack.enter_context(new_app_under_uvicorn(environ, tmp_path)),
            stack.enter_context(old_backend_under_flask(environ, tmp_path)),
            stack.enter_context(old_backend(environ, tmp_path, workers=1, preload=False)),
            stack.enter_context(old_backend(environ, tmp_path, workers=1, preload=True)),
        ]
        for server in servers:
            server.launch()
        for server in servers:
            assert server.wait() == 3
            assert server.stderr.count(f"tradewindow can't start: {sentence.format(folder=tmp_path)}\n") == 1
            assert server.output.count("can't start") == 1
            assert "Traceback" not in server.output
    assert not (tmp_path / "state.sqlite3").exists()
