"""Another side of a recorded request meets the world as the first one met it, and writes nowhere."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import KeyReused, Refused, StoreUnavailable, UnknownWindow
from shared.recording import Recording, record
from shared.replaying import Replay, UnrecordedRead
from shared.store.base import LedgerQuery
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import Asking, Entry, Outcome, Transition, WindowState
from shared.window_config import WindowConfig
from tests.shared.recorded import NOON, Face, World, ids_of, replay_elsewhere, replay_here
from tests.shared.store.helpers import key, permit_of, raising, reserved, trade, trade_within_limit, with_outcome

NOTHING: dict[str, Any] = {"windows": {}, "ledger": {}, "calls": []}


class Services:
    """Each call is answered with the next number, so that a live call is seen."""

    def __init__(self) -> None:
        self.calls = 0

    def place(self, **_arguments: Any) -> int:
        self.calls += 1
        return self.calls

    def price(self, symbol: str) -> dict[str, Any]:
        if symbol == "gone":
            raise LookupError("no such symbol")
        self.calls += 1
        return {"symbol": symbol, "price": self.calls}


class Stage:
    """One recorded request, and the face of a candidate on it."""

    def __init__(self, world: World, *, awaited: bool, replay: Callable[[Recording], Replay]) -> None:
        self.world = world
        self._awaited = awaited
        self._replay = replay

    async def primary(self) -> tuple[Face, Recording]:
        ports, recording = await self.world.record()
        return Face(ports, awaited=self._awaited), recording

    def candidate(self, recording: Recording) -> tuple[Face, Replay]:
        replay = self._replay(recording)
        return Face(replay.ports, awaited=self._awaited), replay


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def world(services: Services) -> World:
    world = World(services={"market": services, "broker": services})
    world.others(trade("first"))
    return world


@pytest.fixture(params=["blocking", "awaited"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "awaited")


@pytest.fixture(params=[replay_here, replay_elsewhere], ids=["here", "elsewhere"])
def stage(world: World, awaited: bool, request: pytest.FixtureRequest) -> Stage:
    return Stage(world, awaited=awaited, replay=request.param)


@pytest.fixture
def here(world: World, awaited: bool) -> Stage:
    return Stage(world, awaited=awaited, replay=replay_here)


@pytest.fixture
def elsewhere(world: World, awaited: bool) -> Stage:
    return Stage(world, awaited=awaited, replay=replay_elsewhere)


# Time and identity


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


# Writes


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


# Keys


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


# The ledger


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


async def test_a_live_ledger_that_can_t_answer_is_an_unrecorded_read(here: Stage) -> None:
    primary, recording = await here.primary()
    await primary.ledger()
    here.world.breakable.error = StoreUnavailable("it is away")
    replay = Replay(recording)
    with pytest.raises(UnrecordedRead):
        await Face(replay.ports, awaited=True).ledger()
    assert replay.unrecorded_read() == ("a read of the ledger of window 'default': the store can't answer: it is away")


# A store that fails


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


# Windows that are made


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


# What time did


AT_NOON = "2025-03-03T12:00:00.000000Z"
A_MINUTE = timedelta(minutes=1)


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


# Services


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


# Whatever a handler does


STEPS = st.one_of(
    st.tuples(st.just("snapshot"), st.sampled_from(["default", "w"])),
    st.tuples(st.just("ledger"), st.sampled_from(["default", "w"]), st.sampled_from([None, "BTC"]), st.integers(1, 5)),
    st.tuples(
        st.just("apply"),
        st.sampled_from(["default", "w"]),
        st.sampled_from([trade("own", symbol="BTC"), trade_within_limit("own"), with_outcome(answer=None)]),
        st.sampled_from([None, key("k-1"), key("k-1", body="another"), key("k-2")]),
        st.sampled_from([None, Asking(), Asking("BTC")]),
    ),
    st.tuples(st.just("create"), st.sampled_from(["default", "w"])),
    st.tuples(st.just("call"), st.sampled_from(["effect", "read"]), st.sampled_from(["BTC", "gone"])),
)
OF_OTHERS = st.sampled_from(
    [
        *(
            "nothing",
            "trade",
            "trade with key",
            "another day",
            "halt",
            "no halt",
            "halt of a symbol",
            "halt that is over",
        ),
        *("permit that is over", "sent permit that is over", "permit", "make w", "store fails"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    handler=st.lists(STEPS, max_size=8), meanwhile=st.lists(OF_OTHERS, min_size=8, max_size=8), awaited=st.booleans()
)
def test_an_equal_handler_meets_the_same_whatever_others_do(
    handler: list[Any], meanwhile: list[str], awaited: bool
) -> None:
    world = World(services={"market": Services()})

    async def everything() -> None:
        ports, recording = await world.record()
        met = []
        for step, others in zip(handler, meanwhile, strict=False):
            _interfere(world, others)
            met.append(await _take(Face(ports, awaited=awaited), step))
        world.breakable.error = None
        left = world.store.snapshot("default")
        for replayed in (replay_elsewhere(recording), replay_here(recording), replay_elsewhere(recording)):
            candidate = Face(replayed.ports, awaited=awaited)
            assert [await _take(candidate, step) for step in handler] == met
            assert (replayed.effects(), replayed.unrecorded_read()) == (recording.effects(), None)
        assert world.store.snapshot("default") == left

    asyncio.run(everything())


def _interfere(world: World, others: str) -> None:
    world.breakable.error = StoreUnavailable("it is away") if others == "store fails" else None
    match others:
        case "trade":
            world.others(trade("other", symbol="BTC"))
        case "trade with key":
            with suppress(KeyReused):
                world.store.apply("default", trade("other"), instant=NOON, key=key("k-1"))
        case "another day":
            world.others(trade("other", day="2025-03-04"))
        case "permit that is over":
            world.others(reserved(permit_of("p-1", deadline=AT_NOON)), instant=NOON - A_MINUTE)
        case "sent permit that is over":
            world.others(reserved(permit_of("p-1", status="sent", deadline=AT_NOON)), instant=NOON - A_MINUTE)
        case "permit":
            world.others(reserved(permit_of("p-1")))
        case "halt of a symbol":
            world.others(with_outcome(answer=None, symbol_halts={"BTC": {"reason": "fork"}}))
        case "halt that is over":
            over = {"reason": "lunch", "until": AT_NOON}
            world.others(with_outcome(answer=None, halt=over), instant=NOON - A_MINUTE)
        case "halt":
            world.others(with_outcome(answer=None, halt={"reason": "lunch"}))
        case "no halt":
            world.others(with_outcome(answer=None, halt=None))
        case "make w":
            world.store.create("w", WindowConfig())


async def _take(face: Face, step: tuple[Any, ...]) -> Any:
    """What a step is answered with; an error as its text."""
    try:
        match step:
            case "snapshot", window_id:
                return await face.snapshot(window_id)
            case "ledger", window_id, symbol, limit:
                return await face.ledger(LedgerQuery(symbol=symbol, limit=limit), window_id)
            case "apply", window_id, transition, its_key, asks:
                applied = await face.apply(transition, window_id, key=its_key, asks=asks)
                return applied.answer, applied.before, applied.after, applied.entries, applied.replayed
            case "create", window_id:
                return await face.create(window_id)
            case "call", "effect", symbol:
                return await face.effect("market", "place", symbol=symbol)
            case _, _, symbol:
                return await face.read("market", "price", symbol=symbol)
    except Exception as error:
        return repr(error), str(error)
