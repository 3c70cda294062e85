"""Query parameters of what native alone has: one that it doesn't know, or that is there twice, is refused."""

import json

import pytest

from fastapi_app.app import create_app
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.memory import MemoryStore
from tests.fastapi_app.routers.bench import Bench, read


def native_alone() -> list[str]:
    app = create_app(Settings(), live_ports=LivePorts(store=MemoryStore()))
    of_api = [each for each in app.cutover.inventory.endpoints if each.rule.startswith("/api/")]
    return [each.name for each in of_api if not each.legacy]


@pytest.mark.parametrize("endpoint", native_alone())
async def test_no_endpoint_of_native_s_own_takes_a_parameter_that_it_does_not_know(bench: Bench, endpoint: str) -> None:
    method, _, rule = endpoint.partition(" ")
    path = rule.replace("<window_id>", "default").replace("<permit_id>", "permit-1")
    before = bench.everything()
    answer = read(await bench.http.request(method, f"{path}?symbl=BTC-USD"), 400)
    assert answer["error"].startswith('symbl: "BTC-USD" is not expected: the known parameters are ')
    assert bench.everything() == before


async def test_a_slip_in_a_name_does_not_widen_what_is_asked(bench: Bench) -> None:
    halt = {"reason": "fork", "author": "ann", "symbol": "BTC-USD"}
    await bench.ask("POST", "/api/windows/default/halts", halt)
    decision = "/api/windows/default/decision"
    assert (await bench.get(decision, symbol="BTC-USD"))["allowed"] is False
    assert await bench.get(decision, symbl="BTC-USD", status=400) == {
        "error": 'symbl: "BTC-USD" is not expected: the known parameters are symbol, side, strategy, reduces, at'
    }


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/api/windows/default?x=1", 'x: "1" is not expected: the known parameters are none'),
        ("/api/windows?Limit=1", 'Limit: "1" is not expected: the known parameters are after, limit'),
        ("/api/windows?=1", ': "1" is not expected: the known parameters are after, limit'),
        ("/api/windows?x", 'x: "" is not expected: the known parameters are after, limit'),
        ("/api/windows?limit=1&limit=2", 'limit: "2" is not expected: the parameter is there more than once'),
        ("/api/windows?limit=1&limit=1", 'limit: "1" is not expected: the parameter is there more than once'),
        ("/api/windows?x=" + "a" * 99, f'x: "{"a" * 79} is not expected: the known parameters are after, limit'),
        ("/api/windows?%0A=1", '\\n: "1" is not expected: the known parameters are after, limit'),
        ("/api/windows?limit=0&x=1", 'x: "1" is not expected: the known parameters are after, limit'),
    ],
)
async def test_a_refusal_names_the_parameter_its_value_and_what_is_known(
    bench: Bench, path: str, sentence: str
) -> None:
    assert read(await bench.http.get(path), 400) == {"error": sentence}


async def test_a_query_of_very_many_parameters_is_refused(bench: Bench) -> None:
    answer = read(await bench.http.get("/api/windows/default?" + "&".join(["x=1"] * 1001)), 400)
    assert answer["error"].endswith("is not a query of at most 1000 parameters")


async def test_where_both_sides_answer_a_parameter_is_ignored_as_flask_does(bench: Bench) -> None:
    for side in ("legacy", "native"):
        own = bench if side == "legacy" else Bench({"GET /api/trading-window/can-trade": "native"})
        response = await own.http.get("/api/trading-window/can-trade?symbl=BTC-USD")
        assert (response.headers["x-cutover-side"], json.loads(response.content)) == (side, {"can_trade": True})
