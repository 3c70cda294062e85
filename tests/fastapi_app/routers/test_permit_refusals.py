"""What is unknown or malformed of a permit over HTTP."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import MALFORMED, TRADE, Bench, Malformed
from tests.fastapi_app.routers.permits import reserved

STEPS = ("sent", "doubt", "confirm", "release")
ALL = [("GET", ""), *(("POST", f"/{step}") for step in STEPS)]


@pytest.mark.parametrize(("method", "rest"), ALL)
async def test_a_permit_that_was_never_given_out_is_a_404(bench: Bench, method: str, rest: str) -> None:
    await reserved(bench)
    before = bench.everything()
    answer = await bench.ask(method, f"/api/windows/desk/permits/none{rest}", status=404)
    assert answer == {"error": "no permit is named 'none'"}
    assert bench.everything() == before


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_permits_of_a_window_that_was_never_made_are_a_404(bench: Bench, method: str) -> None:
    body: dict[str, str] | None = None if method == "GET" else {}
    answer = await bench.ask(method, "/api/windows/none/permits", body, status=404)
    assert answer == {"error": "no trading window is named 'none'"}


@pytest.mark.parametrize(("method", "rest"), ALL)
async def test_a_permit_of_a_window_that_was_never_made_is_a_404(bench: Bench, method: str, rest: str) -> None:
    await reserved(bench)
    answer = await bench.ask(method, f"/api/windows/none/permits/permit-1{rest}", status=404)
    assert answer == {"error": "no trading window is named 'none'"}


async def test_a_permit_is_its_window_s_own(bench: Bench) -> None:
    permit = await reserved(bench)
    await bench.made("other")
    elsewhere = permit.replace("desk", "other")
    assert await bench.ask("POST", f"{elsewhere}/sent", status=404) == {"error": "no permit is named 'permit-1'"}


async def test_an_entry_of_another_kind_is_no_permit(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    assert await bench.get(f"{path}/permits/trade-1", status=404) == {"error": "no permit is named 'trade-1'"}


@pytest.mark.parametrize(
    "path", ["/api/windows/desk/permits", *(f"/api/windows/desk/permits/permit-1/{step}" for step in STEPS)]
)
@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_body_changes_nothing(bench: Bench, path: str, malformed: Malformed) -> None:
    await reserved(bench)
    before = bench.everything()
    assert await bench.send("POST", path, malformed) == {"error": malformed.sentence}
    assert bench.everything() == before


SYMBOL_RULE = "is not a symbol such as BTC-USD"
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("", {"symbol": "btc"}, f'symbol: "btc" {SYMBOL_RULE}'),
    ("", {"side": "hold"}, 'side: "hold" is not "buy" or "sell"'),
    ("", {"quantity": "0"}, 'quantity: "0" is not a decimal greater than 0'),
    ("", {"price": True}, "price: true is not a decimal greater than 0"),
    ("", {"strategy": "\n"}, 'strategy: "\\n" is not a text of 1 to 64 printable characters'),
    ("", {"reduces": 1}, "reduces: 1 is not true or false"),
    ("", {"fill": 1}, "fill: 1 is not expected: the known fields are symbol, side, quantity, price, strategy, reduces"),
    ("/permit-1/confirm", {"quantity": -1}, "quantity: -1 is not a decimal greater than 0"),
    ("/permit-1/confirm", {"price": "free"}, 'price: "free" is not a decimal greater than 0'),
    ("/permit-1/confirm", {"symbol": "X"}, 'symbol: "X" is not expected: the known fields are quantity, price'),
    ("/permit-1/release", {"reason": ""}, 'reason: "" is not a text of 1 to 200 characters'),
    ("/permit-1/release", {"reason": "r" * 201}, 'reason: "rrr'),
    ("/permit-1/release", {"why": "r"}, 'why: "r" is not expected: the known fields are reason'),
]


@pytest.mark.parametrize(("rest", "body", "sentence"), WRONG, ids=[f"{rest} {body}"[:60] for rest, body, _ in WRONG])
async def test_a_wrong_field_is_refused_by_its_name_its_value_and_the_bound(
    bench: Bench, rest: str, body: dict[str, Any], sentence: str
) -> None:
    await reserved(bench)
    before = bench.everything()
    answer = await bench.ask("POST", f"/api/windows/desk/permits{rest}", body, status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


@pytest.mark.parametrize("rest", ["", *(f"/permit-1/{step}" for step in STEPS)])
async def test_a_wrong_key_changes_nothing(bench: Bench, rest: str) -> None:
    await reserved(bench)
    before = bench.everything()
    answer = await bench.ask("POST", f"/api/windows/desk/permits{rest}", {}, status=400, key="two words")
    assert answer == {"error": 'Idempotency-Key: "two words" is not 1 to 255 visible ASCII characters'}
    assert bench.everything() == before


@pytest.mark.parametrize("step", ["sent", "doubt"])
async def test_a_step_that_takes_nothing_refuses_fields(bench: Bench, step: str) -> None:
    permit = await reserved(bench)
    if step == "doubt":
        await bench.ask("POST", f"{permit}/sent")
    before = bench.everything()
    answer = await bench.ask("POST", f"{permit}/{step}", {"price": "1"}, status=400)
    assert answer["error"].startswith('price: "1" is not expected')
    assert bench.everything() == before
