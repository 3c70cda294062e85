"""The stores that keep the contract, and the two faces of each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.store.base import Store
from tests.shared.store.contract.faces import BACKENDS, Face, OpenStore
from tests.shared.store.helpers import DEADLINE_SECONDS, in_thread


@pytest.fixture(params=list(BACKENDS))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens stores; those of a durable backend stand on the same state."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(BACKENDS[request.param](tmp_path))
        return opened[-1]

    yield open_one
    for store in opened:
        in_thread(store.close).result(DEADLINE_SECONDS)


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


@pytest.fixture(params=["blocking", "awaited"])
def face(request: pytest.FixtureRequest, store: Store) -> Face:
    return Face(store, awaited=request.param == "awaited")
