"""What failed for the primary fails for the candidate."""

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

import pytest

from shared.errors import StoreUnavailable, UnknownWindow
from shared.window import Transition
from tests.shared.replaying.stage import NOTHING, Stage
from tests.shared.store.helpers import key, raising, trade


@pytest.mark.parametrize("error", [StoreUnavailable("it is away"), RuntimeError("it is broken")])
async def test_what_failed_for_the_primary_fails_for_the_candidate(stage: Stage, error: Exception) -> None:
    for read in (True, False):
        stage.world.breakable.error = None
        primary, recording = await stage.primary()
        stage.world.breakable.error = error
        with pytest.raises(type(error)):
            await (primary.snapshot() if read else primary.apply(trade()))
        stage.world.breakable.error = None
        for call in ("snapshot", "apply", "ledger"):
            candidate, replay = stage.candidate(recording)
            with pytest.raises(type(error)) as caught:
                await (candidate.apply(trade()) if call == "apply" else getattr(candidate, call)())
            assert str(caught.value) == str(error)
            assert (replay.effects(), replay.unrecorded_read()) == (NOTHING, None)


async def test_a_failed_ledger_read_and_a_failed_commit_fail_for_the_candidate(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.snapshot()
    stage.world.breakable.error = StoreUnavailable("it is away")
    stage.world.breakable.method = "ledger"
    with pytest.raises(StoreUnavailable):
        await primary.ledger()
    stage.world.breakable.error = None
    candidate, replay = stage.candidate(recording)
    assert (await candidate.snapshot()).sequence == 1
    with pytest.raises(StoreUnavailable):
        await candidate.ledger()
    assert replay.unrecorded_read() is None


async def test_a_retry_meets_what_the_primary_s_retry_met(stage: Stage) -> None:
    primary, recording = await stage.primary()
    stage.world.breakable.error = StoreUnavailable("it is away")
    with pytest.raises(StoreUnavailable):
        await primary.apply(trade("own"), key=key())
    stage.world.breakable.error = None
    stage.world.others(trade("second"))
    given = await primary.apply(trade("own"), key=key())
    candidate, replay = stage.candidate(recording)
    with pytest.raises(StoreUnavailable):
        await candidate.apply(trade("own"), key=key())
    assert (await candidate.apply(trade("own"), key=key())).answer == given.answer == {"trades_today": 3}
    assert replay.effects() == recording.effects()


async def test_a_write_whose_commit_failed_fails_though_its_transition_ran(stage: Stage) -> None:
    def failing(
        _window_id: str, transition: Transition[Any], *, instant: datetime, **_options: Any
    ) -> Coroutine[Any, Any, Any]:
        window = stage.world.store.snapshot("default")
        transition(window.config, window.state, instant)
        raise StoreUnavailable("the disk is full")

    primary, recording = await stage.primary()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.world.store, "apply", failing)
        patch.setattr(stage.world.store, "apply_async", failing)
        with pytest.raises(StoreUnavailable):
            await primary.apply(trade("own"))
    candidate, replay = stage.candidate(recording)
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await candidate.apply(trade("own"))
    assert replay.effects() == NOTHING


async def test_an_unknown_window_is_unknown_to_the_candidate(stage: Stage) -> None:
    primary, recording = await stage.primary()
    with pytest.raises(UnknownWindow):
        await primary.snapshot("nowhere")
    candidate, replay = stage.candidate(recording)
    for call in (candidate.snapshot("nowhere"), candidate.apply(trade(), "nowhere")):
        with pytest.raises(UnknownWindow, match="no trading window is named 'nowhere'") as caught:
            await call
        assert caught.value.window_id == "nowhere"
    assert replay.unrecorded_read() is None


async def test_what_nobody_knows_the_end_of_can_t_be_replayed(stage: Stage) -> None:
    primary, recording = await stage.primary()
    with pytest.raises(KeyboardInterrupt):
        await primary.apply(raising(KeyboardInterrupt()))
    _, replay = stage.candidate(recording)
    assert replay.unrecorded_read() == "what came of a write to window 'default'"
