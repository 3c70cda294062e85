"""A state file for the commands, in a folder and an environment with nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cutover.store.helpers import INSTANT, INVENTORY, migrated


@pytest.fixture(autouse=True)
def _empty_folder_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LOGNAME", "grace")
    for name in os.environ:
        if name.upper().startswith("TRADEWINDOW_"):
            monkeypatch.delenv(name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "other.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteCutoverStore]:
    """Another app's, with the inventory, at version 1."""
    store = SQLiteCutoverStore(migrated(path))
    store.register(INVENTORY, {}, at=INSTANT)
    yield store
    store.close()
