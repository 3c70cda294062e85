"""The ledger of a window over HTTP."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import TRADE, Bench


async def seven_changes(bench: Bench) -> str:
    """One of each kind, the trades and the permit's steps."""
    path = await bench.made()
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    await bench.ask("POST", f"{path}/halts", {"author": "ann", "reason": "lunch", "until": "2025-03-03T13:00:00Z"})
    await bench.ask("PUT", f"{path}/config", {"end_hour": 23})
    bench.at("2025-03-04T12:00:00Z")
    await bench.ask("POST", f"{path}/permits", {"symbol": "BTC-USD"}, status=201)
    await bench.ask("POST", f"{path}/permits/permit-1/release", {"reason": "no fill"})
    return path


IN_ORDER = [
    (1, "trade-1", "trade"),
    (2, "halt-1", "halt"),
    (3, "config-1", "config"),
    (4, "halt-*-2025-03-03T13:00:00.000000Z", "halt"),
    (5, "day-2025-03-04", "day"),
    (6, "permit-1-reserved", "permit"),
    (7, "permit-1-released", "permit"),
]


def told(entry: dict[str, Any]) -> tuple[int, str, str]:
    return entry["sequence"], entry["id"], entry["kind"]


async def test_every_change_is_an_entry(bench: Bench) -> None:
    path = await seven_changes(bench)
    answer = await bench.get(f"{path}/ledger")
    assert [told(entry) for entry in answer["entries"]] == IN_ORDER[::-1]
    assert (answer["count"], answer["next"]) == (7, None)
    released, _, day, ended, *_ = answer["entries"]
    assert released == {
        "sequence": 7,
        "id": "permit-1-released",
        "kind": "permit",
        "instant": "2025-03-04T12:00:00.000000Z",
        "trade_day": "2025-03-04",
        "symbol": "BTC-USD",
        "subject": "permit-1",
        "data": {
            "id": "permit-1",
            "symbol": "BTC-USD",
            "side": None,
            "quantity": None,
            "price": None,
            "strategy": None,
            "reduces": False,
            "status": "released",
            "trade_day": "2025-03-04",
            "reserved_at": "2025-03-04T12:00:00.000000Z",
            "deadline": None,
            "reason": "no fill",
        },
    }
    assert day["data"] == {"before": "2025-03-03", "after": "2025-03-04", "trades": 1}
    assert (ended["data"]["status"], ended["data"]["until"]) == ("ended", "2025-03-03T13:00:00.000000Z")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_pages_have_neither_a_gap_nor_an_overlap_while_the_ledger_grows(bench: Bench, limit: int) -> None:
    path = await seven_changes(bench)
    found: list[tuple[int, str, str]] = []
    before: dict[str, int] = {}
    while True:
        page = await bench.get(f"{path}/ledger", limit=limit, **before)
        assert page["count"] == len(page["entries"]) <= limit
        found += [told(entry) for entry in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
        await bench.ask("POST", f"{path}/halts", {"author": "ann", "reason": "again"})
    assert found == IN_ORDER[::-1]


@pytest.mark.parametrize(
    ("kind", "sequences"), [("trade", [1]), ("permit", [7, 6]), ("halt", [4, 2]), ("config", [3]), ("day", [5])]
)
async def test_a_ledger_by_kind(bench: Bench, kind: str, sequences: list[int]) -> None:
    path = await seven_changes(bench)
    assert [entry["sequence"] for entry in (await bench.get(f"{path}/ledger", kind=kind))["entries"]] == sequences
    paged: list[int] = []
    before: dict[str, int] = {}
    while True:
        page = await bench.get(f"{path}/ledger", kind=kind, limit=1, **before)
        assert page["count"] == 1
        paged += [entry["sequence"] for entry in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert paged == sequences
