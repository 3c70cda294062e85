"""What time did is written in front of the next write, and what each write leaves."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.errors import KeyReused, Refused
from shared.store.base import Applied, LedgerPage, LedgerQuery, Store
from shared.window import Entry, LedgerEntry, Outcome, Snapshot, Transition, WindowState
from shared.window_config import WindowConfig
from tests.shared.store.contract.faces import ALL, NEVER, Face, ids_of
from tests.shared.store.helpers import (
    CONFIG,
    DAY,
    DEADLINE_SECONDS,
    INSTANT,
    MICROSECOND,
    key,
    permit_of,
    raising,
    reserved,
    trade,
    trade_within_limit,
    with_outcome,
)

AN_HOUR = timedelta(hours=1)
BEFORE = INSTANT - timedelta(minutes=1)


async def test_what_time_did_is_written_with_the_next_write_in_front_of_its_own(face: Face) -> None:
    await face.create()
    stored = (await face.apply(reserved(permit_of("p-1"), permit_of("p-2", status="sent")), instant=BEFORE)).after
    late = INSTANT + AN_HOUR
    applied = await face.apply(trade("t", symbol="BTC-USD"), instant=late)

    expired = {**permit_of("p-1"), "status": "expired", "deadline": None, "at": "2025-03-03T12:30:15.123456Z"}
    in_doubt = {**permit_of("p-2"), "status": "in_doubt", "deadline": None}
    written = (
        LedgerEntry(
            sequence=1,
            id="p-1-expired",
            kind="permit",
            instant=late,
            data=expired,
            trade_day=DAY,
            symbol="BTC-USD",
            subject="p-1",
        ),
        LedgerEntry(
            sequence=2,
            id="p-2-in-doubt",
            kind="permit",
            instant=late,
            data={**in_doubt, "at": "2025-03-03T12:30:15.123456Z"},
            trade_day=DAY,
            symbol="BTC-USD",
            subject="p-2",
        ),
        LedgerEntry(sequence=3, id="t", kind="trade", instant=late, data={"id": "t"}, trade_day=DAY, symbol="BTC-USD"),
    )
    after = Snapshot(
        window_id="w",
        config=CONFIG,
        state={
            "trade_day": DAY,
            "trades_today": 2,
            "halt": None,
            "permits": {"p-2": {**permit_of("p-2"), "status": "in_doubt", "deadline": None}},
            "tally": {"symbol": {}, "side": {}, "strategy": {}},
            "last_trades": {"*": "2025-03-03T13:30:15.123456Z", "BTC-USD": "2025-03-03T13:30:15.123456Z"},
        },
        version=1,
        sequence=3,
    )
    assert applied == Applied(answer={"trades_today": 2}, before=stored, after=after, entries=written, own_from=2)
    assert await face.snapshot() == after
    assert await face.ledger() == LedgerPage(entries=written[::-1], sequence=3)
    assert ids_of(await face.ledger(LedgerQuery(subject="p-2"))) == ["p-2-in-doubt"]


async def test_the_transition_gets_the_state_as_it_is_by_then(face: Face) -> None:
    seen: list[WindowState] = []

    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        seen.append(state)
        return Outcome(config, state, (), None)

    await face.create()
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    await face.apply(transition, instant=INSTANT - MICROSECOND)
    assert (await face.ledger()).sequence == 0
    applied = await face.apply(transition, instant=INSTANT)
    assert [(state["trades_today"], "permits" in state) for state in seen] == [(1, True), (0, False)]
    # A write that adds nothing of its own is one all the same.
    assert [entry.id for entry in applied.entries] == ["p-1-expired"]
    assert (applied.own_from, applied.after.sequence) == (1, 1)
    assert (await face.apply(transition, instant=INSTANT)).entries == ()


async def test_a_slot_that_time_gave_back_can_be_taken(face: Face) -> None:
    await face.create(config=WindowConfig(max_trades_per_day=1))
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    with pytest.raises(Refused):
        await face.apply(trade_within_limit("early"), instant=INSTANT - MICROSECOND)
    assert (await face.apply(trade_within_limit("t"), instant=INSTANT)).answer == {"trades_today": 1}
    assert ids_of(await face.ledger()) == ["t", "p-1-expired"]


async def test_a_keys_answer_is_kept_with_the_transitions_own_entry(face: Face) -> None:
    await face.create()
    await face.apply(reserved(permit_of("p-1"), permit_of("p-2")), instant=BEFORE)
    first = await face.apply(trade("t"), instant=INSTANT, key=key())
    assert (first.answer, first.own_from, first.entries[2].id) == ({"trades_today": 1}, 2, "t")
    again = await face.apply(NEVER, instant=INSTANT + AN_HOUR, key=key())
    assert (again.answer, again.replayed, again.entries) == ({"trades_today": 1}, True, ())
    with pytest.raises(KeyReused):
        await face.apply(NEVER, key=key(body="another"))
    assert ids_of(await face.ledger()) == ["t", "p-2-expired", "p-1-expired"]


async def test_a_kept_answer_is_given_without_a_look_at_the_time(face: Face) -> None:
    await face.create()
    await face.apply(trade("t"), key=key())
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    stored = await face.snapshot()
    assert (await face.apply(NEVER, instant=INSTANT + AN_HOUR, key=key())).replayed
    assert await face.snapshot() == stored


async def test_a_refusal_writes_nothing_of_what_time_did(face: Face) -> None:
    await face.create()
    await face.apply(reserved(permit_of("p-1")), instant=BEFORE)
    stored = await face.snapshot()
    late = INSTANT + AN_HOUR
    with pytest.raises(LookupError):
        await face.apply(raising(LookupError("no")), instant=late, key=key())
    with pytest.raises(ValueError, match="needs a ledger entry"):
        await face.apply(with_outcome(answer=None), instant=late, key=key())
    assert await face.snapshot() == stored
    assert await face.ledger() == LedgerPage(entries=(), sequence=0)
    await face.apply(trade("t"), instant=late, key=key())
    assert ids_of(await face.ledger()) == ["t", "p-1-expired"]


async def test_a_read_tells_what_was_written_and_writes_nothing(face: Face) -> None:
    await face.create()
    stored = (await face.apply(reserved(permit_of("p-1")), instant=BEFORE)).after
    for _ in range(2):
        assert await face.snapshot() == stored
        assert await face.create() == stored
        assert (await face.ledger()).entries == ()


async def test_only_one_of_many_writes_at_once_finds_a_permit_expired(store: Store) -> None:
    await store.create_async("w", CONFIG)
    await store.apply_async("w", reserved(permit_of("p-1")), instant=BEFORE)
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(
            *[store.apply_async("w", trade(f"t-{n}"), instant=INSTANT, key=key(f"{n}")) for n in range(30)]
        )
    assert sorted(answer.answer["trades_today"] for answer in answers) == list(range(1, 31))
    page = store.ledger("w", ALL)
    assert [entry.sequence for entry in page.entries] == list(range(31, 0, -1))
    assert [entry.id for entry in page.entries if entry.kind == "permit"] == ["p-1-expired"]
    assert all(store.apply("w", NEVER, instant=INSTANT, key=key(f"{n}")).replayed for n in range(30))


async def test_a_day_that_turns_is_an_entry_in_front_of_the_first_write_on_it(face: Face) -> None:
    await face.create()
    await face.apply(trade("1"))
    await face.apply(trade("2"))
    tomorrow = INSTANT + timedelta(days=1)
    turned = await face.apply(trade("3", day="2025-03-04"), instant=tomorrow, key=key())
    await face.apply(trade("4", day="2025-03-04"), instant=tomorrow)
    page = await face.ledger()
    assert [(entry.sequence, entry.id) for entry in page.entries] == [
        (5, "4"),
        (4, "3"),
        (3, "day-2025-03-04"),
        (2, "2"),
        (1, "1"),
    ]
    assert page.entries[2] == LedgerEntry(
        sequence=3,
        id="day-2025-03-04",
        kind="day",
        instant=tomorrow,
        trade_day="2025-03-04",
        data={"before": "2025-03-03", "after": "2025-03-04", "trades": 2},
    )
    assert (turned.own_from, turned.answer) == (1, {"trades_today": 3})
    assert (await face.apply(NEVER, key=key())).answer == {"trades_today": 3}
    assert ids_of(await face.ledger(LedgerQuery(kind="day"))) == ["day-2025-03-04"]


async def test_a_day_is_left_with_the_count_that_time_made_of_it(face: Face) -> None:
    await face.create()
    await face.apply(reserved(permit_of("p-1"), permit_of("p-2", status="sent")), instant=BEFORE)
    await face.apply(trade("t", day="2025-03-04"), instant=INSTANT + timedelta(days=1))
    entries = (await face.ledger()).entries
    assert [entry.id for entry in entries] == ["t", "day-2025-03-04", "p-2-in-doubt", "p-1-expired"]
    assert entries[1].data == {"before": "2025-03-03", "after": "2025-03-04", "trades": 1}


async def test_a_trade_is_noted_by_its_names_and_its_time(face: Face) -> None:
    def trade_of(entry_id: str, **data: Any) -> Transition[None]:
        entry = Entry(id=entry_id, kind="trade", data=data, trade_day=DAY, symbol=data["symbol"])
        return with_outcome(entry, answer=None, trade_day=DAY)

    await face.create()
    await face.apply(trade_of("1", symbol="BTC-USD", side="buy", strategy="rsi"))
    await face.apply(trade_of("2", symbol="ETH-USD", side="sell", strategy=None), instant=INSTANT + AN_HOUR)
    await face.apply(
        trade_of("3", symbol="BTC-USD", side="sell", strategy=None, reduces=True), instant=INSTANT + AN_HOUR
    )
    assert (await face.snapshot()).state == {
        "trade_day": DAY,
        "trades_today": 0,
        "halt": None,
        "tally": {"symbol": {"BTC-USD": 1, "ETH-USD": 1}, "side": {"buy": 1, "sell": 1}, "strategy": {"rsi": 1}},
        "last_trades": {
            "*": "2025-03-03T13:30:15.123456Z",
            "BTC-USD": "2025-03-03T12:30:15.123456Z",
            "ETH-USD": "2025-03-03T13:30:15.123456Z",
        },
    }
