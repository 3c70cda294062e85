from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.servers import bridge, gunicorn
from tests.e2e.servers import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bridge")
    group.addoption("--big", action="store_true", help="Uploads and downloads of 1 GB instead of 200 MB.")
    group.addoption("--fuzz-seconds", type=float, default=4.0, help="How long the bridge is fuzzed (4).")
    group.addoption("--seed", type=int, default=None, help="The seed of the fuzz, as a failed run printed it.")


@pytest.fixture(scope="session")
def under_gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with gunicorn(tmp_path_factory.mktemp("gunicorn")) as server:
        yield server


@pytest.fixture(scope="session")
def under_httptools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with bridge(tmp_path_factory.mktemp("httptools"), "httptools") as server:
        yield server


@pytest.fixture(scope="session")
def under_h11(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with bridge(tmp_path_factory.mktemp("h11"), "h11") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
