"""Permits of orders at the broker: what comes of the order ends them, and not a person."""

import json
from typing import Any

import pytest

from shared.errors import MarketUnavailable, OutcomeUnknown
from tests.fastapi_app.routers.bench import Bench
from tests.parity.case import BrokerFails, CandleTrades
from tests.parity.case_orders import LIMIT_ORDER

PERMITS = "/api/windows/default/permits"
STEPS = ("release", "confirm")


async def resting(bench: Bench) -> dict[str, Any]:
    """The permit of an order that rests, past its deadline."""
    await bench.ask("POST", "/api/orders", json.loads(LIMIT_ORDER), status=201)
    bench.at("2025-03-03T12:01:00Z")
    (permit,) = (await bench.get(PERMITS))["permits"]
    assert permit["status"] == "in_doubt"
    return dict(permit)


def refusal(permit: dict[str, Any], status: str) -> dict[str, str]:
    shown = f"which the broker shows as {status}: it is ended by what comes of the order"
    return {"error": f"permit '{permit['id']}' is of order 'paper-1', {shown}"}


@pytest.mark.parametrize("step", STEPS)
async def test_while_the_order_rests_its_permit_is_not_ended_by_hand(bench: Bench, step: str) -> None:
    permit = await resting(bench)
    before = bench.everything()
    answer = await bench.ask("POST", f"{PERMITS}/{permit['id']}/{step}", {}, status=409, key="by-hand")
    assert answer == refusal(permit, "open")
    assert bench.everything() == before
    await bench.ask("DELETE", "/api/orders/paper-1")
    assert (await bench.get(PERMITS))["count"] == 0


@pytest.mark.parametrize("step", STEPS)
async def test_one_whose_order_was_filled_waits_for_reconciliation(bench: Bench, step: str) -> None:
    permit = await resting(bench)
    bench.broker.meet(CandleTrades("64000.0"))
    assert await bench.ask("POST", f"{PERMITS}/{permit['id']}/{step}", status=409) == refusal(permit, "filled")


async def test_one_whose_order_was_cancelled_behind_our_back_may_be_released(bench: Bench) -> None:
    permit = await resting(bench)
    bench.broker.cancel("paper-1")
    await bench.ask("POST", f"{PERMITS}/{permit['id']}/release")


@pytest.mark.parametrize("step", STEPS)
async def test_one_whose_order_the_broker_does_not_know_is_ended_by_hand(bench: Bench, step: str) -> None:
    bench.broker.fails(BrokerFails(OutcomeUnknown("the connection was lost"), only="place"))
    await bench.ask("POST", "/api/orders", json.loads(LIMIT_ORDER), status=503)
    bench.broker.fails(BrokerFails(None))
    (permit,) = (await bench.get(PERMITS))["permits"]
    await bench.ask("POST", f"{PERMITS}/{permit['id']}/{step}", {"price": "1"} if step == "confirm" else {})


async def test_a_broker_that_can_not_tell_keeps_nobody_from_it(bench: Bench) -> None:
    permit = await resting(bench)
    bench.broker.fails(BrokerFails(MarketUnavailable("away")))
    await bench.ask("POST", f"{PERMITS}/{permit['id']}/release")


async def test_what_was_ended_by_hand_is_answered_again_to_its_key(bench: Bench) -> None:
    permit = await resting(bench)
    bench.broker.fails(BrokerFails(MarketUnavailable("away")))
    path = f"{PERMITS}/{permit['id']}/release"
    first = await bench.ask("POST", path, key="by-hand")
    bench.broker.fails(BrokerFails(None))
    assert await bench.ask("POST", path, key="by-hand") == first
    assert "is released" in (await bench.ask("POST", path, status=409))["error"]


async def test_a_permit_without_an_order_asks_no_broker(bench: Bench) -> None:
    bench.broker.fails(BrokerFails(RuntimeError("nobody asks it")))
    await bench.ask("POST", PERMITS, {}, status=201)
    await bench.ask("POST", f"{PERMITS}/permit-1/release")
