"""Windows that the primary made."""

import pytest

from shared.errors import UnknownWindow
from shared.window_config import WindowConfig
from tests.shared.replaying.stage import NOTHING, Stage
from tests.shared.store.helpers import trade


async def test_a_window_is_made_as_the_primary_made_it(stage: Stage) -> None:
    primary, recording = await stage.primary()
    config = WindowConfig(max_trades_per_day=1)
    made = await primary.create("w", config)
    await primary.apply(trade("own"), "w")
    candidate, replay = stage.candidate(recording)
    with pytest.raises(UnknownWindow):
        await candidate.snapshot("w")
    assert await candidate.create("w", config) == made
    assert await candidate.snapshot("w") == made
    await candidate.apply(trade("own"), "w")
    assert replay.effects() == recording.effects()
    assert list(recording.effects()["windows"]) == ["w"]


async def test_another_config_for_a_new_window_shows(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.create("w")
    candidate, replay = stage.candidate(recording)
    await candidate.create("w", WindowConfig(max_trades_per_day=1))
    assert replay.effects()["windows"]["w"]["config"]["max_trades_per_day"] == 1
    assert recording.effects()["windows"]["w"]["config"]["max_trades_per_day"] == 5


async def test_a_known_window_stays_as_it_is(stage: Stage) -> None:
    primary, recording = await stage.primary()
    known = await primary.create("default", WindowConfig(max_trades_per_day=1))
    for other in (recording, (await stage.primary())[1]):
        candidate, replay = stage.candidate(other)
        assert await candidate.create("default", WindowConfig(max_trades_per_day=1)) == known
        assert replay.effects() == NOTHING
