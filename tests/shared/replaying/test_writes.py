"""A candidate's writes start where the primary's did, and what differs shows."""

import pytest

from shared.errors import Refused, UnknownWindow
from shared.store.base import LedgerQuery
from shared.window import Asking, Entry
from tests.shared.replaying.stage import NOTHING, Stage
from tests.shared.store.helpers import key, raising, trade, trade_within_limit, with_outcome


async def test_a_write_starts_where_the_primary_s_did_whatever_others_write(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.snapshot()
    for number in range(3):
        stage.world.others(trade(f"other {number}"))
    applied = await primary.apply(trade("own"))
    stage.world.others(trade("later"))
    candidate, replay = stage.candidate(recording)
    assert (await candidate.snapshot()).state["trades_today"] == 1
    replayed = await candidate.apply(trade("own"))
    assert (replayed.answer, replayed.before, replayed.after) == (applied.answer, applied.before, applied.after)
    assert replayed.answer == {"trades_today": 5}
    assert await candidate.snapshot() == await primary.snapshot()
    assert replay.effects() == recording.effects()


async def test_each_write_starts_where_the_primary_s_did_while_both_leave_the_same(stage: Stage) -> None:
    primary, recording = await stage.primary()
    answers = []
    for name in ("a", "b", "c"):
        answers.append((await primary.apply(trade(name))).answer)
        stage.world.others(trade(f"after {name}"))
    assert answers == [{"trades_today": 2}, {"trades_today": 4}, {"trades_today": 6}]
    candidate, replay = stage.candidate(recording)
    assert [(await candidate.apply(trade(name))).answer for name in ("a", "b", "c")] == answers
    assert replay.effects() == recording.effects()


async def test_a_candidate_that_left_something_else_goes_on_from_there(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("a"))
    await primary.apply(trade("b"))
    candidate, replay = stage.candidate(recording)
    await candidate.apply(with_outcome(answer=None, trades_today=40))
    assert (await candidate.apply(trade("b"))).answer == {"trades_today": 41}
    assert replay.effects()["windows"]["default"]["state"]["trades_today"] == 41


async def test_a_candidate_is_refused_as_the_primary_was(stage: Stage) -> None:
    stage.world.others(with_outcome(answer=None, trades_today=5))
    primary, recording = await stage.primary()
    with pytest.raises(Refused):
        await primary.apply(trade_within_limit("own"))
    stage.world.others(with_outcome(answer=None, trades_today=0))
    candidate, replay = stage.candidate(recording)
    with pytest.raises(Refused, match="no slot is left"):
        await candidate.apply(trade_within_limit("own"))
    assert (replay.effects(), recording.effects()) == (NOTHING, NOTHING)


async def test_a_halt_holds_for_the_candidate(stage: Stage) -> None:
    stage.world.others(with_outcome(answer=None, halt={"reason": "lunch"}))
    primary, recording = await stage.primary()
    with pytest.raises(Refused):
        await primary.apply(trade("own"), asks=Asking())
    stage.world.others(with_outcome(answer=None, halt=None))
    candidate, replay = stage.candidate(recording)
    with pytest.raises(Refused, match="halted: lunch"):
        await candidate.apply(trade("own"), asks=Asking())
    await candidate.apply(trade("own"))
    assert list(replay.effects()["ledger"]) == ["default"]


async def test_a_fault_of_one_side_s_transition_is_not_the_other_s(stage: Stage) -> None:
    primary, recording = await stage.primary()
    with pytest.raises(KeyError):
        await primary.apply(raising(KeyError("price")))
    candidate, replay = stage.candidate(recording)
    assert (await candidate.apply(trade("own"))).answer == {"trades_today": 2}
    assert replay.effects() != recording.effects()


async def test_what_is_no_json_raises_as_in_a_store(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("own"))
    candidate, replay = stage.candidate(recording)
    with pytest.raises(TypeError):
        await candidate.apply(with_outcome(Entry(id="own", kind="trade", data={"price": object()}), answer=None))
    with pytest.raises(TypeError):
        await candidate.apply(with_outcome(Entry(id="own", kind="trade", data={}), answer=object()), key=key())
    assert replay.effects() == NOTHING


async def test_a_write_that_the_primary_did_not_make_shows(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.snapshot()
    stage.world.others(trade("second"))
    candidate, replay = stage.candidate(recording)
    assert (await candidate.apply(trade("extra"))).answer == {"trades_today": 2}
    assert recording.effects() == NOTHING
    assert [entry["id"] for entry in replay.effects()["ledger"]["default"]] == ["extra"]


async def test_a_trade_counted_twice_shows(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("own"))
    candidate, replay = stage.candidate(recording)
    await candidate.apply(trade("own"))
    await candidate.apply(trade("own"))
    assert replay.effects()["windows"]["default"]["state"]["trades_today"] == 3
    assert len(replay.effects()["ledger"]["default"]) == 2


async def test_a_candidate_that_writes_nothing_leaves_nothing(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("own"))
    _, replay = stage.candidate(recording)
    assert replay.effects() == NOTHING != recording.effects()


async def test_no_replay_writes_to_the_live_store(here: Stage) -> None:
    primary, recording = await here.primary()
    await primary.apply(trade("own"), key=key())
    await primary.create("w")
    left = (here.world.store.snapshot("default"), here.world.store.ledger("default", LedgerQuery()))
    candidate, _ = here.candidate(recording)
    await candidate.apply(trade("own"), key=key())
    await candidate.apply(trade("more"), key=key("key-2"))
    await candidate.create("w")
    await candidate.create("v")
    await candidate.ledger()
    await candidate.apply(trade("more"), "v")
    assert (here.world.store.snapshot("default"), here.world.store.ledger("default", LedgerQuery())) == left
    with pytest.raises(UnknownWindow):
        here.world.store.snapshot("v")
