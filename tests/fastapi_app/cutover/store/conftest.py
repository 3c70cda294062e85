"""Every backend of the cutover's store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.cutover.store.base import CutoverStore
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cutover.store.helpers import INSTANT, INVENTORY, OpenStore, migrated

BACKENDS: dict[str, Callable[..., CutoverStore]] = {
    "memory": lambda _path, **options: MemoryCutoverStore(**options),
    "sqlite": lambda path, **options: SQLiteCutoverStore(migrated(path), **options),
}


@pytest.fixture(params=list(BACKENDS))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    opened: list[CutoverStore] = []

    def open_one(**options: Any) -> CutoverStore:
        opened.append(BACKENDS[request.param](tmp_path / "cutover.db", **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def empty(open_store: OpenStore) -> CutoverStore:
    return open_store()


@pytest.fixture
def store(empty: CutoverStore) -> CutoverStore:
    """With the inventory, at version 1."""
    empty.register(INVENTORY, {}, at=INSTANT)
    return empty
