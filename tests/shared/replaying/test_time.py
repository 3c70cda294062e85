"""What time did before a write is replayed with equal effects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.recording import record
from shared.replaying import UnrecordedRead
from shared.store.base import LedgerQuery
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import Asking
from tests.shared.recorded import NOON, Face, World, ids_of, replay_elsewhere, replay_here
from tests.shared.replaying.stage import A_MINUTE, AT_NOON, Stage
from tests.shared.store.helpers import key, permit_of, raising, reserved, trade, with_outcome


@pytest.fixture(params=["memory", "sqlite"])
def overdue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world in which a permit's time, and a halt's, ran out and nobody has written so yet."""
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "state.db")
    world = World(store=store)
    lunch = {"reason": "lunch", "until": AT_NOON}
    world.others(
        reserved(permit_of("p-1", deadline=AT_NOON), permit_of("p-2", status="sent", deadline=AT_NOON)),
        instant=NOON - A_MINUTE,
    )
    world.others(with_outcome(answer=None, symbol_halts={"BTC-USD": lunch}), instant=NOON - A_MINUTE)
    yield world
    store.close()


EXPIRED = ["halt-BTC-USD-2025-03-03T12:00:00.000000Z", "p-1-expired", "p-2-in-doubt"]


@pytest.fixture(params=[replay_here, replay_elsewhere], ids=["here", "elsewhere"])
def late(overdue: World, awaited: bool, request: pytest.FixtureRequest) -> Stage:
    return Stage(overdue, awaited=awaited, replay=request.param)


async def test_a_write_that_found_an_expired_permit_is_replayed_with_equal_effects(late: Stage) -> None:
    primary, recording = await late.primary()
    answer = (await primary.apply(trade("own"), key=key(), asks=Asking("BTC-USD"))).answer
    late.world.others(trade("other"))
    left = late.world.store.snapshot("default")

    candidate, replay = late.candidate(recording)
    assert (await candidate.apply(trade("own"), key=key(), asks=Asking("BTC-USD"))).answer == answer
    assert answer == {"trades_today": 2}
    assert (replay.effects(), replay.unrecorded_read()) == (recording.effects(), None)
    assert [entry["id"] for entry in replay.effects()["ledger"]["default"]] == [*EXPIRED, "own"]
    assert [entry["key"] is None for entry in replay.effects()["ledger"]["default"]] == [True, True, True, False]
    assert late.world.store.snapshot("default") == left


async def test_reads_before_and_after_such_a_write_are_equal_too(late: Stage) -> None:
    async def handler(face: Face) -> list[Any]:
        return [
            await face.snapshot(),
            ids_of(await face.ledger()),
            (await face.apply(trade("own"))).after,
            ids_of(await face.ledger()),
            ids_of(await face.ledger(LedgerQuery(subject="p-1"))),
            (await face.apply(trade("next"))).after,
            await face.snapshot(),
        ]

    primary, recording = await late.primary()
    met = await handler(primary)
    assert (met[0].state["trades_today"], met[1]) == (1, [])
    assert (met[3], met[4]) == (["own", *EXPIRED[::-1]], ["p-1-expired"])
    candidate, replay = late.candidate(recording)
    assert await handler(candidate) == met
    assert (replay.effects(), replay.unrecorded_read()) == (recording.effects(), None)


async def test_a_refusal_and_then_a_write_are_replayed_with_equal_effects(late: Stage) -> None:
    async def handler(face: Face) -> Any:
        with pytest.raises(LookupError):
            await face.apply(raising(LookupError("no")))
        return (await face.apply(trade("own"))).after

    primary, recording = await late.primary()
    met = await handler(primary)
    candidate, replay = late.candidate(recording)
    assert await handler(candidate) == met
    assert (replay.effects(), replay.unrecorded_read()) == (recording.effects(), None)
    assert [entry["id"] for entry in replay.effects()["ledger"]["default"]] == [*EXPIRED, "own"]


async def test_a_window_that_was_seen_before_the_recording_began_is_written_as_it_was(late: Stage) -> None:
    ports = late.world.live.for_request()
    assert (await ports.windows.snapshot_async("default")).state["trades_today"] == 1
    recording = await record(ports)
    await ports.windows.apply_async("default", trade("own"))
    candidate, replay = late.candidate(recording)
    assert (await candidate.snapshot()).state["trades_today"] == 1
    await candidate.apply(trade("own"))
    assert (replay.effects(), replay.unrecorded_read()) == (recording.effects(), None)


async def test_a_day_that_turns_is_replayed_with_equal_effects(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("own", day="2025-03-04"), key=key())
    candidate, replay = stage.candidate(recording)
    await candidate.apply(trade("own", day="2025-03-04"), key=key())
    assert (replay.effects(), replay.unrecorded_read()) == (recording.effects(), None)
    assert [entry["id"] for entry in replay.effects()["ledger"]["default"]] == ["day-2025-03-04", "own"]


async def test_which_windows_there_are_is_unrecorded(stage: Stage, awaited: bool) -> None:
    _, recording = await stage.primary()
    _, replay = stage.candidate(recording)
    with pytest.raises(UnrecordedRead):
        await replay.ports.windows.window_ids_async() if awaited else replay.ports.windows.window_ids()
    assert replay.unrecorded_read() == "which windows there are"
