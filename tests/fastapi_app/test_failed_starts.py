"""A start that fails leaves no window: the next one, with settings that are right, seeds its own."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.app import create_app
from fastapi_app.judging_endpoints import JUDGING_ENDPOINTS
from fastapi_app.main_bot_async import main_async
from legacy_flask.app import create_app as create_legacy_app
from legacy_flask.main_bot import main
from shared.errors import CandleFileError, SettingsError
from shared.settings import Settings, load_settings
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID


def settings_in(folder: Path, **sections: dict[str, Any]) -> Settings:
    files: dict[str, dict[str, Any]] = {
        "store": {"path": str(folder / "state.db")},
        "cutover": {"path": str(folder / "cutover.db"), "token_path": str(folder / "token")},
    }
    given = {name: files.get(name, {}) | sections.get(name, {}) for name in {*files, *sections}}
    return load_settings(environ={}, options=given)


def windows_in(folder: Path) -> list[str]:
    with closing(SQLiteStore(folder / "state.db")) as store:
        return list(store.window_ids())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"modes": {"GET /api/healt": "shadow"}},
            "cutover.modes: 'GET /api/healt' is not an endpoint: the nearest are GET /api/health, GET /api/balances, "
            "GET /api/status",
        ),
        ({"pure": ["GET /a"]}, "cutover.pure: 'GET /a' is not an endpoint: the nearest are GET /docs, GET /redoc"),
        ({"costly": ["GET /a"]}, "cutover.costly: 'GET /a' is not an endpoint: the nearest are GET /docs, GET /redoc"),
        (
            {"path": "{folder}/notes.txt"},
            "the state file {folder}/notes.txt can't be used: file is not a database (cutover.path)",
        ),
        (
            {"token_path": "{folder}/notes.txt/token"},
            "the admin token's file {folder}/notes.txt/token can't be read or made: Not a directory",
        ),
    ],
    ids=["modes", "pure", "costly", "cutover-file", "token"],
)
def test_a_server_s_settings_are_right_before_they_seed_anything(
    wrong: dict[str, Any], sentence: str, state_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("This is no database, and never was one. " * 20)
    wrong = {key: value.format(folder=tmp_path) if isinstance(value, str) else value for key, value in wrong.items()}
    with pytest.raises(SettingsError) as refused:
        create_app(settings_in(tmp_path, cutover=wrong, window={"max_trades_per_day": 7}))
    assert str(refused.value) == sentence.format(folder=tmp_path)
    assert windows_in(tmp_path) == []

    create_app(settings_in(tmp_path, window={"max_trades_per_day": 3}))
    with closing(SQLiteStore(state_file)) as store:
        assert store.snapshot(DEFAULT_WINDOW_ID).config.max_trades_per_day == 3


def test_what_fails_does_not_open_the_way_to_rules_that_the_old_side_does_not_know(tmp_path: Path) -> None:
    native = dict.fromkeys((*JUDGING_ENDPOINTS, "GET /api/healt"), "native")
    for modes, sentence in (
        (native, "'GET /api/healt' is not an endpoint"),
        ({}, "the old side doesn't know cooldown_seconds"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            create_app(settings_in(tmp_path, cutover={"modes": modes}, window={"cooldown_seconds": 60}))


@pytest.mark.parametrize(
    "start",
    [create_app, create_legacy_app, main, lambda settings: asyncio.run(main_async(settings))],
    ids=["serve", "flask", "old bot", "new bot"],
)
def test_no_start_on_candles_that_can_t_be_read_seeds_anything(
    start: Callable[[Settings], object], state_file: Path, tmp_path: Path
) -> None:
    market = {"kind": "file", "files": {"BTC-USD": str(tmp_path / "none.csv")}}
    with pytest.raises(CandleFileError):
        start(settings_in(state_file.parent, market=market))
    assert windows_in(tmp_path) == []
