"""What a candidate reads of time, ids and windows is what the primary read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.replaying import UnrecordedRead
from shared.window import Outcome, WindowState
from shared.window_config import WindowConfig
from tests.shared.recorded import ids_of
from tests.shared.replaying.stage import NOTHING, Stage
from tests.shared.store.helpers import trade


async def test_the_instant_is_the_recording_s(stage: Stage) -> None:
    ports, recording = await stage.world.record()
    stage.world.clock.step(timedelta(seconds=1))
    ports.instant()
    stage.world.clock.step(timedelta(days=1))
    _, replay = stage.candidate(recording)
    assert replay.ports.instant() == datetime(2025, 3, 3, 12, 0, 1, tzinfo=UTC)


async def test_ids_are_the_recording_s_by_kind_and_then_invented(stage: Stage) -> None:
    ports, recording = await stage.world.record()
    assert [ports.new_id(kind) for kind in ("trade", "config", "trade")] == ["trade-1", "config-1", "trade-2"]
    _, replay = stage.candidate(recording)
    assert [replay.ports.new_id(kind) for kind in ("config", "trade", "trade", "trade", "config")] == [
        "config-1",
        "trade-1",
        "trade-2",
        "unrecorded-trade-3",
        "unrecorded-config-2",
    ]
    assert replay.ports.new_id("permit") == "unrecorded-permit-1"
    assert ports.new_id("trade") == "trade-3"


# Reads of a window


async def test_a_window_is_read_as_the_primary_read_it(stage: Stage) -> None:
    primary, recording = await stage.primary()
    stage.world.others(trade("second"))
    assert (await primary.snapshot()).sequence == 2
    stage.world.others(trade("third"))
    candidate, replay = stage.candidate(recording)
    assert await candidate.snapshot() == await primary.snapshot()
    assert (replay.effects(), replay.unrecorded_read()) == (NOTHING, None)


async def test_a_window_that_the_primary_wrote_unread_is_read_as_its_write_found_it(stage: Stage) -> None:
    primary, recording = await stage.primary()
    stage.world.others(trade("second"))
    await primary.apply(trade("own"))
    candidate, _ = stage.candidate(recording)
    window = await candidate.snapshot()
    assert (window.sequence, window.state["trades_today"]) == (2, 2)


async def test_a_window_that_the_primary_left_alone_is_read_as_it_was_at_the_start(stage: Stage) -> None:
    _, recording = await stage.primary()
    stage.world.others(trade("second"))
    candidate, _ = stage.candidate(recording)
    window = await candidate.snapshot()
    assert (window.sequence, window.state["trades_today"]) == (1, 1)


async def test_a_ledger_that_the_primary_left_alone_is_read_as_of_the_start(here: Stage) -> None:
    _, recording = await here.primary()
    here.world.others(trade("second"))
    candidate, _ = here.candidate(recording)
    assert ids_of(await candidate.ledger()) == ["first"]


async def test_another_window_is_an_unrecorded_read(stage: Stage) -> None:
    stage.world.store.create("w", WindowConfig())
    _, recording = await stage.primary()
    candidate, replay = stage.candidate(recording)
    assert replay.unrecorded_read() is None
    for call in (candidate.snapshot("w"), candidate.ledger(window_id="w"), candidate.apply(trade(), "w")):
        with pytest.raises(UnrecordedRead, match="a read of window 'w'"):
            await call
    assert replay.unrecorded_read() == "a read of window 'w'"


async def test_a_candidate_may_do_what_it_likes_with_its_dictionaries(stage: Stage) -> None:
    def careless(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[Any]:
        state["trades_today"] += 7
        return trade("own")(config, state, instant)

    primary, recording = await stage.primary()
    await primary.snapshot()
    await primary.apply(careless)
    for _ in range(2):
        candidate, replay = stage.candidate(recording)
        (await candidate.snapshot()).state["trades_today"] = 99
        await candidate.apply(careless)
        assert replay.effects() == recording.effects()
    assert recording.effects()["windows"]["default"]["state"]["trades_today"] == 9
