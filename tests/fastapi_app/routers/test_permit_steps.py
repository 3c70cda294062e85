"""A permit over HTTP has one end, and takes each step once, also by keys and halts."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import Bench
from tests.fastapi_app.routers.permits import ORDER, in_status, reserved

BY: dict[str, tuple[str, ...]] = {
    "sent": ("sent",),
    "in doubt": ("sent", "doubt"),
    "confirmed": ("sent", "confirm"),
    "released": ("release",),
}
"""The steps by which a permit gets into a status."""

SECOND_TRIES = [
    ("sent", "sent", "permit 'permit-1' is sent, and can't be sent any more"),
    ("in doubt", "sent", "permit 'permit-1' is in doubt, and can't be sent any more"),
    ("in doubt", "doubt", "permit 'permit-1' is in doubt, and can't be in doubt any more"),
    ("confirmed", "sent", "permit 'permit-1' is confirmed, and can't be sent any more"),
    ("confirmed", "doubt", "permit 'permit-1' is confirmed, and can't be in doubt any more"),
    ("confirmed", "confirm", "permit 'permit-1' is confirmed, and can't be confirmed any more"),
    ("confirmed", "release", "permit 'permit-1' is confirmed, and can't be released any more"),
    ("released", "sent", "permit 'permit-1' is released, and can't be sent any more"),
    ("released", "doubt", "permit 'permit-1' is released, and can't be in doubt any more"),
    ("released", "confirm", "permit 'permit-1' is released, and can't be confirmed any more"),
    ("released", "release", "permit 'permit-1' is released, and can't be released any more"),
]


@pytest.mark.parametrize(("status", "step", "sentence"), SECOND_TRIES, ids=[f"{a}, {b}" for a, b, _ in SECOND_TRIES])
async def test_a_second_try_is_refused_with_a_sentence_of_its_own(
    bench: Bench, status: str, step: str, sentence: str
) -> None:
    permit = await reserved(bench)
    for one in BY[status]:
        await bench.ask("POST", f"{permit}/{one}")
    before = bench.everything()
    assert await bench.ask("POST", f"{permit}/{step}", status=409) == {"error": sentence}
    assert await bench.ask("POST", f"{permit}/{step}", status=409, key="another-key") == {"error": sentence}
    assert bench.everything() == before


async def test_one_that_is_pending_can_t_be_in_doubt(bench: Bench) -> None:
    permit = await reserved(bench)
    before = bench.everything()
    sentence = "permit 'permit-1' is pending, and can't be in doubt before it is sent"
    assert await bench.ask("POST", f"{permit}/doubt", status=409) == {"error": sentence}
    assert bench.everything() == before


# Keys


async def test_a_keyed_reservation_is_answered_again_when_it_is_over_and_the_window_closed(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=1, end_hour=13)
    first = await bench.ask("POST", f"{path}/permits", ORDER, status=201, key="order-1")
    await bench.ask("POST", f"{path}/permits/permit-1/release")
    bench.at("2025-03-03T13:00:00Z")
    before = bench.everything()
    assert await bench.ask("POST", f"{path}/permits", ORDER, status=201, key="order-1") == first
    assert await bench.ask("POST", f"{path}/permits", {**ORDER, "side": "sell"}, status=422, key="order-1") == {
        "error": 'Idempotency-Key: "order-1" was used for a request with another body'
    }
    await bench.ask("POST", f"{path}/permits", ORDER, status=403, key="order-2")
    assert bench.everything() == before


@pytest.mark.parametrize(
    ("steps", "body"),
    [
        (("sent",), None),
        (("sent", "doubt"), None),
        (("sent", "confirm"), {"price": "64000.5"}),
        (("release",), {"reason": "no fill"}),
    ],
    ids=["sent", "doubt", "confirm", "release"],
)
async def test_the_same_key_gets_the_same_answer_also_when_the_permit_has_its_end(
    bench: Bench, steps: tuple[str, ...], body: Any
) -> None:
    permit = await reserved(bench)
    *earlier, step = steps
    for one in earlier:
        await bench.ask("POST", f"{permit}/{one}")
    first = await bench.ask("POST", f"{permit}/{step}", body, key="step-1")
    assert await bench.ask("POST", f"{permit}/{step}", body, key="step-1") == first
    if step in ("sent", "doubt"):
        await bench.ask("POST", f"{permit}/confirm")
    bench.at("2025-03-04T12:00:00Z")
    before = bench.everything()
    assert await bench.ask("POST", f"{permit}/{step}", body, key="step-1") == first
    assert bench.everything() == before


@pytest.mark.parametrize(
    ("step", "body", "other"),
    [("confirm", {"price": "1"}, {"price": "2"}), ("confirm", {"price": "1"}, None), ("release", {"reason": "a"}, {})],
)
async def test_a_key_with_another_body_is_a_422(bench: Bench, step: str, body: Any, other: Any) -> None:
    permit = await reserved(bench)
    await bench.ask("POST", f"{permit}/{step}", body, key="step-1")
    before = bench.everything()
    assert await bench.ask("POST", f"{permit}/{step}", other, status=422, key="step-1") == {
        "error": 'Idempotency-Key: "step-1" was used for a request with another body'
    }
    assert bench.everything() == before


async def test_one_key_may_name_each_step_of_each_permit(bench: Bench) -> None:
    path = await bench.made()
    for number in (1, 2):
        await bench.ask("POST", f"{path}/permits", {"symbol": f"S{number}"}, status=201, key=f"order-{number}")
        for step in ("sent", "confirm"):
            answer = await bench.ask("POST", f"{path}/permits/permit-{number}/{step}", key=f"order-{number}")
            assert answer["permit"]["id"] == f"permit-{number}"
    again = await bench.ask("POST", f"{path}/permits/permit-2/sent", key="order-1", status=409)
    assert again == {"error": "permit 'permit-2' is confirmed, and can't be sent any more"}


# Halts


async def test_a_halt_refuses_new_permits_and_lets_those_that_are_out_be_confirmed(bench: Bench) -> None:
    permit = await reserved(bench)
    await bench.ask("POST", "/api/windows/desk/halts", {"reason": "fat finger", "author": "ann"})
    refused = await bench.ask("POST", "/api/windows/desk/permits", ORDER, status=403)
    assert refused["error"] == "halted: fat finger"
    await bench.ask("POST", f"{permit}/sent")
    await bench.ask("POST", f"{permit}/confirm")


async def test_where_the_config_says_so_a_halt_refuses_the_confirmation_with_its_reason(bench: Bench) -> None:
    permit = await reserved(bench, confirm_while_halted=False)
    await bench.ask("POST", f"{permit}/sent")
    halt = {"reason": "fork", "author": "ann", "symbol": "BTC-USD", "until": "2025-03-03T12:00:30Z"}
    await bench.ask("POST", "/api/windows/desk/halts", halt)
    before = bench.everything()
    clears_at = "2025-03-03T12:00:30.000000Z"
    reason = {
        "code": "HALTED",
        "sentence": "halted: fork",
        "value": "fork",
        "bound": "BTC-USD",
        "clears_at": clears_at,
    }
    assert await bench.ask("POST", f"{permit}/confirm", status=403, key="step-1") == {
        "error": "halted: fork",
        "reasons": [reason],
        "clears_at": clears_at,
    }
    assert bench.everything() == before
    bench.at("2025-03-03T12:00:30Z")
    assert (await bench.ask("POST", f"{permit}/confirm", key="step-1"))["permit"] == in_status("confirmed")


async def test_where_nothing_can_be_confirmed_nothing_is_sent_either(bench: Bench) -> None:
    permit = await reserved(bench, confirm_while_halted=False)
    await bench.ask("POST", "/api/windows/desk/halts", {"reason": "fork", "author": "ann"})
    before = bench.everything()
    refused = await bench.ask("POST", f"{permit}/sent", status=403)
    assert (refused["error"], refused["reasons"][0]["code"]) == ("halted: fork", "HALTED")
    assert bench.everything() == before
    await bench.ask("POST", "/api/windows/desk/resume", {"reason": "over", "author": "ann"})
    assert (await bench.ask("POST", f"{permit}/sent"))["permit"]["status"] == "sent"
