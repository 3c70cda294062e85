import shutil
from pathlib import Path

import pytest

from shared.store.sqlite import SQLiteStore


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty file on the newest schema: to copy it takes less time than to migrate another."""
    path = tmp_path_factory.mktemp("migrated") / "state.db"
    SQLiteStore(path).prepare()
    return path


@pytest.fixture
def state_file(migrated_file: Path, tmp_path: Path) -> Path:
    """An empty file on the newest schema, of the test's own."""
    return Path(shutil.copy(migrated_file, tmp_path / "state.db"))
