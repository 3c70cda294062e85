import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.store.sqlite import SQLiteStore
from tests.fakes.trading import TradingExchange
from tests.shared.broker.at_exchange import Served, client_of, trading

LONG = ("e2e", "parity", "bridge")
"""The folders whose files take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, so that in the end no process is left alone with one."""
    folder = Path(__file__).parent
    long = [folder / name for name in LONG]
    items.sort(key=lambda item: not any(item.path.is_relative_to(each) for each in long))


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


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with trading() as exchange, client_of(exchange, request_timeout_seconds=0.5, read_attempts=6) as client:
        yield exchange, client


@pytest.fixture
def exchange(served: Served) -> TradingExchange:
    """One at which nothing has happened, with an account of 1,000,000 dollars and 3 bitcoin."""
    served[0].begin_anew(USD="1000000", BTC="3")
    return served[0]
