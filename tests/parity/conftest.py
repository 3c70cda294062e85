"""How long this folder searches. With `--hypothesis-profile=soak` the sequences take the better part of an hour."""

from pathlib import Path

import pytest
from hypothesis import settings

from shared.store.sqlite import SQLiteStore
from tests.parity.desk import Side

settings.register_profile("soak", max_examples=20_000)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a window, to be copied: to make one takes a migration."""
    path = tmp_path_factory.mktemp("state") / "empty.sqlite3"
    SQLiteStore(path).prepare()
    return path


@pytest.fixture(params=["legacy", "native"])
def side(request: pytest.FixtureRequest) -> Side:
    found: Side = request.param
    return found
