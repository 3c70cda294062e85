"""`/api/market/…` and `/api/orderbook/…`: what the market is asked, on either side and for both. The answers are held
to in `tests/parity/cases/market.py`."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shared.modes import EndpointMode, Mode, Side
from shared.store.memory import MemoryStore
from tests.parity.arms import World
from tests.parity.case import Case, get
from tests.parity.endpoints import BOTH_SIDES
from tests.parity.product import Product, running_product

NOON = "2025-03-03T12:00:00.000000Z"
ENDPOINTS = [name for name in BOTH_SIDES if "<symbol>" in name]

PATHS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "/api/market/ticker/BTC-USD": ("ticker", {"symbol": "BTC-USD"}),
    "/api/market/ticker/btc%20usd?limit=x": ("ticker", {"symbol": "btc usd"}),
    "/api/market/ohlcv/BTC-USD": ("candles", {"symbol": "BTC-USD", "timeframe": "1m", "limit": 100}),
    "/api/market/ohlcv/ETH?limit=1000&timeframe=1d": ("candles", {"symbol": "ETH", "timeframe": "1d", "limit": 1_000}),
    "/api/orderbook/BTC-USD": ("order_book", {"symbol": "BTC-USD", "limit": 20}),
    "/api/orderbook/ETH-USD?limit=100&limit=1": ("order_book", {"symbol": "ETH-USD", "limit": 100}),
}


class Asked:
    """A market that notes what it is asked, and by which face."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        method = name.removesuffix("_async")
        if method not in ("ticker", "candles", "order_book"):
            raise AttributeError(name)

        def blocking(**arguments: Any) -> dict[str, int]:
            self.calls.append(("blocking", method, arguments))
            return {"call": len(self.calls)}

        async def awaited(**arguments: Any) -> dict[str, int]:
            self.calls.append(("awaited", method, arguments))
            return {"call": len(self.calls)}

        return awaited if name.endswith("_async") else blocking


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with running_product(max_body_bytes=1_024) as product:
        yield product


@pytest.mark.parametrize(
    ("mode", "side", "face"),
    [
        ("legacy", "legacy", "blocking"),
        ("native", "native", "awaited"),
        ("shadow", "legacy", "blocking"),
        ("verify", "native", "awaited"),
    ],
)
def test_each_request_asks_the_market_once_at_its_instant_also_when_both_sides_run(
    product: Product, mode: Mode, side: Side, face: str
) -> None:
    market = Asked()
    world = World(Case(name="noon", steps=()), MemoryStore(), services={"market": market})

    async def ask_all() -> tuple[list[str | None], Counter[str]]:
        await product.move(dict.fromkeys(ENDPOINTS, EndpointMode(mode=mode)))
        answered = [await product.ask(world, get(path)) for path in PATHS]
        assert [answer.status for answer, _ in answered] == [200] * len(PATHS)
        counts, _ = await product.found()
        return [by for _, by in answered], Counter(key.outcome for key in counts.elements())

    sides, outcomes = product.loop.run(ask_all())

    assert market.calls == [(face, method, {**arguments, "at": NOON}) for method, arguments in PATHS.values()]
    assert sides == [side] * len(PATHS)
    assert outcomes == ({"match": len(PATHS)} if mode in ("shadow", "verify") else {})


@pytest.mark.parametrize("mode", ["legacy", "native"])
@pytest.mark.parametrize("path", ["/api/market/ohlcv/BTC-USD?limit=1001", "/api/orderbook/BTC-USD?limit=0"])
def test_a_wrong_query_is_refused_before_the_market_is_asked(product: Product, mode: Mode, path: str) -> None:
    market = Asked()
    world = World(Case(name="noon", steps=()), MemoryStore(), services={"market": market})

    async def ask() -> int:
        await product.move(dict.fromkeys(ENDPOINTS, EndpointMode(mode=mode)))
        answer, _ = await product.ask(world, get(path))
        return answer.status

    assert product.loop.run(ask()) == 400
    assert market.calls == []
