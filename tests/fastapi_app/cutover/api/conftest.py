"""An API over a store in memory, and a client of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastapi_app.cutover.api.http import admin_app
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from tests.fastapi_app.cutover.api.bench import AT, OLD, ORDER, SHADOW, STATUS, TOKEN, Client, Desk, on


@pytest.fixture
def store() -> MemoryCutoverStore:
    store = MemoryCutoverStore()
    store.register([STATUS, ORDER, OLD], {STATUS.name: SHADOW}, at=AT)
    return store


@pytest.fixture
async def client(store: MemoryCutoverStore) -> AsyncIterator[Client]:
    async with on(admin_app(Desk(store), token=TOKEN)) as http:
        yield Client(http)


@pytest.fixture
async def document(store: MemoryCutoverStore) -> Any:
    async with on(admin_app(Desk(store), token=TOKEN), token=None) as http:
        return (await http.get("/cutover/openapi.json")).json()
