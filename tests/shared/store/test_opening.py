"""How an entry point comes to its store, and what it says where it can't."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SettingsError, StoreUnavailable
from shared.settings import load_settings
from shared.store.opening import names_state_file, open_store, open_unseeded_store, window_in_force
from shared.window_config import WindowConfig


def test_a_problem_is_told_with_the_file_once_and_its_setting(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with (
        pytest.raises(SettingsError) as refused,
        names_state_file(path, "cutover.path"),
    ):
        raise StoreUnavailable(f"{path}: file is not a database")
    assert str(refused.value) == f"the state file {path} can't be used: file is not a database (cutover.path)"


@pytest.mark.parametrize("name", [".", "state.db", "state.db-wal", "state.db-shm"])
def test_what_may_not_be_written_stops_the_start(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, locked = tmp_path / "state.db", tmp_path / name
    settings = load_settings(options={"store": {"path": str(path)}})
    open_store(settings).close()
    locked.touch()
    # Root may write to any file, so permissions alone would prove nothing.
    monkeypatch.setattr(os, "access", lambda file, mode: Path(file) != locked or not mode & os.W_OK)
    with pytest.raises(SettingsError) as refused:
        open_store(settings)
    assert str(refused.value) == (
        f"the state file {path} can't be used: this user may not read and write {locked} (store.path)"
    )


@pytest.mark.parametrize(
    ("given", "stored", "set_to"),
    [
        ({"cooldown_seconds": 60}, "cooldown_seconds 0", "cooldown_seconds 60"),
        ({"max_trades_per_day": 5}, "max_trades_per_day 50", "max_trades_per_day 5"),
        (
            {"timezone": "Europe/Stockholm", "end_hour": 16, "max_trades_per_day": 50},
            "end_hour 24, timezone UTC",
            "end_hour 16, timezone Europe/Stockholm",
        ),
    ],
)
def test_what_somebody_has_set_and_the_store_has_otherwise_is_logged_with_where_to_change_it(
    given: dict[str, Any], stored: str, set_to: str, state_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A default of the settings says nothing: nobody has set it."""
    store = {"path": str(state_file)}
    open_store(load_settings(environ={}, options={"store": store, "window": {"max_trades_per_day": 50}})).close()
    open_store(load_settings(environ={}, options={"store": store})).close()
    assert caplog.records == []
    open_store(load_settings(environ={}, options={"store": store, "window": given})).close()
    assert [record.getMessage() for record in caplog.records] == [
        f"the window 'default' keeps its stored {stored}, though the settings say {set_to}; to change it, use "
        "PUT /api/windows/default/config, or PUT /api/trading-window/config for the keys that the old side knows"
    ]


def test_the_window_in_force_is_the_stored_one_or_what_would_be_seeded_and_no_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    settings = load_settings(environ={}, options={"store": {"path": str(path)}, "window": {"end_hour": 16}})
    assert window_in_force(settings) == WindowConfig(end_hour=16)
    assert not path.exists()
    with closing(open_unseeded_store(settings)) as store:
        assert window_in_force(settings) == WindowConfig(end_hour=16)
        store.create("default", WindowConfig(max_trades_per_day=50))
    assert window_in_force(settings) == WindowConfig(max_trades_per_day=50)
