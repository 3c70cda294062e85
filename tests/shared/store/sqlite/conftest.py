"""Stores of one SQLite file, and that file itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.store.sqlite import SQLiteStore
from tests.shared.store.helpers import CONFIG, DEADLINE_SECONDS, in_thread
from tests.shared.store.sqlite.files import OpenStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def open_store(path: Path) -> Iterator[OpenStore]:
    opened: list[SQLiteStore] = []

    def open_one(at: Path = path, **options: Any) -> SQLiteStore:
        opened.append(SQLiteStore(at, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        in_thread(store.close).result(DEADLINE_SECONDS)


@pytest.fixture
def store(open_store: OpenStore) -> SQLiteStore:
    """A store that is open, with a window `w`."""
    store = open_store()
    store.create("w", CONFIG)
    return store
