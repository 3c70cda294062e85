from collections.abc import AsyncIterator

import pytest

from tests.fastapi_app.routers.bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.http.aclose()
