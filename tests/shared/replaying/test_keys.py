"""A candidate meets idempotency keys as the primary met them."""

import pytest

from shared.errors import KeyReused
from tests.shared.recorded import NOON
from tests.shared.replaying.stage import NOTHING, Stage
from tests.shared.store.helpers import key, trade


async def test_a_key_that_was_answered_is_answered_again(stage: Stage) -> None:
    stage.world.store.apply("default", trade("kept"), instant=NOON, key=key())
    stage.world.others(trade("later"))
    primary, recording = await stage.primary()
    given = await primary.apply(trade("own"), key=key())
    candidate, replay = stage.candidate(recording)
    replayed = await candidate.apply(trade("own"), key=key())
    assert (replayed.answer, replayed.replayed) == (given.answer, True) == ({"trades_today": 2}, True)
    assert (await candidate.snapshot()) == (await primary.snapshot())
    with pytest.raises(KeyReused, match="key-1"):
        await candidate.apply(trade("own"), key=key(body="another"))
    assert replay.effects() == recording.effects() == NOTHING


async def test_a_key_that_was_reused_is_reused_again(stage: Stage) -> None:
    stage.world.store.apply("default", trade("kept"), instant=NOON, key=key())
    primary, recording = await stage.primary()
    with pytest.raises(KeyReused):
        await primary.apply(trade("own"), key=key(body="another"))
    candidate, replay = stage.candidate(recording)
    with pytest.raises(KeyReused, match="key-1"):
        await candidate.apply(trade("own"), key=key(body="another"))
    assert (await candidate.apply(trade("own"), key=key("key-2"))).answer == {"trades_today": 3}
    assert [entry["key"]["value"] for entry in replay.effects()["ledger"]["default"]] == ["key-2"]


async def test_a_key_that_was_new_is_new(stage: Stage) -> None:
    primary, recording = await stage.primary()
    for _ in range(2):
        await primary.apply(trade("own"), key=key())
    candidate, replay = stage.candidate(recording)
    assert [(await candidate.apply(trade("own"), key=key())).replayed for _ in range(2)] == [False, True]
    assert replay.effects() == recording.effects()
    assert len(recording.effects()["ledger"]["default"]) == 1


async def test_a_forgotten_key_and_another_fingerprint_show(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("own"), key=key())
    for other in (None, key(body="misread")):
        candidate, replay = stage.candidate(recording)
        await candidate.apply(trade("own"), key=other)
        assert replay.effects() != recording.effects()
