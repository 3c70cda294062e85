"""Permits over HTTP, as they are reserved and told."""

from typing import Any

from tests.fastapi_app.routers.bench import Bench

ORDER = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10", "strategy": "rsi"}
PENDING = {
    "id": "permit-1",
    **ORDER,
    "reduces": False,
    "status": "pending",
    "trade_day": "2025-03-03",
    "reserved_at": "2025-03-03T12:00:00.000000Z",
    "deadline": "2025-03-03T12:01:00.000000Z",
}


def in_status(status: str, *, deadline: str | None = None) -> dict[str, Any]:
    return {**PENDING, "status": status, "deadline": deadline}


async def reserved(bench: Bench, **config: Any) -> str:
    """The path of a permit that is pending, in a window of its own."""
    path = await bench.made(**config)
    await bench.ask("POST", f"{path}/permits", ORDER, status=201)
    return f"{path}/permits/permit-1"


async def counted(bench: Bench, window: str = "desk") -> int:
    count: int = (await bench.get(f"/api/windows/{window}"))["trades_today"]
    return count


async def kinds(bench: Bench) -> list[str]:
    """The ids of the ledger's entries, oldest first."""
    return [entry["id"] for entry in (await bench.get("/api/windows/desk/ledger"))["entries"]][::-1]
