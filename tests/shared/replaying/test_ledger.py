"""A candidate reads the ledger as of the primary's snapshot."""

import pytest

from shared.errors import StoreUnavailable
from shared.replaying import Replay, UnrecordedRead
from shared.store.base import LedgerQuery
from tests.shared.recorded import Face, ids_of, replay_elsewhere
from tests.shared.replaying.stage import Stage
from tests.shared.store.helpers import trade


async def test_the_ledger_is_read_as_of_the_snapshot(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.snapshot()
    stage.world.others(trade("second"))
    page = await primary.ledger()
    candidate, _ = stage.candidate(recording)
    assert await candidate.ledger() == page
    assert (ids_of(page), page.sequence) == (["first"], 1)


async def test_a_candidate_sees_its_own_entries_and_not_the_primary_s(stage: Stage) -> None:
    primary, recording = await stage.primary()
    await primary.apply(trade("a", symbol="BTC"))
    stage.world.others(trade("between", symbol="BTC"))
    await primary.apply(trade("b", symbol="ETH"))
    assert ids_of(await primary.ledger()) == ["b", "between", "a", "first"]
    assert ids_of(await primary.ledger(LedgerQuery(symbol="BTC"))) == ["between", "a"]
    stage.world.others(trade("later"))
    candidate, _ = stage.candidate(recording)
    await candidate.apply(trade("mine", symbol="BTC"))
    await candidate.apply(trade("b", symbol="ETH"))
    assert ids_of(await candidate.ledger()) == ["b", "between", "mine", "first"]
    assert ids_of(await candidate.ledger(LedgerQuery(symbol="BTC"))) == ["between", "mine"]


async def test_a_page_is_as_long_as_it_was(stage: Stage) -> None:
    for number in range(5):
        stage.world.others(trade(f"other {number}"))
    primary, recording = await stage.primary()
    await primary.apply(trade("own"))
    queries = [LedgerQuery(limit=limit) for limit in (1, 3, 50)]
    pages = [ids_of(await primary.ledger(query)) for query in queries]
    assert pages[:2] == [["own"], ["own", "other 4", "other 3"]]
    candidate, replay = stage.candidate(recording)
    await candidate.apply(trade("own"))
    assert [ids_of(await candidate.ledger(query)) for query in queries] == pages
    assert replay.unrecorded_read() is None


async def test_the_live_ledger_may_be_asked_differently(here: Stage) -> None:
    for symbol in ("BTC", "ETH", "BTC"):
        here.world.others(trade(symbol, symbol=symbol))
    primary, recording = await here.primary()
    await primary.ledger(LedgerQuery(symbol="ETH"))
    here.world.others(trade("later", symbol="BTC"))
    candidate, replay = here.candidate(recording)
    assert ids_of(await candidate.ledger(LedgerQuery(symbol="BTC", limit=5))) == ["BTC", "BTC"]
    assert replay.unrecorded_read() is None


async def test_what_a_candidate_read_goes_with_the_recording(here: Stage) -> None:
    here.world.others(trade("second", symbol="BTC"))
    _, recording = await here.primary()
    candidate, _ = here.candidate(recording)
    assert ids_of(await candidate.ledger(LedgerQuery(symbol="BTC"))) == ["second"]
    elsewhere = replay_elsewhere(recording)
    assert ids_of(elsewhere.ports.windows.ledger("default", LedgerQuery(symbol="BTC"))) == ["second"]


async def test_elsewhere_a_narrower_question_is_answered_from_a_wider_one(elsewhere: Stage) -> None:
    for symbol in ("BTC", "ETH", "BTC"):
        elsewhere.world.others(trade(symbol, symbol=symbol))
    primary, recording = await elsewhere.primary()
    await primary.ledger(LedgerQuery(limit=3))
    candidate, replay = elsewhere.candidate(recording)
    assert ids_of(await candidate.ledger(LedgerQuery(limit=2))) == ["BTC", "ETH"]
    assert ids_of(await candidate.ledger(LedgerQuery(symbol="BTC", limit=2))) == ["BTC", "BTC"]
    assert replay.unrecorded_read() is None
    for query in (LedgerQuery(limit=4), LedgerQuery(symbol="ETH", limit=2)):
        with pytest.raises(UnrecordedRead):
            await candidate.ledger(query)
    assert replay.unrecorded_read() == "a read of the ledger of window 'default'"


async def test_a_live_ledger_that_can_t_answer_is_needed_only_for_what_the_primary_has_not_read(here: Stage) -> None:
    primary, recording = await here.primary()
    page = await primary.ledger(LedgerQuery(symbol="BTC"))
    here.world.breakable.error = StoreUnavailable("it is away")
    replay = Replay(recording)
    candidate = Face(replay.ports, awaited=True)
    assert await candidate.ledger(LedgerQuery(symbol="BTC")) == page
    assert replay.unrecorded_read() is None
    with pytest.raises(UnrecordedRead):
        await candidate.ledger()
    assert replay.unrecorded_read() == ("a read of the ledger of window 'default': the store can't answer: it is away")
