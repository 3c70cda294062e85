"""Calls of services are answered by the recording."""

import json

import pytest

from shared.recording import Recording
from shared.replaying import Replay, UnrecordedRead
from tests.shared.recorded import World
from tests.shared.replaying.stage import NOTHING, Services, Stage
from tests.shared.store.helpers import trade


async def test_an_equal_call_gets_the_primary_s_answer_in_turn(stage: Stage, services: Services) -> None:
    primary, recording = await stage.primary()
    answers = [
        await primary.read("market", "price", symbol="BTC"),
        await primary.effect("broker", "place", symbol="BTC", quantity=1),
        await primary.read("market", "price", symbol="ETH"),
        await primary.effect("broker", "place", symbol="BTC", quantity=1),
        await primary.read("market", "price", symbol="BTC"),
    ]
    candidate, replay = stage.candidate(recording)
    for _ in range(2):
        again = [
            await candidate.effect("broker", "place", quantity=1, symbol="BTC"),
            await candidate.effect("broker", "place", quantity=1, symbol="BTC"),
            await candidate.read("market", "price", symbol="BTC"),
            await candidate.read("market", "price", symbol="BTC"),
            await candidate.read("market", "price", symbol="ETH"),
        ]
        assert again == [answers[1], answers[3], answers[0], answers[4], answers[2]]
        assert (replay.effects(), replay.unrecorded_read()) == (recording.effects(), None)
        candidate, replay = stage.candidate(recording)
    assert services.calls == 5


async def test_an_error_of_a_service_is_raised_again(stage: Stage) -> None:
    primary, recording = await stage.primary()
    with pytest.raises(LookupError):
        await primary.read("market", "price", symbol="gone")
    candidate, replay = stage.candidate(recording)
    with pytest.raises(LookupError, match="no such symbol"):
        await candidate.read("market", "price", symbol="gone")
    assert replay.unrecorded_read() is None


async def test_a_read_that_the_primary_did_not_make_is_unrecorded(stage: Stage, services: Services) -> None:
    primary, recording = await stage.primary()
    await primary.read("market", "price", symbol="BTC")
    candidate, replay = stage.candidate(recording)
    with pytest.raises(UnrecordedRead):
        await candidate.read("market", "price", symbol="ETH")
    assert replay.unrecorded_read() == "a call of market.price(symbol='ETH')"
    assert services.calls == 1


async def test_an_effect_more_or_less_shows(stage: Stage, services: Services) -> None:
    primary, recording = await stage.primary()
    await primary.effect("broker", "place", symbol="BTC", quantity=1)
    _, forgetful = stage.candidate(recording)
    assert (forgetful.effects(), forgetful.unrecorded_read()) == (NOTHING, None)
    candidate, replay = stage.candidate(recording)
    assert await candidate.effect("broker", "place", symbol="BTC", quantity=2) is None
    assert replay.effects()["calls"] == [
        {"port": "broker", "method": "place", "arguments": {"symbol": "BTC", "quantity": 2}}
    ]
    assert replay.unrecorded_read() is None
    assert services.calls == 1


async def test_effects_before_an_unrecorded_read_are_held_against_those_in_the_same_places(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.effect("broker", "place", symbol="BTC", quantity=1)
    await primary.effect("broker", "place", symbol="ETH", quantity=1)
    await primary.apply(trade("first"))
    candidate, replay = stage.candidate(recording)
    await candidate.effect("broker", "place", symbol="BTC", quantity=2)
    with pytest.raises(UnrecordedRead):
        await candidate.read("market", "price", symbol="ETH")
    await candidate.apply(trade("late"))

    ours, theirs = replay.until_unrecorded()

    assert [call["arguments"] for call in ours["calls"]] == [{"symbol": "BTC", "quantity": 1}]
    assert [call["arguments"] for call in theirs["calls"]] == [{"symbol": "BTC", "quantity": 2}]
    assert {**ours, "calls": []} == {**theirs, "calls": []} == NOTHING


async def test_a_window_that_may_still_be_written_proves_nothing_and_its_entries_do(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("first"))
    await primary.apply(trade("second"))
    candidate, replay = stage.candidate(recording)
    await candidate.apply(trade("first"))
    with pytest.raises(UnrecordedRead):
        await candidate.read("market", "price", symbol="ETH")

    ours, theirs = replay.until_unrecorded()

    assert ours == theirs
    assert len(theirs["ledger"]["default"]) == 1


async def test_an_error_of_a_kind_that_only_the_other_process_knew_is_named(world: World) -> None:
    class Rejected(Exception):
        pass

    def price() -> None:
        raise Rejected("too late")

    world.live = type(world.live)(store=world.store, services={"market": type("M", (), {"price": staticmethod(price)})})
    ports, recording = await world.record()
    with pytest.raises(Rejected):
        ports.outbound.read("market", "price")
    with pytest.raises(Rejected, match="too late"):
        Replay(recording).ports.outbound.read("market", "price")
    with pytest.raises(RuntimeError, match="Rejected: too late"):
        Replay(Recording.from_json(json.loads(json.dumps(recording.to_json())))).ports.outbound.read("market", "price")
